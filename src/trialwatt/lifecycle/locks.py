"""Locks that the kernel drops when their holder dies: no stale lock after a SIGKILL."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.script import workflow_is_gone
from trialwatt.printable import shown

POLL_S = 0.2
"""The kernel wakes the one who waits for a lock, but not when its own workflow is killed."""


def hold_results(results: str | Path) -> int:
    """Lock a results folder for the life of this process; returns the lock's file descriptor.

    Raises TrialwattError where another process holds it.
    """
    path = Path(results) / ".lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = shown(os.read(fd, 100).decode(errors="replace").strip()) or "unknown"
        os.close(fd)
        raise TrialwattError(
            f"{results}: another workflow is writing here (process {holder}); "
            "wait until it has ended, or stop it. Nothing was started."
        ) from None
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd


@contextmanager
def measuring():
    """Hold the machine's measuring lock: measuring runs never overlap, whatever started them.

    Waits for its turn, and says so; raises TrialwattError where its workflow ends meanwhile.
    """
    path = Path(tempfile.gettempdir()) / "trialwatt-measuring.lock"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise TrialwattError(
            f"{path}: cannot be this machine's measuring lock ({error.strerror}); remove it, or "
            "have its owner do so"
        ) from error
    try:
        if not _locked(fd):
            print("waiting: another measuring run holds this machine", file=sys.stderr, flush=True)
            while not _locked(fd):
                if workflow_is_gone():
                    raise TrialwattError("the workflow was killed; nothing was started")
                time.sleep(POLL_S)
        yield
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
