"""One measuring run on a machine, one workflow in a results folder, whoever starts them."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.users import ALICE, BOB, needs_users, process_of, said_by, shared_folder

from trialwatt.errors import TrialwattError
from trialwatt.lifecycle import locks
from trialwatt.lifecycle.locks import hold_results, measuring
from trialwatt.lifecycle.reap import PARTIAL
from trialwatt.machinelock import MachineLock
from trialwatt.platforms.processes import WORKFLOW_PID
from trialwatt.records.reader import read_run


@pytest.fixture
def machine(monkeypatch):
    """A measuring lock of the test's own: its name."""
    name = f"test-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setattr(locks, "MEASURING", name)
    return name


HOLDER = """
import sys, time
from trialwatt.lifecycle import locks
from trialwatt.lifecycle.locks import hold_results, measuring
locks.MEASURING, folder = sys.argv[1:]
hold_results(folder)
with measuring("the run of a test"):
    print("held", flush=True)
    sys.stdin.readline()
    print(time.monotonic_ns(), flush=True)
"""

KEEPER = """
from trialwatt.lifecycle.locks import hold_results
hold_results(sys.argv[2])
print("held", flush=True)
sys.stdin.readline()
"""


def holder(machine, folder):
    """A process that holds both locks until it is told a line; then it says when that was."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, machine, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_workflow_on_the_same_results_is_refused(machine, tmp_path):
    process = holder(machine, tmp_path)
    try:
        with pytest.raises(TrialwattError, match=f"process {process.pid} of user .*, since 20"):
            hold_results(tmp_path)
    finally:
        process.kill()
        process.wait()
    hold_results(tmp_path)  # free again, though nobody gave it back


def test_measuring_waits_for_its_turn(machine, tmp_path, capfd):
    process, came_in = holder(machine, tmp_path), []

    def measure():
        with measuring():
            came_in.append(time.monotonic_ns())

    thread = threading.Thread(target=measure)
    thread.start()
    deadline, said = time.monotonic() + 60, ""
    try:
        while "another measuring run" not in said:
            said += capfd.readouterr().err
            assert thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.05)
        assert f"process {process.pid}: the run of a test, since 20" in said
        assert not came_in
    finally:
        released, _ = process.communicate("release\n")
        thread.join(60)
    assert came_in and came_in[0] > int(released)


WAITER = """
import sys
from trialwatt.lifecycle import locks
from trialwatt.lifecycle.locks import measuring
locks.MEASURING = sys.argv[1]
print("waiting", flush=True)
with measuring():
    print("held", flush=True)
