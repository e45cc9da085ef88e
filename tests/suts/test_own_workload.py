"""Workloads by functions of users, those that come as examples: whole jobs of every SUT."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from tests.platforms.apart import Apart
from tests.suts.test_apart import why_not

from trialwatt import platforms, suts
from trialwatt.config.functions import find
from trialwatt.config.models import RunConfig, Testbed, Workload
from trialwatt.config.space import contains
from trialwatt.contract.fixtures import BUSY
from trialwatt.contract.reading import events, manifest, trials
from trialwatt.lifecycle.execute import execute
from trialwatt.suts import postgres
from trialwatt.workload.inputs import take_in

ROOT = Path(__file__).resolve().parents[2]
WORKLOADS = ROOT / "config" / "workloads"


@pytest.fixture
def job(tmp_path, testbed_facts):
    """Run a job of a workload that comes as an example, or of a source; its folder."""

    def run(sut: str, name: str = "breast-cancer", source: str = "", testbed=None, **keys) -> Path:
        data = yaml.safe_load((WORKLOADS / f"{name}.yaml").read_text()) | {"deadline_s": 600}
        root = ROOT
        if source:
            root = tmp_path
            (tmp_path / "own.py").write_text(source)
            data["trial"] = "own:train"
        found = find(data["trial"], root)
        data |= {"trial": found.function} | keys
        workload = Workload.model_validate(data)
        prepared = tmp_path / workload.data
        take_in(found.function, root / found.file, prepared, imports=True)
        bed = {"cpu_per_vcpu": 0.5, "meters": ["model"], "idle_s": 0} | BUSY | (testbed or {})
        config = RunConfig(
            sut=sut,
            workload=workload,
            testbed_name="test",
            testbed=Testbed.model_validate(bed),
            seed=1,
        )
        results = tmp_path / "results"
        return execute(config, 1, str(prepared), str(testbed_facts), str(results))

    return run


def search(sut: str, **keys) -> dict:
    return {"search": {"sampler": "random", "budget": 4} | keys}


@pytest.mark.parametrize("sut", ["plain", "optuna", "ray", "hyperopt"])
def test_an_estimator_of_scikit_learn_under_every_sut(job, sut):
    if reason := suts.get(sut).available():
        pytest.skip(reason)
    folder = job(sut, **search(sut))
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    space = RunConfig.model_validate(run["config"]).workload.space
    assert len(found) == 4 and all(contains(space, each["phi"]) for each in found.values())
    assert {each["outcome"] for each in found.values()} == {"completed"}
    assert all(set(each["scores"]) == {"log_loss", "accuracy"} for each in found.values())
    assert set(run["test"]) == {"log_loss", "accuracy"}
    goal = run["config"]["workload"]["goal"]
    best = max if goal["direction"] == "maximize" else min
    assert run["best"]["score"] == best(e["scores"][goal["score"]] for e in found.values())
    assert run["dataset"] == {
        "name": "forest:train",
        "sha256": run["config"]["workload"]["trial"]["sha256"],
    }
    assert (folder / "function.py").read_bytes() == (WORKLOADS / "forest.py").read_bytes()
    assert not list(folder.glob("best*"))  # a pickle, which no archive is to hold
    assert {"scikit-learn", "joblib"} <= run["packages"].keys() and "torch" not in run["packages"]


def test_its_epochs_are_reported_and_pruned(job):
    options = {"pruner": "median", "pruner_options": {"n_startup_trials": 2, "n_warmup_steps": 0}}
    folder = job("optuna", epochs=6, **search("optuna", budget=10, **options))
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    pruned = [each for each in found.values() if each["outcome"] == "pruned"]
    assert pruned and all(0 < each["epochs"] < 6 for each in pruned)
    steps = {e["step"] for e in events(folder) if e["kind"] == "trial" and e["status"] == "step"}
    assert steps == {"load", "train", "validate"}


GOES_ON = """
def train(phi, data, epochs, seed, report):
    score = report.resumed or 0.0
    for epoch in range(report.after + 1, epochs + 1):
        score += phi["rate"] / epoch
        if report(epoch, {"accuracy": score}):
            break
    return {"accuracy": score}, score

