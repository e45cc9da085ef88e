"""The processes of this machine, as /proc tells them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

RUN_VARIABLE = "TRIALWATT_RUN"
COMPONENT_VARIABLE = "TRIALWATT_COMPONENT"

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


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


def carriers(run_id: str, pids: Iterable[int]) -> dict[int, str]:
    """Those of the processes whose environment names the run → the component that it names."""
    found = {}
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone, or another user's, and so not of our run
        if f"{RUN_VARIABLE}={run_id}".encode() in words:
            pairs = dict(word.decode(errors="replace").partition("=")[::2] for word in words)
            found[pid] = pairs.get(COMPONENT_VARIABLE, "")
    return found
