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


WORKERS = 2
STARTED = ("trial", "start")
GROWTH = 5
"""So often a budget is doubled in which, on a slow machine, not one trial comes to its end."""


@pytest.fixture
def job(run_job, tmp_path):
    def run(sut, epochs=4, running="finish", **least):
        if reason := suts.get(sut).available():
            pytest.skip(reason)
        ((limit, amount),) = least.items()
        for power in range(GROWTH):
            budget = {"trials": 50_000, "running": running, limit: amount * 2**power}
            results = tmp_path / f"results{power}"
            search = {"sampler": "random", "budget": budget}
            folder = run_job(results, sut, space=SPACE, search=search, epochs=epochs)
            run = manifest(folder)
            if run["status"] != "infeasible":
                break
        assert run["status"] == "completed", run["reason"]
        (spent,) = [event for event in events(folder) if event["kind"] == "spent"]
        return folder, run, spent

    return run


def started_after(folder, spent):
    """Trials that began after a budget was spent: each worker may have been about to begin one."""
    started = [each for each in events(folder) if (each["kind"], each.get("status")) == STARTED]
    assert started
    return [each["trial"] for each in started if each["m"] > spent["m"]]


@pytest.mark.parametrize("sut", ["plain", "optuna", "ray", "hyperopt"])
def test_every_sut_ends_when_the_time_is_over(job, sut):
    folder, run, spent = job(sut, seconds=8)
    found = trials(folder)
    assert spent["limit"] == "seconds"
    assert 8 <= spent["of"] <= spent["amount"]
    assert 0 < len(found) < 50_000
    assert {each["outcome"] for each in found.values()} == {"completed"}  # what ran was finished
    assert len(started_after(folder, spent)) <= WORKERS
    assert run["best"]["score"] == max(each["scores"]["macro_f1"] for each in found.values())
    assert json.loads((folder / "spent.json").read_text())["limit"] == "seconds"


def test_energy_is_that_of_the_meters(job):
    folder, _, spent = job("plain", kwh=2e-6)
    row = extract_run(folder, PLAIN).run
    job_kwh = row["job_energy_kwh"]
    assert row["ended_by"] == "kwh"
    assert spent["limit"] == "kwh"
    assert spent["of"] <= spent["amount"] < job_kwh  # undeploy and what still ran come on top
    assert len(started_after(folder, spent)) <= WORKERS


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
    assert len(started_after(folder, spent)) <= WORKERS
