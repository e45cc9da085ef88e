"""The paper's source: no result is typed by hand, and what it asks for by name is known."""

import re
import shutil
from pathlib import Path

import pytest

from trialwatt.config.models import Experiment
from trialwatt.config.yaml_files import read_yaml
from trialwatt.figures import FIGURES
from trialwatt.paper.prose import NAMES, STYLE, digits, typed_digits

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
        file = f"config/experiments/{experiment}.yaml"
        ways = Experiment.model_validate(read_yaml(ROOT / file, file)[0]).ways
        varies = [key for _, way in ways for key in way]
        assert FIGURES[name].applies(varies), (experiment, name)


def test_every_reference_is_cited():
    prose = "\n".join(file.read_text(encoding="utf-8") for file in PROSE)
    for key in re.findall(r"@\w+\{(\w+),", (SOURCE / "references.bib").read_text("utf-8")):
        assert f"@{key}" in prose
