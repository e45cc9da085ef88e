"""The processes of this machine, as /proc tells them."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

RUN_VARIABLE = "TRIALWATT_RUN"
COMPONENT_VARIABLE = "TRIALWATT_COMPONENT"
WORKFLOW_PID = "TRIALWATT_WORKFLOW_PID"
"""Environment variable of the rules' scripts: the process whose end ends them too."""

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_AT_ONCE = 32
"""Processes that are held at a time: each takes a descriptor."""


class Stat(NamedTuple):
    """What /proc/<pid>/stat says of a process; CPU time includes the children it waited for."""

    pid: int
    state: str
    parent: int
    session: int
    start: int
    cpu_ns: int
    resident_bytes: int


def read_stat(pid: int) -> Stat | None:
    """One process, None if it is gone, or hidden as another user's. Layout: proc_pid_stat(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before may hold anything
    return Stat(
        pid=pid,
        state=fields[0],
        parent=int(fields[1]),
        session=int(fields[3]),
        start=int(fields[19]),
        cpu_ns=sum(map(int, fields[11:15])) * _TICK_NS,
        resident_bytes=int(fields[21]) * _PAGE,
    )


def read_all() -> dict[int, Stat]:
    """All processes of the machine."""
    with os.scandir("/proc") as entries:
        pids = [int(entry.name) for entry in entries if entry.name.isdigit()]
    read = [read_stat(pid) for pid in pids]
    return {stat.pid: stat for stat in read if stat}


def signal_all(members: Callable[[], Iterable[int]], number: int) -> None:
    """Send a signal to each process of those that `members` finds, and to no other.

    Each is held before it is looked for once more, so that whoever has been given the number of
    one that has ended is not meant; those that have ended are no error.
    """
    pids = list(members())
    for first in range(0, len(pids), _AT_ONCE):
        held = {pid: _held(pid) for pid in pids[first : first + _AT_ONCE]}
        try:
            for pid in held.keys() & set(members()):
                with suppress(ProcessLookupError):
                    _send(pid, held[pid], number)
        finally:
            for descriptor in held.values():
                if descriptor is not None:
                    os.close(descriptor)


def _held(pid: int) -> int | None:
    """A descriptor of the process, whatever becomes of its number; None where it is gone, or the
    kernel has none (before Linux 5.3, or in a sandbox)."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM):
            return None
        raise


def _send(pid: int, descriptor: int | None, number: int) -> None:
    if descriptor is None:
        os.kill(pid, number)
    else:
        signal.pidfd_send_signal(descriptor, number)


def carriers(run_id: str, pids: Iterable[int]) -> dict[int, str]:
    """Those of the processes whose environment names the run → the component that it names."""
    named = runs_of(pids)
    return {pid: component for pid, (run, component) in named.items() if run == run_id}


def runs_of(pids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Those of the processes whose environment names a run → the run, and its component."""
    found = {}
    for pid in pids:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone, or another user's, and so not of our run
        if RUN_VARIABLE.encode() in environment:
            words = environment.decode(errors="replace").split("\0")
            pairs = dict(word.partition("=")[::2] for word in words)
            if run := pairs.get(RUN_VARIABLE):
                found[pid] = run, pairs.get(COMPONENT_VARIABLE, "")
    return found
