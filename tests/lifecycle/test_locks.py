import os
import subprocess
import sys
import threading
import time

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.locks import hold_results, measuring
from trialwatt.lifecycle.script import WORKFLOW_PID

HOLDER = """
import sys, time
from trialwatt.lifecycle.locks import hold_results, measuring
hold_results(sys.argv[1])
with measuring():
    print("held", flush=True)
    sys.stdin.readline()
    print(time.monotonic_ns(), flush=True)
"""


def holder(folder):
    """A process that holds both locks until it is told a line; then it says when that was."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_workflow_on_the_same_results_is_refused(tmp_path):
    process = holder(tmp_path)
    try:
        with pytest.raises(TrialwattError, match=f"process {process.pid}"):
            hold_results(tmp_path)
    finally:
        process.kill()
        process.wait()
    hold_results(tmp_path)  # free again, though nobody gave it back


def test_measuring_waits_for_its_turn(tmp_path, capfd):
    process, came_in = holder(tmp_path), []

    def measure():
        with measuring():
            came_in.append(time.monotonic_ns())

    thread = threading.Thread(target=measure)
    thread.start()
    deadline = time.monotonic() + 60
    try:
        while "another measuring run" not in capfd.readouterr().err:
            assert thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.05)
        assert not came_in
    finally:
        released, _ = process.communicate("release\n")
        thread.join(60)
    assert came_in and came_in[0] > int(released)


WAITER = """
from trialwatt.lifecycle.locks import measuring
print("waiting", flush=True)
with measuring():
    print("held", flush=True)
"""


def test_who_waits_for_its_turn_ends_with_its_workflow(tmp_path):
    process = holder(tmp_path)
    workflow = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    waiter = subprocess.Popen(
        [sys.executable, "-c", WAITER],
        env=os.environ | {WORKFLOW_PID: str(workflow.pid)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert waiter.stdout.readline() == "waiting\n"
        time.sleep(0.5)
        assert waiter.poll() is None
        workflow.kill()  # a zombie of ours from now on, as after `kill -9` in a shell
        out, error = waiter.communicate(timeout=120)
        assert waiter.returncode == 1
        assert "held" not in out
        assert "the workflow was killed; nothing was started" in error
    finally:
        for each in (process, waiter, workflow):
            each.kill()
            each.wait()
