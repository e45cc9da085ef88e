"""docs/repeatability.py: what it tells of its file of runs."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def module(monkeypatch):
    spec = importlib.util.spec_from_file_location("repeatability", ROOT / "docs/repeatability.py")
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, made)  # where a dataclass looks for its types
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def runs(module):
    one = module.Run(
        sut="plain",
        sampler="grid",
        trials=6,
        phis="a",
        ordered="b",
        scores="c",
        winner="d",
        jct_s=2.0,
        energy_mwh=1.0,
        method="modelled",
        foreign=0.01,
        cores=2,
    )
    return [one] * module.OFTEN


def rows(module, runs) -> list[str]:
    return [line for line in module.page(runs).splitlines() if line.startswith("| plain")]


def test_what_is_the_same_in_all_runs_repeats_itself_and_has_no_spread(module, runs):
    repeated, apart = rows(module, runs)
    assert repeated == "| plain | grid | 5 | 6 | yes | yes | yes |"
    assert apart == "| plain | grid | 5 | 2 | 0.0 | 0.0 | 1 | 0.0 | 0.0 | 1.0 to 1.0 | quiet |"


def test_one_run_that_differs_is_told(module, runs):
    runs[-1] = replace(runs[-1], ordered="other", scores="other", jct_s=3.0, foreign=0.2)
    repeated, apart = rows(module, runs)
    assert repeated == "| plain | grid | 5 | 6 | the same, in another order | no | yes |"
    assert "| 20.3 | 50.0 |" in apart and apart.endswith("| not quiet in 1 of 5 runs |")
    runs[-1] = replace(runs[-1], phis="other")
    assert "| 6 | no | no | yes |" in rows(module, runs)[0]


def test_of_few_runs_no_spread_is_told(module, runs):
    assert len(rows(module, runs[:2])) == 1


def test_the_page_is_that_of_its_file(module):
    if not module.FILE.exists():
        pytest.skip("there is no file of runs here")
    text = module.PAGE.read_text(encoding="utf-8")
    assert text == module.page(module.read(module.FILE)), "run `python docs/repeatability.py`"
