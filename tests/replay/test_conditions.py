"""Runs that were measured with other versions, elsewhere or by another power model are named."""

import json

import pandas as pd
import pytest
from benchmarks.synthetic_table import made
from tests.analysis.cost_law import simulated

from trialwatt.errors import TrialwattError
from trialwatt.replay.conditions import of_table, told_apart
from trialwatt.replay.laws import laws_of

TABLE = made()
HOST = {"cores": 4, "memory_mb": 8192, "cpu_model": "Some CPU"}


def measured(root, packages, host=None, model="gcp-median", folders=("runs/here/a/rep1",)):
    """A results folder with the manifests of runs, and the path of its runs table."""
    for folder in folders:
        (root / folder).mkdir(parents=True)
        said = {
            **{"format": 1, "run_id": "x", "hash": "x", "repetition": 1, "folder": folder},
            **{"host": HOST | (host or {}), "packages": packages},
            "config": {"sut": "optuna", "testbed": {"power_model": model}},
        }
        (root / folder / "run.json").write_text(json.dumps(said))
    return root / "metrics" / "own" / "runs.parquet"


def rows(method="modelled"):
    return pd.DataFrame([{"folder": "runs/here/a/rep1", "energy_method": method}])


@pytest.fixture
def own():
    facts = TABLE.facts.model_copy(update={"host": HOST, "packages": {"torch": "2.6.0"}})
    return of_table(facts, {"optuna": "5.0.0", "trialwatt": "1.0"})


def test_what_is_the_same_is_not_told(own, tmp_path):
    file = measured(tmp_path, {"optuna": "5.0.0", "torch": "2.6.0+cpu", "trialwatt": "0.9"})
    assert told_apart(own, file, rows(), "the live searches") == []


@pytest.mark.parametrize(
    ("changed", "method", "said"),
    [
        ({"packages": {"optuna": "4.1.0"}}, "modelled", "optuna 4.1.0 (not 5.0.0)"),
        ({"packages": {"torch": "2.5.0"}}, "modelled", "torch 2.5.0 (not 2.6.0)"),
        ({"packages": {}, "host": {"cores": 8}}, "modelled", "Some CPU, 8 cores (not"),
        ({"packages": {}, "model": "other"}, "modelled", "modelled (other) (not modelled (gcp"),
        ({"packages": {}}, "counter", "energy counter (not modelled"),
    ],
)
def test_what_differs_is_named(own, tmp_path, changed, method, said):
    (found,) = told_apart(own, measured(tmp_path, **changed), rows(method), "the live searches")
    assert found.startswith("the live searches: ") and said in found


def test_records_that_are_gone_tell_nothing(own, tmp_path):
    (found,) = told_apart(own, tmp_path / "metrics/own/runs.parquet", rows(), "the cost of optuna")
    assert "is not known" in found and "run.json" in found


def costs(folder, reporting=((6, 5),), **changed):
    runs = (
        simulated(reporting=reporting)
        .assign(testbed="test", **changed)
        .replace({"sut": {"fw": "optuna"}})
    )
    file = measured(folder, {"optuna": "0.0.1"}, folders=runs["folder"].unique())
    file.parent.mkdir(parents=True)
    runs.to_parquet(file)
    return file


def test_a_law_of_another_version_or_of_other_workers_is_named(tmp_path):
    file = costs(tmp_path, wcpu=2.0)
    found, notes = laws_of(file, TABLE.facts, TABLE.workload, 2)
    assert {law.sut for law in found} == {"optuna"}
    assert any("the cost of optuna: optuna 0.0.1 (not" in note for note in notes)
    assert not any("measured with workers" in note for note in notes)
    _, notes = laws_of(file, TABLE.facts, TABLE.workload, 8)
    assert "the cost of optuna: measured with workers.count 2 (not 8)" in notes
    _, notes = laws_of(file, TABLE.facts, TABLE.workload, 8, "plain")
    assert notes == []


@pytest.mark.parametrize("reporting", [(), ((6, 5),)])
@pytest.mark.parametrize("prunes", [True, False])
def test_a_law_without_reports_is_named_where_a_search_reports(tmp_path, reporting, prunes):
    file = costs(tmp_path, reporting=reporting, wcpu=2.0)
    _, notes = laws_of(file, TABLE.facts, TABLE.workload, 2, prunes=prunes)
    said = "the cost of optuna: nothing for a report (no reports): too little"
    assert (said in notes) == (prunes and not reporting)


def test_of_two_laws_that_of_these_workers_is_taken(tmp_path):
    both = pd.concat([simulated(), simulated(job=400.0).assign(wn=8)])
    both["hash"] = both["hash"] + both["wn"].astype(str)
    both["folder"] = both["folder"] + both["wn"].astype(str)
    file = tmp_path / "metrics" / "own" / "runs.parquet"
    file.parent.mkdir(parents=True)
    both.assign(testbed="test").replace({"sut": {"fw": "optuna"}}).to_parquet(file)
    for count, job in ((2, 40), (8, 400)):
        found, _ = laws_of(file, TABLE.facts, TABLE.workload, count)
        (energy,) = [law for law in found if law.quantity.name == "energy"]
        assert energy.terms["job"].value == pytest.approx(job)


def test_a_law_of_another_testbed_is_refused(tmp_path):
    file = costs(tmp_path)
    elsewhere = TABLE.facts.model_copy(
        update={"config": TABLE.facts.config | {"testbed_name": "elsewhere"}}
    )
    with pytest.raises(TrialwattError, match="no framework's cost on the testbed elsewhere"):
        laws_of(file, elsewhere, TABLE.workload, 2)
