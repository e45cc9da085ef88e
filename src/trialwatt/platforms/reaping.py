"""Removing what a run has left: its groups, its scopes, and every process that names it."""

from __future__ import annotations

import os
import re
import signal
import time
from functools import partial
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.platforms.cgroups import tree
from trialwatt.platforms.cgroups.base import Host
from trialwatt.platforms.cgroups.systemd import stop_unit
from trialwatt.platforms.liveness import PROBE, LiveRun
from trialwatt.platforms.processes import Stat, carriers, read_all, signal_all

PATIENCE_S = 5.0


def reap_dead(runtime: Path, host: Host) -> list[str]:
    """Remove all that dead runs have left. Returns their ids.

    Runs that have no record in `runtime` are not ours to judge, and are not touched.
    """
    reaped = []
    for live in LiveRun.dead(runtime):
        clear(live, host)
        if PROBE not in live.traces():
            reaped.append(live.run_id)
        live.release()
    return reaped


def clear(live: LiveRun, host: Host) -> None:
    """Remove all that the earlier owner of this record has left, and nothing that it has not: only
    control groups that we have made, or units, which bear the run's name."""
    for trace in live.traces():
        group, unit = trace.get("group"), trace.get("unit")
        if isinstance(group, str) and _is_group(group, live.run_id, host):
            tree.destroy(Path(group))
        elif isinstance(unit, str) and re.fullmatch(
            f"trialwatt-{live.run_id}-[a-z0-9-]+[.]scope", unit
        ):
            stop_unit(unit, host)
    kill_processes_of(live.run_id)


def _is_group(folder: str, run_id: str, host: Host) -> bool:
    path = Path(folder)
    inside = path.is_absolute() and ".." not in path.parts and "\0" not in folder
    named = inside and path.parts[-2:] == (tree.TOP, run_id)
    return named and tree.is_made_by(host.uid, path, host.proc)


def kill_processes_of(run_id: str) -> None:
    """SIGKILL to every process whose environment names the run, until there is none."""
    deadline = time.monotonic() + PATIENCE_S
    while processes := _processes_of(run_id):
        if time.monotonic() > deadline:
            raise TrialwattError(f"processes {processes} of run {run_id} do not die of SIGKILL")
        signal_all(partial(_processes_of, run_id), signal.SIGKILL)
        time.sleep(0.01)


def _processes_of(run_id: str) -> list[int]:
    everyone = read_all()
    living = {pid for pid, stat in everyone.items() if stat.state not in "ZX"}
    return list(carriers(run_id, living - _ancestors(os.getpid(), everyone)))


def _ancestors(pid: int, everyone: dict[int, Stat]) -> set[int]:
    """This process and all above it: a coordinator never ends itself."""
    found = set()
    while pid in everyone and pid not in found:
        found.add(pid)
        pid = everyone[pid].parent
    return found
