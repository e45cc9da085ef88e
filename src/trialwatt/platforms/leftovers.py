"""What dead runs of this user have left on this machine; nothing is removed here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trialwatt.finding import Finding, note, ok, problem
from trialwatt.platforms.cgroups import tree
from trialwatt.platforms.cgroups.base import Host
from trialwatt.platforms.liveness import living_and_dead
from trialwatt.platforms.processes import read_all, runs_of

REAP = "`trialwatt reap`, or the next run, removes it"


def left(runtime: Path, host: Host) -> list[Finding]:
    """Records, processes and control groups of runs that have no living coordinator."""
    living, recorded = living_and_dead(runtime)
    found = [
        problem("left over", f"the record of run {run}, which was cut off", REAP)
        for run in sorted(recorded)
    ]
    found += _processes(living, recorded)
    found += _groups(living, recorded, host)
    return found or [ok("left over", "no process and no control group of a dead run")]


def _processes(living: set[str], recorded: set[str]) -> Iterator[Finding]:
    states = {pid: stat.state for pid, stat in read_all().items()}
    named = runs_of(pid for pid, state in states.items() if state not in "ZX")
    for pid, (run, component) in sorted(named.items()):
        if run not in living:
            what = f"process {pid}, {component or 'a component'} of run {run}"
            yield _finding(what, run in recorded, f"kill {pid}")


def _groups(living: set[str], recorded: set[str], host: Host) -> Iterator[Finding]:
    hierarchies = [*tree.v1_hierarchies(host.proc).values(), tree.v2_hierarchy(host.proc)]
    bases = {base for each in hierarchies if each for base in (each.mount, each.own)}
    for group in sorted(path for base in bases for path in (base / tree.TOP).glob("*/")):
        run = group.name
        if run not in living and tree.is_made_by(host.uid, group, host.proc):
            todo = f"find {group} -depth -type d -delete, which takes no group with processes"
            yield _finding(f"the control group {group} of run {run}", run in recorded, todo)


def _finding(what: str, is_recorded: bool, todo: str) -> Finding:
    """What no record of this user's names is not ours to end: the run may be a living one, started
    with another TRIALWATT_RUNTIME_DIR."""
    if is_recorded:
        return problem("left over", f"{what}, which is dead", REAP)
    return note("left over", f"{what}, which is not on record here", f"if it is dead: {todo}")
