"""The paper's source: no result is typed by hand, and what it asks for by name is known."""

import re
from pathlib import Path

import pytest

from trialwatt.figures import FIGURES

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "paper"
STYLE = SOURCE / "style.typ"
PROSE = sorted(set(SOURCE.rglob("*.typ")) - {STYLE})
NAMES = r"\bH[12]\b|CO₂"
LENGTH = r"-?\d+(\.\d+)?(pt|em|in|cm|mm|%|fr)(?!\w)"
CODE = (
    r"luma\(\d+\)|place == 0|it\.level == 1|columns: 2|numbering: \"[1A.]+\"|update\(0\)|"
    r"slice\(1\)|len\(\) > [01]|most: \d+|"
)


def digits(text: str, allowed: str) -> list[str]:
    """Lines in which there is a digit (superscripts too) that is not of what is allowed."""
    text = re.sub(r"(?m)^\s*//.*$|(?<=[\s,])//\s.*$", "", text)
    text = re.sub(allowed, "", text)
    return [line for line in text.splitlines() if any(letter.isdigit() for letter in line)]


@pytest.mark.parametrize("file", PROSE, ids=lambda file: file.name)
def test_no_digit_of_a_result_is_typed_by_hand(file):
    assert not digits(file.read_text(encoding="utf-8"), NAMES)


def test_the_style_has_no_digit_but_those_of_the_layout():
    assert not digits(STYLE.read_text(encoding="utf-8"), rf"{CODE}{LENGTH}")


@pytest.mark.parametrize(
    "text", ["took 12 s", "saved 3 %", "1.5 kWh", "10⁻⁶ USD", "n = 5", "half, 50%"]
)
def test_a_typed_result_would_be_found(text):
    assert digits(text, NAMES)


def test_all_experiments_have_a_section():
    text = (SOURCE / "sections/experiments.typ").read_text(encoding="utf-8")
    for file in (ROOT / "config/experiments").glob("*.yaml"):
        assert f'#experiment("{file.stem}"' in text


def test_the_figures_that_are_named_exist():
    text = (SOURCE / "sections/experiments.typ").read_text(encoding="utf-8")
    named = re.findall(r'(?:see|fig)\("([\w-]+)", "([\w-]+)"\)', text)
    named += [
        (experiment, name)
        for experiment, names in re.findall(r'#experiment\("([\w-]+)", \((.*?)\)\)', text)
        for name in re.findall(r'"(\w+)"', names)
    ]
    assert len(named) > 20
    for experiment, name in named:
        varies = {"frameworks": ["workers.count"]}.get(experiment, [])
        assert FIGURES[name].applies(experiment, varies), (experiment, name)


def test_every_reference_is_cited():
    prose = "\n".join(file.read_text(encoding="utf-8") for file in PROSE)
    for key in re.findall(r"@\w+\{(\w+),", (SOURCE / "references.bib").read_text("utf-8")):
        assert f"@{key}" in prose