"""


def test_who_waits_for_its_turn_ends_with_its_workflow(machine, tmp_path):
    process = holder(machine, tmp_path)
    workflow = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    waiter = subprocess.Popen(
        [sys.executable, "-c", WAITER, machine],
        env=os.environ | {WORKFLOW_PID: str(workflow.pid)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert waiter.stdout.readline() == "waiting\n"
        assert "another measuring run" in waiter.stderr.readline()
        workflow.kill()  # a zombie of ours from now on, as after `kill -9` in a shell
        out, error = waiter.communicate(timeout=120)
        assert waiter.returncode == 1
        assert "held" not in out
        assert "the workflow was killed; nothing was started" in error
    finally:
        for each in (process, waiter, workflow):
            each.kill()
            each.wait()


# --- whoever they are, wherever their temporary files lie -------------------------------------


HOLDS = """
from trialwatt.machinelock import MachineLock
lock = MachineLock(sys.argv[2], "the run of a test")
print("taken" if lock.take() else lock.holder(), flush=True)
sys.stdin.readline()
"""


@needs_users
def test_users_with_folders_of_their_own_take_turns(machine, tmp_path, monkeypatch):
    first = process_of(ALICE, HOLDS, machine, TMPDIR="/var/tmp")
    assert first.stdout.readline() == "taken\n", first.communicate()
    said = said_by(BOB, HOLDS, machine, TMPDIR="/tmp")
    assert said.startswith(f"user {ALICE}, process {first.pid}: the run of a test, since 20")
    monkeypatch.setenv(locks.WAIT, "0")
    with pytest.raises(TrialwattError, match=f"user {ALICE}, process {first.pid}"), measuring():
        pass
    first.kill()  # whoever dies gives it back
    first.communicate()
    assert said_by(BOB, HOLDS, machine) == "taken\n"


def test_whoever_never_ends_is_named_and_can_be_measured_beside(machine, monkeypatch, capfd):
    process = subprocess.Popen(
        [sys.executable, "-c", "import os, sys\n" + HOLDS, "", machine],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        process.stdout.readline()
        monkeypatch.setenv(locks.WAIT, "0")
        with pytest.raises(TrialwattError) as refused, measuring():
            pass
        assert f"process {process.pid}" in str(refused.value)
        assert locks.WAIT in str(refused.value) and locks.BESIDE in str(refused.value)
        monkeypatch.setenv(locks.BESIDE, "1")
        with measuring() as beside:
            assert "measured beside another measuring run" in beside
        assert f"process {process.pid}" in capfd.readouterr().err
        assert str(process.pid) not in beside  # what is published names nobody
    finally:
        process.communicate(b"\n")
    with measuring() as beside:
        assert beside == ""


def test_a_run_that_measured_beside_another_says_so(machine, monkeypatch, run_job, tmp_path):
    half = tmp_path / PARTIAL / "the-other-ones"
    half.mkdir(parents=True)
    other = MachineLock(machine, "another run")
    assert other.take()
    monkeypatch.setenv(locks.WAIT, "0")
    monkeypatch.setenv(locks.BESIDE, "1")
    try:
        folder = run_job(tmp_path, workers={"count": 1, "cpu": 1, "memory_mb": 1024})
    finally:
        other.give_back()
    assert any("measured beside" in note for note in read_run(folder).notes)
    assert half.is_dir()  # it may live


@pytest.mark.parametrize("wrong", ["soon", "-1", "nan", "inf"])
def test_a_time_to_wait_that_is_none_is_refused(machine, monkeypatch, wrong):
    monkeypatch.setenv(locks.WAIT, wrong)
    with pytest.raises(TrialwattError, match=locks.WAIT), measuring():
        pass


@pytest.mark.parametrize("listens", [False, True])
def test_a_holder_that_does_not_answer_is_named_by_its_command(machine, listens):
    source = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); "
        f"s.bind('\\0trialwatt-{machine}'); {'s.listen()' if listens else ''}\n"
        "print('held', flush=True); sys.stdin.readline()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"held\n"
        said = MachineLock(machine, "").holder()
        assert f"process {process.pid}: {sys.executable} -c import socket" in said
    finally:
        process.communicate(b"\n")
    assert MachineLock(machine, "").holder() == ""


def test_a_machine_that_allows_no_such_lock_is_told_in_a_sentence(machine, monkeypatch):
    def refused(*_):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(MachineLock, "_bound", refused)
    with (
        pytest.raises(TrialwattError, match=f"@trialwatt-{machine}.*not allowed here"),
        measuring(),
    ):
        pass


# --- a results folder of several users --------------------------------------------------------


@pytest.fixture
def shared(tmp_path):
    """A results folder that a group shares: all may write there."""
    return shared_folder(tmp_path, "results", 0o2777)


@needs_users
def test_users_of_one_results_folder_take_turns(shared):
    first = process_of(ALICE, KEEPER, shared)
    assert first.stdout.readline() == "held\n"
    second = process_of(BOB, KEEPER, shared)
    _, error = second.communicate(timeout=120)
    assert f"another workflow is writing here (process {first.pid} of user {ALICE} on " in error
    first.kill()
    first.communicate()
    assert said_by(BOB, KEEPER, shared) == "held\n"
    assert said_by(ALICE, KEEPER, shared) == "held\n"


@needs_users
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_lock_that_its_maker_closed_to_others(shared, mode):
    """As earlier versions made it, under their user's umask."""
    (shared / ".lock").write_text("123\n")
    os.chown(shared / ".lock", ALICE, ALICE)
    (shared / ".lock").chmod(mode)
    if mode == 0o644:
        assert said_by(BOB, KEEPER, shared) == "held\n"
        return
    process = process_of(BOB, KEEPER, shared)
    _, error = process.communicate(timeout=120)
    assert f"TrialwattError: {shared}/.lock: cannot be the lock" in error
    assert "Permission denied" in error and "remove it" in error


@needs_users
def test_a_folder_that_one_may_not_write_to_is_said(shared):
    shared.chmod(0o755)
    process = process_of(ALICE, KEEPER, shared)
    _, error = process.communicate(timeout=120)
    assert "TrialwattError" in error and "let you write to the folder" in error


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_a_lock_that_is_something_else_is_refused_and_nothing_is_written(tmp_path, kind):
    mine, lock = tmp_path / "mine", tmp_path / "results" / ".lock"
    lock.parent.mkdir()
    mine.write_text("kept")
    make = {
        "link": lambda: lock.symlink_to(mine),
        "hard link": lambda: lock.hardlink_to(mine),
        "pipe": lambda: os.mkfifo(lock),
        "folder": lock.mkdir,
    }
    make[kind]()
    with pytest.raises(TrialwattError, match="remove it"):
        hold_results(lock.parent)
    assert mine.read_text() == "kept"


# --- file systems without locks ---------------------------------------------------------------

NO_FLOCK = """
import fcntl, os
def refused(*_):
    raise OSError(int(sys.argv[1]), os.strerror(int(sys.argv[1])))
fcntl.flock = refused
"""
WITHOUT = "import sys\n" + NO_FLOCK + KEEPER


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_without_file_locks_one_workflow_of_a_machine_has_the_folder(tmp_path, number):
    def keeper():
        return subprocess.Popen(
            [sys.executable, "-c", WITHOUT, str(number), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    first = keeper()
    assert first.stdout.readline() == "held\n"
    _, error = keeper().communicate(timeout=120)
    assert "another workflow is writing here" in error and f"process {first.pid}" in error
    first.kill()
    first.communicate()
    third = keeper()  # what the dead one has left is no hindrance
    assert third.communicate("\n", timeout=120)[0] == "held\n"
    assert not (tmp_path / ".lock").exists()  # for the other machines


def test_without_file_locks_a_workflow_of_another_machine_has_the_folder(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refused)
    claim = "process 7 of user alice on another-host, since 2026-01-02 03:04:05 UTC"
    Path(tmp_path, ".lock").write_text(f"{claim}\n")
    with pytest.raises(TrialwattError, match=f"{claim}; if that has ended, remove"):
        hold_results(tmp_path)
