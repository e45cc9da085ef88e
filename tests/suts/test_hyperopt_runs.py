"""Whole jobs on a real Spark cluster of this machine."""

import threading
import time
from pathlib import Path

import psutil
import pytest

from trialwatt.contract.reading import events, manifest, trials
from trialwatt.suts import hyperopt
from trialwatt.suts.hyperopt import Hyperopt

pytestmark = pytest.mark.skipif(bool(Hyperopt.available()), reason=Hyperopt.available())

TOO_MUCH = 1_000_000
"""Units of a layer whose weights, gradients and moments do not fit the worker of these tests."""
SPACE = {
    "lr": {"choices": [0.001, 0.01]},
    "decay": {"low": 1e-6, "high": 1e-4, "log": True},
    "ls": {"choices": [16, TOO_MUCH]},
    "ln": {"choices": [1]},
}
JOB = {
    "search": {"sampler": "random", "budget": 4},
    "space": SPACE,
    "workers": {"count": 2, "cpu": 2, "memory_mb": 1024},
    "testbed": {"cpu_per_vcpu": 0.5},
    "deadline_s": 400,
}


def processes_of(run_id: str) -> list[list[str]]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TRIALWATT_RUN") == run_id:
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def daemon(run_id: str, component: str) -> psutil.Process:
    """The Spark worker that is this component of this run."""
    for process in psutil.process_iter():
        try:
            if "org.apache.spark.deploy.worker.Worker" in process.cmdline():
                variables = process.environ()
                if (variables["TRIALWATT_RUN"], variables["TRIALWATT_COMPONENT"]) == (
                    run_id,
                    component,
                ):
                    return process
        except psutil.Error:
            continue
    raise AssertionError(f"{component} is not running")


@pytest.mark.slow  # a whole job; the contract has one with a trial that needs too much memory
def test_a_job_in_which_one_trial_takes_too_much_memory(run_job, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.chdir(temporary)  # nothing is left where it was started, either
    folder = run_job(tmp_path / "my results", "hyperopt", **JOB)
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]

    assert sorted(t["number"] for t in found.values()) == [0, 1, 2, 3]
    assert {t["trial"].split("/")[0] for t in found.values()} == {"worker-0", "worker-1"}
    greedy = [t for t in found.values() if t["phi"]["ls"] == TOO_MUCH]
    modest = [t for t in found.values() if t["phi"]["ls"] != TOO_MUCH]
    assert greedy and modest  # by the seed
    assert {(t["outcome"], t["reason"], t["who"]) for t in greedy} == {
        ("failed", "memory", "harness")
    }
    assert {t["detail"] for t in greedy} <= {
        f"the trial's process was killed for memory; worker-{index} lives on" for index in (0, 1)
    }
    assert {t["outcome"] for t in modest} == {"completed"}
    assert run["best"]["score"] == max(t["scores"]["macro_f1"] for t in modest)
    assert found[run["best"]["trial"]]["phi"] == run["best"]["phi"]
    assert 0 < run["test"]["macro_f1"] <= 1
    _one_at_a_time_and_in_steps(folder, modest)

    assert not processes_of(run["run_id"])
    assert not (folder / "sut.zst").exists()
    assert not list(temporary.iterdir())
    assert not list((tmp_path / "my results" / ".partial").iterdir())


def _one_at_a_time_and_in_steps(folder: Path, completed: list[dict]) -> None:
    lines = [e for e in events(folder) if e["kind"] == "trial"]
    for worker in ("worker-0", "worker-1"):
        running = 0
        for line in lines:
            if line["trial"].startswith(worker):
                running += {"start": 1, "step": 0, "end": -1}[line["status"]]
                assert running in (0, 1)
    for trial in completed:
        steps = [e for e in lines if e["trial"] == trial["trial"] and e["status"] != "end"]
        assert [e["step"] for e in steps] == ["import", "load", "train", "validate"]
        # from the dispatch on: Spark starts a process and torch is imported
        assert steps[1]["m"] - steps[0]["m"] > 0.5e9


def test_workers_too_small_for_the_heaps_end_the_run_before_they_start(run_job, tmp_path):
    workers = {"count": 1, "cpu": 2, "memory_mb": 500}
    folder = run_job(tmp_path / "results", "hyperopt", **(JOB | {"workers": workers}))
    run = manifest(folder)
    assert run["status"] == "infeasible"
    assert "heaps" in run["reason"]
    assert not any(e.get("component") == "worker-0" for e in events(folder))


@pytest.mark.slow
def test_an_executor_that_cannot_start_ends_the_run_as_infeasible(run_job, tmp_path, monkeypatch):
    # A heap that is enough for Spark's check of the setting, and too small in the executor.
    monkeypatch.setattr(hyperopt, "_heap_mb", lambda job: 455)
    patch = "import trialwatt.suts.hyperopt as module; module._heap_mb = lambda job: 455\n"
    (tmp_path / "sitecustomize.py").write_text(patch)  # in the driver's process
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    folder = run_job(tmp_path / "results", "hyperopt", **JOB)
    run = manifest(folder)
    assert run["status"] == "infeasible"
    assert "executor of a worker has died or failed to start 2 times" in run["reason"]
    assert "memory" in run["reason"]
    seconds = (run["ended_utc_ns"] - run["started_utc_ns"]) / 1e9
    assert seconds < JOB["deadline_s"] / 3
    assert not trials(folder)


@pytest.mark.slow
def test_a_worker_killed_in_a_trial_is_replaced_and_its_trial_repeated_by_spark(run_job, tmp_path):
    killed = []

    def kill_a_worker_that_trains():
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and not killed:
            for path in (tmp_path / "results" / ".partial").glob("*/records/worker-*.jsonl"):
                if '"train"' in path.read_text():
                    run_id, component = path.parts[-3], path.stem
                    daemon(run_id, component).kill()
                    killed.append(component)
                    return
            time.sleep(0.05)

    threading.Thread(target=kill_a_worker_that_trains, daemon=True).start()
    small = {"ls": {"choices": [16]}}
    folder = run_job(
        tmp_path / "results", "hyperopt", **(JOB | {"space": SPACE | small, "epochs": 150})
    )
    run, found = manifest(folder), trials(folder)
    assert killed
    assert run["status"] == "completed", run["reason"]
    [lost] = [t for t in found.values() if t["outcome"] == "failed"]
    assert (lost["reason"], lost["trial"].split("/")[0]) == ("lost", killed[0])
    [again] = [
        t for t in found.values() if t["number"] == lost["number"] and t["outcome"] == "completed"
    ]
    assert again["phi"] == lost["phi"]
    assert {t["number"] for t in found.values()} == {0, 1, 2, 3}
    _one_at_a_time_and_in_steps(folder, [])
    assert any(e["kind"] == "note" and "replaced" in e["text"] for e in events(folder))
    assert run["best"]["score"] == max(
        t["scores"]["macro_f1"] for t in found.values() if t["outcome"] == "completed"
    )
