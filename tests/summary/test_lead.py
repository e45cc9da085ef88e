"""Each section begins with the answer to its question, or with what is missing for one."""

import re
from pathlib import Path

import pandas as pd
import pytest
from tests.figures.conftest import synthetic
from tests.figures.synthetic_search import search_tables

from trialwatt.figures.best import best_table
from trialwatt.figures.products import sections
from trialwatt.figures.tables import results_table
from trialwatt.provenance.plans import read_plan
from trialwatt.summary.experiment import read_summary
from trialwatt.summary.lead import _second, lead

REFERENCE = Path(__file__).resolve().parents[2] / "results/reference/results"
FLAG = "foreign CPU time 51% of the machine (over 5%)"
END = {
    **{"sut": "plain", "sampler": "grid", "testbed": "local", "state": "converged"},
    **{"converged_value": 2.0, "low": 2.0, "high": 4.0, "reason": "2 is it"},
}


def said(runs: pd.DataFrame, ends=(), unavailable=()) -> str:
    return lead(runs, results_table(runs), best_table(runs), ends, unavailable)


@pytest.mark.parametrize("section", sections(read_plan(REFERENCE)), ids=lambda one: one["id"])
def test_every_section_of_the_reference_begins_with_one(section):
    told = read_summary(REFERENCE, section).lead
    assert re.search(r"(With \d+ blocks on|Nothing is (compared|known):) .*\.$", told)


def test_a_resource_experiment_tells_knee_and_least_energy():
    runs, _ = synthetic(repetitions=5)
    open_end = END | {"sut": "optuna", "state": "undecided", "converged_value": None}
    told = said(runs, [END, open_end])
    assert told.startswith("With 5 blocks on local, the knee of plain is at 2 workers ")
    assert "(90 % interval 2 to 4); the knee of optuna is undecided: 2 is it; " in told
    best = best_table(runs)
    assert f"energy per completed trial is least for plain under {best_of(best, 'plain')}" in told
    assert f"; for optuna under {best_of(best, 'optuna')}, at " in told and "modelled" in told


def best_of(best: pd.DataFrame, sut: str) -> str:
    return best.set_index("sut").loc[sut, "best_treatment"]


def test_a_search_experiment_tells_the_least_energy_to_the_goal():
    runs, _, _ = search_tables("s-sam", repetitions=5)
    told = said(runs)
    assert told.startswith("With 5 blocks on local, energy until the goal was reached is least for")
    assert all(f"for {sut} under " in told for sut in ("plain", "optuna", "ray", "hyperopt"))


def test_the_baseline_tells_what_a_framework_costs():
    runs, _ = synthetic(values=(4,), repetitions=5)
    runs = runs.assign(varied="", treatment="baseline", treatment_value=float("nan"))
    told = said(runs)
    assert " for plain and " in told and "a job of optuna (grid) needs 1.1" in told


@pytest.mark.parametrize("repetitions", [1, 4])
def test_fewer_than_five_blocks_answer_nothing(repetitions):
    runs, _ = synthetic(repetitions=repetitions)
    assert said(runs, [END]) == (
        f"Nothing is compared: there are {repetitions} of the 5 blocks that it takes (on local)."
    )


def test_flagged_runs_are_said_first_and_why_where_all_are():
    runs, _ = synthetic(repetitions=5)
    before = said(runs)
    runs["flags"] = ""
    runs.loc[runs.index[0], "flags"] = FLAG
    assert said(runs) == f"Flagged: 1 of {len(runs)} runs (report.html lists them). {before}"
    runs["flags"] = FLAG
    kind = f"foreign CPU time up to 51% of the machine (over 5%): {len(runs)}"
    assert f"(report.html lists them). All are, for: {kind}. {before}" in said(runs)


def test_what_is_missing_is_said():
    runs, _ = synthetic(column="accelerator", values=("cpu",), repetitions=5)
    gone = {"sut": None, "treatment": "workers.accelerator=gpu", "reason": "no GPU"}
    assert said(runs, [], [gone]) == (
        "Nothing is compared: all completed runs are under one treatment, cpu (not available: gpu)."
    )
    assert said(runs.iloc[:0], [], [gone]).startswith("This experiment has no runs yet. Not avail")
    failed = "Nothing is known: no run of this experiment was completed."
    assert said(runs.assign(status="failed")) == failed


@pytest.mark.parametrize(
    ("second", "overlaps", "tail"),
    [
        (None, None, ""),
        (float("nan"), None, ""),
        ("tpe", False, ""),
        ("tpe", True, ", not clear of tpe"),
        ("tpe", None, ", not known to be clear of tpe"),  # one of the two missed the goal
    ],
)
def test_a_least_is_told_with_what_it_is_not_clear_of(second, overlaps, tail):
    assert _second({"second_treatment": second, "overlaps": overlaps}) == tail
