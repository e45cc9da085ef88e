"""Folders of the control group file systems: their processes, and how they go away."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

from trialwatt.platforms.cgroups.base import EnforcementError

TOP = "trialwatt"
"""The folder that holds the groups of all runs: <where we may>/trialwatt/<run>/<component>."""


def is_gone(error: OSError) -> bool:
    """Whether a group's file is not there, or went away between open and use."""
    return error.errno in (errno.ENOENT, errno.ENODEV)


def pids(group: Path) -> list[int]:
    """Living processes of a group; none where it is gone."""
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    except OSError as error:
        if is_gone(error):
            return []
        raise


def signal_all(processes: list[int], number: int) -> None:
    """Send a signal to each; those that are gone already are no error."""
    for pid in processes:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def make_run(base: Path, run_id: str, prepare=lambda folder: None) -> Path:
    """Create <base>/trialwatt/<run_id>; `prepare` is called for each new level.

    Another run that ends takes the empty `trialwatt` folder away, so that this may need more
    than one try.
    """
    top = base / TOP
    for attempt in range(20):
        try:
            top.mkdir(exist_ok=True)
            prepare(top)
            (top / run_id).mkdir(exist_ok=True)
            prepare(top / run_id)
            return top / run_id
        except FileNotFoundError:
            if attempt == 19:
                raise
            time.sleep(0.01)
    raise AssertionError("unreachable")


def remove(group: Path, patience_s: float = 3.0) -> None:
    """Remove one empty group. The kernel says EBUSY for a moment after its last process died."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise EnforcementError(
                    f"the control group {group} cannot be removed ({error.strerror}); "
                    f"processes in it: {pids(group) or 'none'}"
                ) from error
        time.sleep(0.01)


def destroy(run: Path, patience_s: float = 5.0) -> None:
    """Kill every process of a run's groups and remove them, and `trialwatt` if it is empty."""
    deadline = time.monotonic() + patience_s
    if run.is_dir():
        folders = [Path(folder) for folder, _, _ in os.walk(run, topdown=False)]
        while any(left := [pids(folder) for folder in folders]) and time.monotonic() < deadline:
            for processes in left:
                signal_all(processes, signal.SIGKILL)
            time.sleep(0.01)
        for folder in folders:
            remove(folder)
    try:
        run.parent.rmdir()
    except OSError as error:  # another run has its groups there, or it is gone already
        if error.errno not in (errno.EBUSY, errno.ENOTEMPTY, errno.ENOENT):
            raise


def write(path: Path, value: int | str) -> None:
    """Write one value into a file of a group; unlike open(…, "w"), never creates it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, f"{value}\n".encode())
    except OSError as error:
        error.filename = str(path)  # a failing write names no file
        raise
    finally:
        os.close(descriptor)


class CounterFile:
    """Opened at the first read; opening would be most of the work.

    A read raises OSError where the file is not there, or where its group is gone (ENODEV). An
    open file does not keep the kernel from removing its group.
    """

    def __init__(self, path: Path):
        self._path = path
        self._descriptor = -1

    def number(self) -> int:
        """The file's only word."""
        return int(self._read())

    def field(self, name: bytes) -> int:
        """The number behind `name` on a line of its own; 0 where there is no such line."""
        for line in self._read().splitlines():
            key, _, value = line.partition(b" ")
            if key == name:
                return int(value)
        return 0

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _read(self) -> bytes:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDONLY)
        return os.pread(self._descriptor, 4096, 0)
