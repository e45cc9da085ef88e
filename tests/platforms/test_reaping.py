"""A coordinator that was killed leaves nothing for long, and a living one is left alone."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest
from tests.platforms.processes import group_folders, is_dead, wait_until

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.platforms.liveness import VARIABLE, LiveRun
from trialwatt.platforms.local import LocalPlatform

COORDINATOR = """
import json, sys, time
from pathlib import Path
from trialwatt.config.models import Testbed
from trialwatt.platforms.base import Role
from trialwatt.platforms.local import LocalPlatform

run_id, kind, folder = sys.argv[1:]
platform = LocalPlatform.open(run_id, Testbed(enforcement=kind), Path(folder))
stubborn = '''trap '' TERM
(setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo "{\\\\"pid\\\\": $!}")
echo "{\\\\"pid\\\\": $$}"; while :; do sleep 1; done'''
polite = 'echo "{\\\\"pid\\\\": $$}"; exec cat'
for index, source in enumerate((stubborn, polite)):
    platform.start(Role("worker", "worker", ("sh", "-c", source), 0.5, 64, index=index))
messages = [platform.inbox.get(timeout=120) for _ in range(3)]
print(json.dumps({c: [m.body["pid"] for m in messages if m.component == c]
                  for c in ("worker-0", "worker-1")}), flush=True)
time.sleep(1000)
"""


@pytest.fixture
def coordinator(kind, run_id, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, run_id, kind, str(tmp_path / "theirs")],
        stdout=subprocess.PIPE,
        text=True,
    )
    process.pids = json.loads(process.stdout.readline())
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    LocalPlatform.reap()


def test_a_dead_run_is_reaped_and_a_live_one_is_not(coordinator, run_id, runtime):
    pids = [pid for found in coordinator.pids.values() for pid in found]
    assert len(pids) == 3
    assert LocalPlatform.reap() == []
    assert not any(is_dead(pid) for pid in pids)

    coordinator.kill()
    coordinator.wait()
    # A worker whose stdin has ended goes by itself.
    assert wait_until(lambda: is_dead(coordinator.pids["worker-1"][0]))
    assert not any(is_dead(pid) for pid in coordinator.pids["worker-0"])

    assert LocalPlatform.reap() == [run_id]
    assert all(is_dead(pid) for pid in pids)
    assert wait_until(lambda: group_folders(run_id) == [])
    assert list(runtime.iterdir()) == []
    assert LocalPlatform.reap() == []


def test_the_id_of_a_dead_run_can_be_used_again(coordinator, kind, run_id, tmp_path):
    pids = [pid for found in coordinator.pids.values() for pid in found]
    coordinator.kill()
    coordinator.wait()
    platform = LocalPlatform.open(run_id, Testbed(enforcement=kind), tmp_path / "ours")
    assert all(is_dead(pid) for pid in pids)
    platform.remove()
    assert group_folders(run_id) == []


def test_runs_without_a_record_here_are_not_touched(coordinator, tmp_path, monkeypatch):
    """Another user's coordinator keeps its records elsewhere."""
    with monkeypatch.context() as patch:
        patch.setenv("TRIALWATT_RUNTIME_DIR", str(tmp_path / "another"))
        assert LocalPlatform.reap() == []
    assert not any(is_dead(pid) for found in coordinator.pids.values() for pid in found)


def test_a_coordinator_does_not_reap_itself(runtime, monkeypatch):
    """It may carry the name of a dead run, when it was started by hand from a worker's shell."""
    source = "from trialwatt.platforms.local import LocalPlatform; print(LocalPlatform.reap())"
    (runtime / "gone.run").write_text('{"group": "' + str(runtime / "no" / "gone") + '"}\n{"gro')
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=os.environ | {"TRIALWATT_RUN": "gone"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['gone']\n"


def test_leftover_of_a_probe_is_removed_silently(runtime):
    (runtime / "probe-1-1.run").write_text('{"probe": true}\n')
    assert LocalPlatform.reap() == []
    assert list(runtime.iterdir()) == []


def test_where_no_file_can_be_locked_the_user_is_told_another_place(runtime, monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refused)
    (runtime / "gone.run").write_text("")
    for look in (lambda: LiveRun.take("mine", runtime), lambda: LiveRun.dead(runtime)):
        with pytest.raises(TrialwattError, match=f"keeps no locks.*: set {VARIABLE} to a folder"):
            look()


def test_a_lock_ends_with_its_process(runtime):
    source = f"""
import signal, sys
from pathlib import Path
from trialwatt.errors import TrialwattError
from trialwatt.platforms.liveness import VARIABLE, LiveRun
live = LiveRun.take("mine", Path({str(runtime)!r}))
live.note({{"group": "a"}}, {{"unit": "b"}})
print("held", flush=True)
signal.pause()
"""
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        assert LiveRun.dead(runtime) == []
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    (dead,) = LiveRun.dead(runtime)
    assert dead.run_id == "mine"
    assert dead.traces() == [{"group": "a"}, {"unit": "b"}]
    assert LiveRun.dead(runtime) == []  # we hold it now
    dead.leave()
    assert [live.run_id for live in LiveRun.dead(runtime)] == ["mine"]
