"""The matrix SUT × strategy is made from the classes; the table in the docs is the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from trialwatt import suts
from trialwatt.errors import TrialwattError
from trialwatt.suts import matrix
from trialwatt.suts.base import Sut
from trialwatt.suts.strategies import Strategy, installed

DOCUMENT = Path(__file__).parents[2] / "docs" / "suts.md"


class Some(Sut):
    name = "some"
    package = "pydantic"
    samplers = {
        "zoo": Strategy(print, native="Zoo"),
        "tpe": Strategy(print, ("no-such-package", "pyyaml"), "TPE", excludes=("asha",)),
        "grid": Strategy(print),
    }

    def work(self, job, index, trials): ...
    def best(self, job): ...


class Stranded(Some):
    name = "stranded"
    samplers = {"random": Strategy(print, native="Rand", note="A note.")}
    pruners = {"none": Strategy(print), "asha": Strategy(print, native="ASHA")}

    @classmethod
    def available(cls):
        return "java is not installed: install Java 17"


@pytest.fixture
def two(monkeypatch):
    classes = {"some": Some, "stranded": Stranded}

    def get(name):
        if name == "broken":
            raise ImportError("No module named 'gone'")
        return classes[name]

    monkeypatch.setattr(suts, "get", get)
    return ["some", "stranded", "broken"]


def test_the_matrix_on_a_terminal(two):
    assert matrix.printed(two).splitlines() == [
        f"some {installed('pydantic')}: available",
        f"stranded {installed('pydantic')}: java is not installed: install Java 17",
        "broken: cannot be loaded: No module named 'gone'",
        "",
        "samplers, of the SUTs that offer them:",
        "  grid    some",
        "  random  stranded (Rand, SUT cannot run)",
        "  tpe     some (TPE, needs no-such-package)",
        "  zoo     some (Zoo)",
        "",
        "pruners, of the SUTs that offer them:",
        "  none    some; stranded (SUT cannot run)",
        "  asha    stranded (ASHA, SUT cannot run)",
    ]


def test_the_matrix_fits_a_terminal():
    assert max(map(len, matrix.printed(suts.names()).splitlines())) <= 80


def test_the_table_of_the_docs_tells_needs_whatever_is_installed(two):
    assert matrix.table_text(two).splitlines() == [
        "| sampler | some | stranded |",
        "|---|---|---|",
        "| grid | available | not available |",
        "| random | not available | `Rand` |",
        "| tpe | `TPE`, needs no-such-package, pyyaml | not available |",
        "| zoo | `Zoo` | not available |",
        "",
        "| pruner | some | stranded |",
        "|---|---|---|",
        "| none | available | available |",
        "| asha | not available | `ASHA` |",
        "",
        "- stranded, random: A note.",
        "- some, tpe: Not with asha.",
    ]


def test_the_table_in_the_docs_is_that_of_the_code():
    text = DOCUMENT.read_text(encoding="utf-8")
    message = "run `trialwatt suts --write docs/suts.md`"
    made = matrix.table_text(suts.names(own=True))
    assert text == matrix.replaced(text, matrix.BEGIN, matrix.END, made), message


def test_the_command_writes_the_table_and_nothing_else(tmp_path):
    path = tmp_path / "mine.md"
    path.write_text(f"before\n{matrix.BEGIN}\nof last year\n{matrix.END}\nafter\n")
    command = [sys.executable, "-m", "trialwatt.cli", "suts", "--write", str(path)]
    subprocess.run(command, check=True, timeout=300)
    text = path.read_text()
    assert text.startswith(f"before\n{matrix.BEGIN}\n| sampler | ")
    assert text.endswith(f"\n{matrix.END}\nafter\n")
    assert "of last year" not in text
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(TrialwattError, match="no place for the table"):
        matrix.replaced("nothing", matrix.BEGIN, matrix.END, "")


def test_the_command_prints_every_registered_sut():
    command = [sys.executable, "-m", "trialwatt.cli", "suts"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    for name in suts.names():
        assert f"\n{name}" in f"\n{done.stdout}"
    assert "optuna (GridSampler)" in done.stdout


@pytest.mark.parametrize("name", suts.names())
def test_every_strategy_has_a_common_name_and_a_maker(name):
    sut = suts.get(name)
    assert sut.name == name
    assert sut.samplers
    assert "none" in sut.pruners
    for kind, attribute in matrix.KINDS.items():
        strategies = getattr(sut, attribute)
        assert set(strategies) <= set(matrix.ORDER[kind].split())
        other = {n for a in matrix.KINDS.values() if a != attribute for n in getattr(sut, a)}
        for strategy in strategies.values():
            assert callable(strategy.make)
            assert set(strategy.excludes) <= other
            assert strategy.note == "" or strategy.note.endswith(".")


def test_a_strategy_joins_its_defaults_with_what_is_given():
    strategy = Strategy(print, defaults={"patience": 1, "min_delta": 0.0})
    assert strategy.options({"patience": 3}) == {"patience": 3, "min_delta": 0.0}
    assert strategy.options({}) == {"patience": 1, "min_delta": 0.0}
    assert strategy.missing() == []
    assert Strategy(print, needs=("pyyaml", "no-such-package")).missing() == ["no-such-package"]
