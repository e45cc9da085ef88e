"""Signals reach the processes that are meant, and nobody who has been given their number."""

import errno
import os
import signal
import subprocess
from pathlib import Path

import pytest

from trialwatt.platforms.processes import signal_all


@pytest.fixture
def sleepers():
    made = [subprocess.Popen(["sleep", "1000"]) for _ in range(40)]  # more than are held at once
    yield made
    for each in made:
        each.kill()
        each.wait()


@pytest.fixture(params=[True, False], ids=["held", "before Linux 5.3"])
def kernel(request, monkeypatch):
    if not request.param:

        def refused(_pid):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

        monkeypatch.setattr(os, "pidfd_open", refused)


def descriptors_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_all_that_are_meant_get_it(kernel, sleepers):
    before = descriptors_open()
    signal_all(lambda: [each.pid for each in sleepers], signal.SIGKILL)
    assert [each.wait(60) for each in sleepers] == [-signal.SIGKILL] * len(sleepers)
    signal_all(lambda: [each.pid for each in sleepers], signal.SIGKILL)  # they are gone
    assert descriptors_open() == before


def test_one_that_is_no_member_any_more_does_not_get_it(kernel, sleepers):
    first, other = sleepers[0].pid, sleepers[1].pid
    looks = iter([[first, other], [other]])  # the first has ended, and somebody has its number
    signal_all(lambda: next(looks), signal.SIGKILL)
    assert sleepers[1].wait(60) == -signal.SIGKILL
    assert sleepers[0].poll() is None
