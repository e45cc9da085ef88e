"""The set-up is what the manifests say, all of them."""

import json

import pytest
from tests.figures.conftest import synthetic, write_project

from trialwatt.errors import TrialwattError
from trialwatt.paper.setup import setup


@pytest.fixture
def project(tmp_path):
    runs, trials = synthetic(values=(1, 4), repetitions=2)
    return write_project(tmp_path, runs, trials).results, runs


def rows(results, runs) -> dict[str, str]:
    return dict(setup(results, runs)["rows"])


def test_values_of_all_runs(project):
    found = rows(*project)
    assert found["Machine"] == "Synthetic CPU, 2 cores, 8,000 MB, Linux 6.1"
    assert found["Workers"] == "1, 4" and found["Dataset"] == "digits"
    assert found["Software"] == "optuna 5.0.0, torch 2.13.0"
    assert found["Carbon"].endswith("475 gCO₂eq/kWh; PUE not recorded")


def test_the_goal_in_its_direction(project):
    results, runs = project
    for number, folder in enumerate(runs["folder"]):
        file = results / folder / "run.json"
        manifest = json.loads(file.read_text())
        goal = {"score": "loss", "direction": "minimize"} if number else {"score": "accuracy"}
        manifest["config"].setdefault("workload", {})["goal"] = goal
        file.write_text(json.dumps(manifest))
    assert rows(results, runs)["Goal (validation)"] == "accuracy, no target; loss, no target"
    runs["goal_target"] = [0.9] + [0.25] * (len(runs) - 1)
    assert rows(results, runs)["Goal (validation)"] == "accuracy ≥ 0.9; loss ≤ 0.25"


def test_another_host_is_another_platform(project):
    results, runs = project
    assert setup(results, runs)["one_platform"]
    file = results / runs["folder"].iloc[0] / "run.json"
    manifest = json.loads(file.read_text())
    manifest["host"] = {"cpu_model": "Other CPU", "cores": 64, "name_hash": "other"}
    file.write_text(json.dumps(manifest))
    found = setup(results, runs)
    assert not found["one_platform"]
    assert "Other CPU, 64 cores" in found["machine"] and "Synthetic CPU" in found["machine"]


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_manifest_that_cannot_be_read_is_named(project, content):
    results, runs = project
    file = results / runs["folder"].iloc[0] / "run.json"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(TrialwattError, match=r"run\.json: .*damaged"):
        setup(results, runs)
