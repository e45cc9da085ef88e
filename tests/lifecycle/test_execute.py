"""Whole runs of each SUT: what they record, what they leave, and how they end."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from tests.lifecycle.reading import events, manifest, trials

from trialwatt.config.space import grid
from trialwatt.errors import TrialwattError
from trialwatt.records.manifest import checksums

SUTS = ["plain", "optuna"]
STEPS = ["deploy", "setup", "trials", "collect", "test", "metrics", "undeploy"]


def our_processes():
    found = []
    for process in psutil.process_iter():
        try:
            if "trialwatt.lifecycle.worker" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("sut", SUTS)
def test_a_whole_run(job, sut, run_config, tmp_path):
    folder = job(sut)
    run = manifest(folder)
    assert run["status"] == "completed", run["reason"]
    steps = [(e["step"], e["status"]) for e in events(folder) if e["kind"] == "step"]
    assert steps == [(step, status) for step in STEPS for status in ("start", "end")]

    found = trials(folder)
    space = run_config(sut).workload.space
    assert sorted(json.dumps(t["phi"], sort_keys=True) for t in found.values()) == sorted(
        json.dumps(phi, sort_keys=True) for phi in grid(space)
    )
    assert {t["outcome"] for t in found.values()} == {"completed"}
    assert {t["trial"].split("/")[0] for t in found.values()} == {"worker-0", "worker-1"}
    assert run["best"]["score"] == max(t["scores"]["macro_f1"] for t in found.values())
    assert found[run["best"]["trial"]]["phi"] == run["best"]["phi"]
    assert 0 < run["test"]["macro_f1"] <= 1

    assert run["files"] == checksums(folder)
    assert (folder / "samples" / "usage.csv").stat().st_size > 0
    assert not our_processes()
    assert not list((tmp_path / "results" / ".partial").iterdir())


@pytest.mark.parametrize("sut", SUTS)
def test_the_same_seed_finds_the_same_scores_under_every_sut(job, sut):
    def scores(name):
        return sorted(
            (json.dumps(t["phi"], sort_keys=True), t["scores"]["macro_f1"])
            for t in trials(job(name)).values()
        )

    assert scores("plain") == scores(sut)


def test_workers_without_memory_for_a_trial_are_infeasible_with_that_reason(job):
    folder = job(workers={"count": 1, "cpu": 2, "memory_mb": 100})
    run = manifest(folder)
    assert run["status"] == "infeasible"
    assert "killed for memory" in run["reason"]
    failed = trials(folder).values()
    assert failed and {(t["outcome"], t["reason"]) for t in failed} == {("failed", "memory")}
    assert not our_processes()


def test_workers_without_memory_to_start_are_infeasible(job):
    folder = job(workers={"count": 1, "cpu": 2, "memory_mb": 64}, sut="optuna")
    run = manifest(folder)
    assert run["status"] == "infeasible"
    assert "memory" in run["reason"]


def test_a_job_ends_by_its_deadline(job):
    began = time.monotonic()
    folder = job(deadline_s=6, epochs=100_000)
    run = manifest(folder)
    assert run["status"] == "deadline"
    assert time.monotonic() - began < 6 + 5
    reasons = {(t["outcome"], t["reason"]) for t in trials(folder).values()}
    assert reasons == {("failed", "deadline")}
    assert not our_processes()


@pytest.mark.parametrize("sut", SUTS)
def test_a_worker_killed_in_a_trial_is_recorded_replaced_and_the_job_ends(job, sut):
    killed = []

    def kill_one():
        """A thread that kills the first worker that is in the middle of a training."""
        import threading

        def watch():
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not killed:
                for process in our_processes():
                    if process.cpu_times().user > 2.5:
                        process.kill()
                        killed.append(process.pid)
                        return
                time.sleep(0.02)

        threading.Thread(target=watch, daemon=True).start()

    kill_one()
    folder = job(sut, epochs=60)
    assert killed
    run = manifest(folder)
    assert run["status"] == "completed", run["reason"]
    found = trials(folder)
    lost = [t for t in found.values() if t["outcome"] == "failed"]
    assert [(t["reason"], t["who"]) for t in lost] == [("lost", "harness")]
    assert len(found) == 4
    completed = [t["scores"]["macro_f1"] for t in found.values() if t["outcome"] == "completed"]
    assert run["best"]["score"] == max(completed)
    assert any(e["kind"] == "note" and "replaced" in e["text"] for e in events(folder))


COORDINATOR = textwrap.dedent(
    """
    import sys
    from trialwatt.config.models import RunConfig
    from trialwatt.lifecycle.execute import execute
    from trialwatt.lifecycle.script import user_errors
    with user_errors(sys.argv[2]):
        execute(RunConfig.model_validate_json(sys.argv[1]), 1, *sys.argv[3:])
    """
)


@pytest.fixture
def coordinator(tmp_path, digits, testbed_facts, run_config):
    """A coordinator in a process of its own, with a job that takes long; waits for its workers."""
    config = run_config(epochs=100_000)
    log = tmp_path / "coordinator.log"
    arguments = [config.model_dump_json(), str(log), str(digits), str(testbed_facts)]
    process = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, *arguments, str(tmp_path / "results")],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while len(our_processes()) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_is_gone_within_10_s_and_keeps_nothing(coordinator, tmp_path, number):
    began = time.monotonic()
    coordinator.send_signal(number)
    _, said = coordinator.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert coordinator.returncode == 128 + number
    assert "interrupted" in said
    assert not our_processes()
    assert not list((tmp_path / "results" / ".partial").iterdir())
    assert not (tmp_path / "results" / "runs").exists()


def test_after_a_sigkill_the_next_run_removes_what_was_left(coordinator, tmp_path, job, capfd):
    os.kill(coordinator.pid, signal.SIGKILL)
    coordinator.wait()
    assert list((tmp_path / "results" / ".partial").iterdir())
    folder = job(repetition=2)
    assert manifest(folder)["status"] == "completed"
    assert "half-written records" in capfd.readouterr().err
    assert not our_processes()
    assert not list((tmp_path / "results" / ".partial").iterdir())


def test_a_disk_without_space_is_refused_before_anything_starts(job, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr(
        shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9 - 1, 1)
    )
    with pytest.raises(TrialwattError, match="only 0 MB are free"):
        job()
    assert not (tmp_path / "results" / "runs").exists()


def test_a_disk_that_fills_up_ends_the_run_and_undeploys(job, tmp_path, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    from trialwatt.lifecycle import execute

    results = tmp_path / "results"
    results.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", results], check=True)
    monkeypatch.setattr(execute, "SPARE_BYTES", 0)
    try:
        with pytest.raises((TrialwattError, OSError)) as failure:
            job(epochs=20)
    finally:
        subprocess.run(["umount", "-l", results], check=True)
    assert "space" in str(failure.value).lower()
    assert not our_processes()
