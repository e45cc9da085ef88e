"""What a SUT cannot do with is named by file and key when the experiments are planned."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from trialwatt.config.files import plan_of_files
from trialwatt.errors import ConfigError
from trialwatt.suts.hyperopt import Hyperopt

CONFIG = Path(__file__).parents[2] / "config"
EXPERIMENT = {"title": "One", "base": "digits-ff"}
RANDOM = {"search.sampler": "random"}


@pytest.fixture
def project(tmp_path):
    """The shipped configuration with one experiment of these keys and a testbed of others."""
    shutil.copytree(CONFIG, tmp_path / "config")

    def plan(testbed: dict | None = None, settings: dict | None = None, **keys):
        bed = {"meters": ["model"], "allow_oversubscription": True} | (testbed or {})
        for name, data in (
            ("testbeds/mine", bed),
            ("experiments/one", EXPERIMENT | keys),
            (
                "config",
                {"testbed": "mine", "experiments": ["one"], "set": RANDOM | (settings or {})},
            ),
        ):
            (tmp_path / "config" / f"{name}.yaml").write_text(yaml.safe_dump(data))
        return plan_of_files([], root=tmp_path)

    return plan


def said(plan, **keys) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        plan(**keys)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("sut", "package", "command"),
    [
        ("optuna", "optuna", "pip install optuna"),
        ("ray", "ray", "pip install 'ray[tune]'"),
        ("ray", "pyarrow", "pip install 'ray[tune]'"),
        ("hyperopt", "hyperopt", "pip install hyperopt"),
        ("hyperopt", "pyspark", "pip install pyspark"),
    ],
)
def test_a_framework_that_is_not_installed(project, monkeypatch, sut, package, command):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not there
    problem, last = said(project, suts=["plain", sut])
    assert problem.startswith(f"config/experiments/one.yaml: suts[1]: {sut} cannot run here: ")
    assert "not installed" in problem
    assert problem.endswith(command)
    assert last == "1 error; nothing was started."


def test_an_optional_one_is_left_out_and_the_plan_says_why(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    plan = project(suts=["plain"], optional_suts=["optuna"])
    assert {run.sut for run in plan.runs.values()} == {"plain"}
    [left_out] = plan.experiments["one"].unavailable
    assert left_out.sut == "optuna"
    assert "pip install optuna" in left_out.reason


def test_one_that_has_no_room_is_left_out_of_that_treatment_and_the_plan_says_why(project):
    """Ray has services beside its workers, so it needs more cores than the control."""
    cores = len(os.sched_getaffinity(0))
    keys = {
        "testbed": {"allow_oversubscription": False, "service": {"cpu": 0.25}, "cpu_per_vcpu": 1},
        "vary": {"workers.cpu": [0.25, cores]},
        "suts": ["plain"],
        "settings": {"workers.count": 1, "workers.cpu": 0.25},
    }
    plan = project(**keys, optional_suts=["ray"])
    run = {(one.sut, one.workload.workers.cpu) for one in plan.runs.values()}
    assert run == {("plain", 0.25), ("plain", cores), ("ray", 0.25)}
    [left_out] = plan.experiments["one"].unavailable
    assert (left_out.sut, left_out.treatment) == ("ray", f"workers.cpu={cores}")
    assert f"this machine has {cores}" in left_out.reason
    keys["suts"] = ["plain", "ray"]
    problem, _ = said(project, **keys)
    assert problem.startswith("config/experiments/one.yaml: vary.workers.cpu[1]: ray: ")


def test_one_that_has_no_room_for_the_baseline_is_left_out_of_the_experiment(project):
    cores = len(os.sched_getaffinity(0))
    plan = project(
        testbed={"allow_oversubscription": False, "cpu_per_vcpu": 1},
        vary={"epochs": [1, 2]},
        suts=["plain"],
        optional_suts=["ray"],
        settings={"workers.count": 1, "workers.cpu": cores},
    )
    assert {one.sut for one in plan.runs.values()} == {"plain"}
    [left_out] = plan.experiments["one"].unavailable
    assert (left_out.sut, left_out.treatment) == ("ray", None)


@pytest.fixture
def java_11(tmp_path, monkeypatch):
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15'\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    return java


def test_a_java_that_is_too_old(project, java_11):
    problem, _ = said(project, suts=["hyperopt"])
    assert problem.startswith(
        f"config/experiments/one.yaml: suts[0]: hyperopt cannot run here: {java_11} is Java 11,"
        " Spark needs 17: install a full Java 17 or newer"
    )
    plan = project(suts=["plain"], optional_suts=["hyperopt"])
    [left_out] = plan.experiments["one"].unavailable
    assert (left_out.sut, "is Java 11" in left_out.reason) == ("hyperopt", True)


def test_no_java_at_all(project, tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    problem, _ = said(project, suts=["hyperopt"])
    assert "suts[0]: hyperopt cannot run here: java is not on the PATH: install" in problem


@pytest.mark.skipif(bool(Hyperopt.available()), reason=Hyperopt.available())
def test_services_without_the_memory_that_hyperopts_driver_needs(project):
    keys = {"suts": ["plain", "hyperopt"], "testbed": {"service": {"memory_mb": 699}}}
    assert said(project, **keys) == [
        "config/testbeds/mine.yaml: service.memory_mb: hyperopt: the driver needs 700 MB,"
        " for a JVM and Python (got 699)",
        "1 error; nothing was started.",
    ]
    keys["testbed"]["service"]["memory_mb"] = 700
    assert {run.sut for run in project(**keys).runs.values()} == {"plain", "hyperopt"}
