"""Before a run: others are waited for, named, and refused or put on record. Real processes."""

import contextlib
import os
import re
import subprocess
import sys
import threading

import psutil
import pytest

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle import quiet
from trialwatt.meters.machine import Machine
from trialwatt.platforms.processes import WORKFLOW_PID

BURN = "import time\nwhile time.process_time() < 300: pass"


@contextlib.contextmanager
def somebody_elses():
    """A process that burns a core and is no child of this one."""
    code = (
        "import subprocess, sys\n"
        "nowhere = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}\n"
        f"child = subprocess.Popen([sys.executable, '-c', {BURN!r}], **nowhere)\n"
        "print(child.pid)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    process = psutil.Process(int(told.stdout))
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


class MachineOf(Machine):
    """A machine of one core on which nothing runs but some processes, and that is never stolen."""

    def __init__(self, *processes: psutil.Process):
        super().__init__()
        self.cores, self._processes, self._busy = 1, processes, 0

    def busy_ns(self):
        with contextlib.suppress(psutil.NoSuchProcess):
            self._busy = round(sum(sum(p.cpu_times()[:4]) for p in self._processes) * 1e9)
        return self._busy

    def stolen_ns(self):
        return 0


@pytest.fixture
def burner(monkeypatch):
    """On a machine that has nothing else to do, all of whose busy processes are named."""
    with somebody_elses() as process:
        monkeypatch.setattr(quiet, "Machine", lambda: MachineOf(process))
        monkeypatch.setattr(quiet, "WINDOW_S", 0.3)
        monkeypatch.setattr(quiet, "NAMED", 1000)
        yield process


def bed(**keys) -> Testbed:
    return Testbed.model_validate(keys)


class Heard:
    """A stderr that tells when something was written."""

    def __init__(self, found: list, told: threading.Event):
        self._found, self._told = found, told

    def write(self, text):
        self._found.append(text)
        self._told.set()

    def flush(self): ...


def test_it_waits_until_the_busy_process_has_ended(burner, monkeypatch):
    """It has said for whom it waits before that process is ended, and ends thereupon."""
    found, told = [], threading.Event()
    monkeypatch.setattr(sys, "stderr", Heard(found, told))
    waiter = threading.Thread(target=lambda: found.append(quiet.wait_until_quiet(bed(), "lab")))
    waiter.start()
    try:
        assert told.wait(60) and waiter.is_alive()
    finally:
        burner.kill()
    waiter.join(60)
    assert not waiter.is_alive()
    assert found[-1] == ""
    assert found[0].startswith("waiting (")
    assert f"(process {burner.pid} of user {psutil.Process().username()}, " in found[0]


def test_after_that_time_it_refuses_and_names_who_is_busy(burner):
    with pytest.raises(TrialwattError) as caught:
        quiet.wait_until_quiet(bed(quiet_wait_s=0), "lab")
    said = str(caught.value)
    assert re.match(r"the machine is busy: others take \d+% of its CPU time: ", said)
    assert f"(process {burner.pid} of user {psutil.Process().username()}, " in said
    assert "nothing was started" in said
    assert "config/testbeds/lab.yaml, raise quiet_wait_s, or set allow_busy_machine: true" in said


@pytest.mark.parametrize("beside", [False, True])
def test_where_that_is_allowed_it_says_so_on_the_record_and_names_nobody(burner, beside, capfd):
    found = quiet.wait_until_quiet(
        bed(quiet_wait_s=0.01, allow_busy_machine=not beside), "lab", beside
    )
    assert re.fullmatch(
        r"started on a busy machine \(foreign CPU time \d+%\), as was allowed", found
    )
    assert f"process {burner.pid}" in capfd.readouterr().err


def test_without_time_to_spend_nothing_is_looked_at(monkeypatch):
    monkeypatch.setattr(quiet, "foreign_now", lambda: pytest.fail("it looked"))
    assert quiet.wait_until_quiet(bed(quiet_wait_s=0, allow_busy_machine=True), "lab") == ""
    cluster = bed(platform="kubernetes", kubernetes={"image": "x:1"})
    assert quiet.wait_until_quiet(cluster, "k8s") == ""


def test_what_this_process_and_its_children_use_is_not_foreign(monkeypatch):
    with subprocess.Popen([sys.executable, "-c", BURN]) as child:
        try:
            own = psutil.Process()
            machine = MachineOf(own, psutil.Process(child.pid))
            monkeypatch.setattr(machine, "close", lambda: None)
            monkeypatch.setattr(quiet, "Machine", lambda: machine)
            monkeypatch.setattr(quiet, "WINDOW_S", 0.5)
            assert quiet.wait_until_quiet(bed(quiet_wait_s=0), "lab") == ""
            assert child.poll() is None
        finally:
            child.kill()


def test_time_that_the_hypervisor_takes_is_waited_for_and_said(monkeypatch):
    class Stolen(MachineOf):
        def stolen_ns(self):
            return int(quiet.time.monotonic_ns() * 0.3)

    monkeypatch.setattr(quiet, "Machine", Stolen)
    monkeypatch.setattr(quiet, "WINDOW_S", 0.1)
    with pytest.raises(TrialwattError, match="the hypervisor, which gives 30% to other machines"):
        quiet.wait_until_quiet(bed(quiet_wait_s=0), "lab")


def test_it_ends_with_its_workflow(burner, monkeypatch):
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setenv(WORKFLOW_PID, str(gone.pid))
    with pytest.raises(TrialwattError, match="the workflow was killed"):
        quiet.wait_until_quiet(bed(), "lab")


def burned_s(processes) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def test_a_busy_process_beside_a_run_is_its_foreign_time(job, monkeypatch):
    """The share is near what that process burns, and the run is flagged and tells why."""
    from tests.contexts import PLAIN

    from trialwatt.metrics.extract import extract_run

    allowed = {"allow_busy_machine": True, "quiet_wait_s": 0.01}
    cores = os.cpu_count() or 1
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(somebody_elses()) for _ in range(1 + cores // 8)]
        before = burned_s(busy)
        folder = job(testbed=allowed, epochs=8)
        burned = burned_s(busy) - before
    run = extract_run(folder, PLAIN).run
    steps = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")
    burned /= cores * sum(run[f"{step}_ms"] for step in steps) / 1000
    share = run["foreign_cpu_share"]
    assert share > 0.05 and share > 0.5 * burned  # it burns before and after it too
    assert (
        f"foreign CPU time {share:.0%} of the machine (over 5%), which the testbed" in run["flags"]
    )
    assert "started on a busy machine" in run["notes"]


def test_nothing_of_a_refused_run_is_made(burner, job, tmp_path):
    strict = {"allow_busy_machine": False, "quiet_wait_s": 0}
    with pytest.raises(TrialwattError, match=f"process {burner.pid} of user"):
        job(testbed=strict)
    assert not list((tmp_path / "results").iterdir())
