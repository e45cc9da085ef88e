"""Locks on files, which the kernel drops when their holder dies: no stale lock after a SIGKILL."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from trialwatt.errors import TrialwattError

PLAIN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""To open a file in a folder where others may put links and pipes."""


class NoFileLocks(TrialwattError):
    """The file system keeps no locks: Lustre without -o flock, NFS without its lock service."""


def flocked(descriptor: int, path: Path, wait: bool = False) -> bool:
    """Lock an open file for as long as it is open; False where another process has it locked.

    wait: until it can be had. Raises NoFileLocks, naming `path`, where there is no such thing.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        raise NoFileLocks(f"{path}: its file system keeps no locks ({error.strerror})") from error
    return True


def is_own_file(descriptor: int) -> bool:
    """Whether it is a plain file with one name: a second one may be that of somebody's file."""
    found = os.fstat(descriptor)
    return stat.S_ISREG(found.st_mode) and found.st_nlink <= 1


def is_still_at(path: Path, descriptor: int) -> bool:
    """Whether the open file has this name yet: a holder may remove it before it gives it back."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    own = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)
