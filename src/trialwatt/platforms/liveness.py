"""Which runs of this machine have a living coordinator: one locked file per run.

The coordinator holds a lock on `<run id>.run` for as long as it lives; the kernel gives the lock
back when it dies, however it dies. In the file stands, before anything is created, what the run
may leave behind. A run whose lock is free is dead, and what stands in its file can be removed.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.filelock import PLAIN, NoFileLocks, flocked, is_own_file, is_still_at
from trialwatt.printable import shown
from trialwatt.private import made_private

VARIABLE = "TRIALWATT_RUNTIME_DIR"
SUFFIX = ".run"

RUN_ID = re.compile("[a-z0-9-]+")
_OPEN = os.O_RDWR | os.O_APPEND | PLAIN
_MOST_BYTES = 16 << 20
PROBE = {"probe": True}
"""In a record: of no run, but of a look at what this machine can enforce."""
PATIENCE_S = 1.0
"""A reaper that looks at a new record holds its lock for a moment."""


class RunIsLive(TrialwattError):
    """A run of this name has a living coordinator."""


def runtime_folder() -> Path:
    """The folder of this user's records on this machine: $TRIALWATT_RUNTIME_DIR, or in /var/tmp.

    Not in XDG_RUNTIME_DIR: that is removed at log-out while a run may go on. What is written there
    is believed, and so it is nobody else's: raises TrialwattError otherwise.
    """
    named = os.environ.get(VARIABLE)
    if named:
        folder = Path(named)
    else:
        base = Path("/var/tmp")
        if not os.access(base, os.W_OK):
            base = Path(tempfile.gettempdir())
        folder = base / f"trialwatt-{os.geteuid()}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    return made_private(folder, remedy=f"set {VARIABLE} to a folder of yours")


def living_and_dead(folder: Path) -> tuple[set[str], set[str]]:
    """The ids of the runs on record here whose coordinator lives, and of those that were cut off.
    Changes nothing."""
    records = {path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")}
    cut_off = LiveRun.dead(folder)
    ids = {live.run_id for live in cut_off}
    dead = {live.run_id for live in cut_off if PROBE not in live.traces()}
    for live in cut_off:
        live.leave()
    return records - ids, dead


class LiveRun:
    """The record of one run, locked by this process."""

    def __init__(self, path: Path, descriptor: int):
        self._path, self._descriptor = path, descriptor

    @property
    def run_id(self) -> str:
        return self._path.name.removesuffix(SUFFIX)

    @classmethod
    def take(cls, run_id: str, folder: Path) -> LiveRun:
        """Lock a run's record, a new one or that of a dead run. Raises RunIsLive."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            path = folder / f"{run_id}{SUFFIX}"
            try:
                live = cls._lock(path, os.O_CREAT)
            except OSError as error:
                raise TrialwattError(
                    f"{path}: cannot be made the record of a run ({error.strerror}): remove it, or "
                    f"set {VARIABLE} to another folder"
                ) from error
            if live is not None:
                return live
            if time.monotonic() > deadline:
                raise RunIsLive(f"run {run_id} is being done by another process of this machine")
            time.sleep(0.02)

    @classmethod
    def dead(cls, folder: Path) -> list[LiveRun]:
        """The records of all runs whose coordinator is gone, locked by us now.

        What is no file, cannot be opened or has no run's name was written by somebody else: it is
        named on stderr and left alone.
        """
        found = []
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                if not RUN_ID.fullmatch(path.name.removesuffix(SUFFIX)):
                    raise OSError(errno.EINVAL, "It has no run's name", str(path))
                found.append(cls._lock(path))
            except OSError as error:
                said = shown(f"left alone: {path}: no record of a run ({error.strerror})")
                print(said, file=sys.stderr, flush=True)
        return [live for live in found if live is not None]

    @classmethod
    def _lock(cls, path: Path, create: int = 0) -> LiveRun | None:
        try:
            descriptor = os.open(path, _OPEN | create, 0o600)
        except FileNotFoundError:
            return None
        if not is_own_file(descriptor):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "It is no plain file", str(path))
        try:
            if flocked(descriptor, path) and is_still_at(path, descriptor):
                return cls(path, descriptor)
        except NoFileLocks as error:
            raise NoFileLocks(
                f"{error}: set {VARIABLE} to a folder on a disk of this machine"
            ) from error
        os.close(descriptor)
        return None

    def note(self, *traces: dict) -> None:
        """Write down what is about to be created."""
        lines = "".join(json.dumps(trace) + "\n" for trace in traces)
        os.write(self._descriptor, lines.encode())

    def traces(self) -> list[dict]:
        """All that was written down; a line that was cut off, or is none of ours, names nothing
        that exists."""
        found = []
        for line in os.pread(self._descriptor, _MOST_BYTES, 0).splitlines(keepends=True):
            try:
                trace = json.loads(line) if line.endswith(b"\n") else None
            except (ValueError, RecursionError):
                continue
            if isinstance(trace, dict):
                found.append(trace)
        return found

    def release(self) -> None:
        """Remove the record: nothing of the run is left. Idempotent."""
        if self._descriptor >= 0:
            self._path.unlink(missing_ok=True)
            self.leave()

    def leave(self) -> None:
        """Give the lock back and keep the record: something is left, for the next reaper."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