def pause(model, path):
    path.write_text(repr(model))

def resume(path):
    return float(path.read_text())
"""


@pytest.mark.slow
@pytest.mark.skipif(bool(suts.get("ray").available()), reason=suts.get("ray").available())
def test_one_that_pauses_and_goes_on(job):
    options = {"pruner": "hyperband-sync", "pruner_options": {"reduction_factor": 2}, "budget": 6}
    keys = {"space": {"rate": {"low": 0.1, "high": 0.9}}, "goal": {"score": "accuracy"}}
    folder = job("ray", source=GOES_ON, epochs=4, **keys, **search("ray", **options))
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    assert any("resumes" in each for each in found.values())
    for each in found.values():
        parts = [each["phi"]["rate"] / epoch for epoch in range(1, each["epochs"] + 1)]
        assert each["scores"] == {"accuracy": sum(parts)}


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize("sut", ["plain", "optuna", "ray", "hyperopt"])
def test_its_module_travels_to_places_that_share_nothing(job, sut, monkeypatch):
    if reason := suts.get(sut).available() or (sut == "optuna" and postgres.problem()):
        pytest.skip(reason)
    monkeypatch.setattr(platforms, "get", lambda name: Apart)
    bed = {"storage": {"postgres": "service"}} if sut == "optuna" else {}
    run = manifest(job(sut, testbed=bed, **search(sut)))
    assert run["status"] == "completed", run["reason"]
    assert run["test"]


def test_a_regression_in_torch_whose_error_is_to_be_small(job):
    folder = job("plain", "diabetes", **search("plain"))
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    assert run["best"]["score"] == min(each["scores"]["rmse"] for each in found.values())
    assert 40 < run["test"]["rmse"] < 200
    assert "torch" in run["packages"]


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_boosted_trees_where_they_are_installed(job, library):
    if find_spec(library) is None:
        pytest.skip(f"needs {library}: pip install {library}")
    space = yaml.safe_load((WORKLOADS / "boosting.yaml").read_text())["space"]
    space = {
        name: axis
        for name, axis in space.items()
        if library in axis.get("when", {"library": library})["library"]
    }
    space = space | {"library": {"choices": [library]}}
    run = manifest(job("plain", "boosting", space=space, epochs=3, **search("plain")))
    assert run["status"] == "completed", run["reason"]
    assert run["test"] is None and run["best"]["score"] > 0.5
    assert library in run["packages"]


FAILS = """
import random

def train(phi, data, epochs, seed, report):
    if phi["trees"] % 2:
        raise RuntimeError("odd")
    return {"log_loss": 0.5, "accuracy": 0.5}
"""


def test_a_trial_that_fails_says_where_and_the_job_goes_on(job):
    space = {"trees": {"choices": [1, 2, 3, 4]}}
    grid = {"search": {"sampler": "grid"}}
    found = trials(job("plain", source=FAILS, space=space, **grid))
    assert [e["detail"] for e in found.values() if e["outcome"] == "failed"] == [
        "own.py:6: RuntimeError: odd"
    ] * 2
    assert len([e for e in found.values() if e["outcome"] == "completed"]) == 2


def test_one_whose_module_no_worker_can_import_ends_the_run_with_its_sentence(job, monkeypatch):
    source = "import os\nassert 'TRIALWATT_JOB' not in os.environ, 'not here'\n" + FAILS
    assert "TRIALWATT_JOB" not in os.environ
    with pytest.raises(Exception, match=r"own\.py:2: cannot be imported: AssertionError: not here"):
        job("plain", source=source, space={"trees": {"choices": [1, 2]}}, **search("plain"))
