"""A search that may spend so much: ended by the harness under every SUT, and on record."""

import json

import pytest
from tests.contexts import PLAIN
from tests.platforms.apart import Apart
from tests.suts.test_apart import why_not

from trialwatt import platforms, suts
from trialwatt.contract.reading import events, manifest, trials
from trialwatt.metrics.extract import extract_run

SPACE = {
    "lr": {"low": 1e-4, "high": 1e-2, "log": True},
    "decay": {"choices": [0.0]},
    "ls": {"choices": [32]},
    "ln": {"choices": [1]},
}


@pytest.fixture
def job(run_job, tmp_path):
    def run(sut, epochs=4, **budget):
        if reason := suts.get(sut).available():
            pytest.skip(reason)
        search = {"sampler": "random", "budget": {"trials": 50_000} | budget}
        folder = run_job(tmp_path / "results", sut, space=SPACE, search=search, epochs=epochs)
        run = manifest(folder)
        assert run["status"] == "completed", run["reason"]
        (spent,) = [event for event in events(folder) if event["kind"] == "spent"]
        return folder, run, spent

    return run


@pytest.mark.parametrize("sut", ["plain", "optuna", "ray", "hyperopt"])
def test_every_sut_ends_when_the_time_is_over(job, sut):
    folder, run, spent = job(sut, seconds=8)
    found = trials(folder)
    assert (spent["limit"], spent["of"]) == ("seconds", 8)
    assert 8 <= spent["amount"] < 9.5
    assert 0 < len(found) < 50_000
    assert {each["outcome"] for each in found.values()} == {"completed"}  # what ran was finished
    assert not [t for t in found.values() if t["status"] == "start" and t["m"] > spent["m"]]
    assert run["best"]["score"] == max(each["scores"]["macro_f1"] for each in found.values())
    assert json.loads((folder / "spent.json").read_text())["limit"] == "seconds"


def test_energy_is_that_of_the_meters(job):
    folder, _, spent = job("plain", kwh=2e-6)
    row = extract_run(folder, PLAIN).run
    job_kwh = row["job_energy_kwh"]
    assert row["ended_by"] == "kwh"
    assert (spent["limit"], spent["of"]) == ("kwh", 2e-6)
    assert spent["of"] <= spent["amount"] < job_kwh  # undeploy and what still ran come on top
    assert job_kwh < 4 * spent["of"]


def test_what_runs_can_be_stopped_after_its_epoch(job):
    folder, _, _ = job("optuna", epochs=300, seconds=12, running="prune")
    cut = [t for t in trials(folder).values() if t["outcome"] == "pruned"]
    assert cut and all((t["reason"], t["epochs"] < 300) == ("budget", True) for t in cut)


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize("sut", ["plain", "hyperopt", "ray"])
def test_it_is_told_to_places_that_share_nothing(job, sut, monkeypatch):
    monkeypatch.setattr(platforms, "get", lambda name: Apart)
    folder, _, spent = job(sut, seconds=10)
    found = trials(folder)
    assert 0 < len(found) < 50_000
    assert not [t for t in found.values() if t["status"] == "start" and t["m"] > spent["m"]]
