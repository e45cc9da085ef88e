"""The paper's source: no result is typed by hand, and what it asks for by name is known."""

import re
import shutil
from pathlib import Path

import pytest

from trialwatt.config.factors import FACTORS
from trialwatt.figures import figures_of
from trialwatt.paper.lint import NAMES, STYLE, digits, typed_digits

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "paper"
PROSE = sorted(set(SOURCE.rglob("*.typ")) - {SOURCE / STYLE})


def test_no_digit_of_a_result_is_typed_by_hand():
    assert len(PROSE) > 5
    assert list(typed_digits(SOURCE)) == []


@pytest.mark.parametrize("name", ["main.typ", "sections/threats.typ", STYLE])
def test_one_that_is_typed_is_named(tmp_path, name):
    copy = tmp_path / "paper"
    shutil.copytree(SOURCE, copy)
    (copy / name).write_text(f"{(copy / name).read_text('utf-8')}\nIt saved 12.5 of it.\n", "utf-8")
    assert list(typed_digits(copy)) == [(name, "It saved 12.5 of it.")]


@pytest.mark.parametrize(
    "text", ["took 12 s", "saved 3 %", "1.5 kWh", "10⁻⁶ USD", "n = 5", "half, 50%"]
)
def test_a_typed_result_would_be_found(text):
    assert digits(text, NAMES)


QUESTIONS = (SOURCE / "sections/questions.typ").read_text(encoding="utf-8")


def test_each_factor_has_its_question():
    asked = re.findall(r'^  "([\w.]+)": ', QUESTIONS, flags=re.MULTILINE)
    assert sorted(asked) == sorted(FACTORS)


def test_no_experiment_is_named():
    prose = "\n".join(file.read_text(encoding="utf-8") for file in PROSE)
    for file in (ROOT / "config/experiments").glob("*.yaml"):
        assert f'"{file.stem}"' not in prose, file.stem


def test_the_figures_that_are_named_exist():
    """Each entry names figures that every experiment has which varies its key."""
    entries = re.findall(
        r'(?:^  "([\w.]+)":|^#let (_[\w-]+) =) \(\n(.*?)^ {0,2}\)', QUESTIONS, re.M | re.S
    )
    assert len(entries) > 10
    shared = {
        "_of-cost": ["search.budget", "epochs"],
        "_trials": ["batch"],
        "_of-no-key": [],
        "_of-other-keys": ["deadline_s"],
    }
    for key, name, text in entries:
        named = set(re.findall(r'"(\w+)"', text)) - {"runs"}
        varies = [key] if key else shared.get(name, ["workers.count"])
        assert named and named <= set(figures_of(varies)), (key or name, named)


def test_every_reference_is_cited():
    prose = "\n".join(file.read_text(encoding="utf-8") for file in PROSE)
    for key in re.findall(r"@\w+\{(\w+),", (SOURCE / "references.bib").read_text("utf-8")):
        assert f"@{key}" in prose
