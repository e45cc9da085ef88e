"""Whole runs that are interrupted, starved or out of disk (tests/contract has the usual ones)."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from trialwatt.contract.reading import manifest, trials
from trialwatt.errors import TrialwattError


@pytest.fixture
def our_processes(tmp_path):
    """The processes of this test's runs that live at the moment of the call."""

    def find() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TRIALWATT_JOB", "").startswith(str(tmp_path)):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    return find


def test_workers_without_memory_for_a_trial_are_infeasible_with_that_reason(job, our_processes):
    folder = job(workers={"count": 1, "cpu": 2, "memory_mb": 100})
    run = manifest(folder)
    assert run["status"] == "infeasible"
    assert "killed for memory" in run["reason"]
    failed = trials(folder).values()
    assert failed and {(t["outcome"], t["reason"]) for t in failed} == {("failed", "memory")}
    assert not our_processes()


def test_a_folder_for_half_written_runs_that_is_a_link_is_not_used(job, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "results" / ".partial"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrialwattError, match="is a link: remove it; nothing was started"):
        job()
    assert not list((tmp_path / "elsewhere").iterdir())


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
def coordinator(tmp_path, digits, testbed_facts, run_config, our_processes):
    """A coordinator in a process of its own, with a job that takes long; waits for its workers."""
    config = run_config(epochs=100_000)
    log = tmp_path / "coordinator.log"
    arguments = [config.model_dump_json(), str(log), str(digits), str(testbed_facts)]
    process = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, *arguments, str(tmp_path / "results")],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300  # another measuring run may hold the machine
    try:
        while len(our_processes()) < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_is_gone_within_10_s_and_keeps_nothing(
    coordinator, tmp_path, number, our_processes
):
    began = time.monotonic()
    coordinator.send_signal(number)
    _, said = coordinator.communicate(timeout=120)
    assert time.monotonic() - began < 10
    assert coordinator.returncode == 128 + number
    assert "interrupted" in said
    assert not our_processes()
    assert not list((tmp_path / "results" / ".partial").iterdir())
    assert not (tmp_path / "results" / "runs").exists()


def test_after_a_sigkill_the_next_run_removes_what_was_left(
    coordinator, tmp_path, job, capfd, our_processes
):
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


def test_a_disk_that_fills_up_ends_the_run_and_undeploys(job, tmp_path, monkeypatch, our_processes):
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


def test_the_clocks_on_record_are_those_of_the_end_of_undeploy(job, monkeypatch):
    from trialwatt.platforms.local import LocalPlatform

    monkeypatch.setattr(
        LocalPlatform, "clock_facts", lambda platform: {"measured_last": platform._removed}
    )
    assert manifest(job())["clock"]["measured_last"] is True


def test_a_profile_that_the_machine_cannot_serve_is_refused_before_the_run(job, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(TrialwattError, match=r"CUDA.*nothing was started"):
        job(workers={"count": 1, "cpu": 2, "memory_mb": 1024, "accelerator": "gpu"})
    assert not (tmp_path / "results" / "runs").exists()


def test_a_prepared_dataset_that_has_changed_is_refused(
    tmp_path, digits, testbed_facts, run_config
):
    from trialwatt.lifecycle.execute import execute

    changed = tmp_path / "digits.safetensors"
    data = bytearray(digits.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    with pytest.raises(TrialwattError, match="checksum is wrong"):
        execute(run_config(), 1, str(changed), str(testbed_facts), str(tmp_path / "results"))
