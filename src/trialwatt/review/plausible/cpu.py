"""CPU time that a machine cannot give: beyond its cores, a component's limit, or its own parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialwatt.meters.bounds import TICKS_NS
from trialwatt.records.reader import Component
from trialwatt.review.plausible.run import Fault, Rows, Run, row_fault

_PARTS, _PARTS_NS = 1.25, 0.5e9
"""The parts are counted to the ns and the machine in ticks, which may miss some."""
_OVER_LIMIT = {"soft": (2.0, 3e9)}
_OVER_HARD_LIMIT = (1.25, 1e9)
"""What may be used beyond a limit: a factor, and ns at once. The kernel's own limits hold within a
period of 100 ms per core; without them a component is stopped when it is seen to be above."""
_OWN_NS = 1e9
"""What a worker's own readings may be ahead of the last one of its limit's counter."""


def faults(run: Run) -> Iterator[Fault]:
    usage, machine = run.usage, run.machine
    if usage is None or machine is None or "cpu_ns" not in usage.values:
        return
    slack = run.cores * TICKS_NS
    yield from _too_fast(machine, run.cores, slack, f"the machine has {run.cores:g} cores")
    fell = np.diff(machine.values["cpu_ns"]) < -slack
    if len(bad := np.flatnonzero(fell)):
        yield row_fault(machine, bad + 1, "the CPU time of the machine falls")
    tracks = {c.name: usage.of(c.name).known("cpu_ns") for c in run.records.components}
    for component in run.records.components:
        if len(tracks[component.name]):
            yield from _component(run, component, tracks[component.name])
    yield from _together(run, machine, [*tracks.values(), usage.of("harness").known("cpu_ns")])
    yield from _trials(run)


def _component(run: Run, component: Component, track: Rows) -> Iterator[Fault]:
    kind = (run.manifest.get("enforcement") or {}).get("kind", "")
    factor, slack = _OVER_LIMIT.get(kind, _OVER_HARD_LIMIT)
    most = min(component.cpu * factor, max(run.cores, component.cpu))
    said = f"{component.name} may use {component.cpu:g} cores"
    yield from _too_fast(track, most, slack + run.cores * TICKS_NS, said)
    ended, last = _at_its_ends(run, component), track.values["cpu_ns"][-1]
    if run.is_local and ended and all(abs(last - each) > np.spacing(last) for each in ended):
        yield row_fault(
            track,
            np.array([len(track) - 1]),
            f"{component.name} has used {last / 1e9:g} s of CPU time in its last sample, but "
            f"{ended[-1] / 1e9:g} s by records/harness.jsonl",
        )


def _at_its_ends(run: Run, component: Component) -> list[float]:
    """CPU time that the coordinator wrote down: one that was lost can end more than once."""
    return [
        float(event["cpu_ns"])
        for event in run.records.events
        if event["kind"] == "component"
        and event["component"] == component.name
        and event["status"] == "end"
        and event.get("cpu_ns") is not None
    ]


def _too_fast(track: Rows, cores: float, slack: float, has: str) -> Iterator[Fault]:
    """CPU time of any stretch above `cores` × its length."""
    cpu = track.values["cpu_ns"]
    if len(cpu) < 2:
        return
    above = (cpu - cpu[0]) - cores * (track.m - track.m[0])
    least = np.minimum.accumulate(above)
    if len(bad := np.flatnonzero(above - least > slack)):
        since = int(np.flatnonzero(above[: bad[0] + 1] == least[bad[0]])[-1])
        used = (cpu[bad[0]] - cpu[since]) / 1e9
        took = (track.m[bad[0]] - track.m[since]) / 1e9
        yield row_fault(track, bad, f"cpu_ns rises by {used:.2f} s within {took:.2f} s, but {has}")


def _together(run: Run, machine: Rows, tracks: list[Rows]) -> Iterator[Fault]:
    """What the components and the coordinator have used is a part of what the machine has."""
    if len(machine) < 2:
        return
    whole = machine.values["cpu_ns"][-1] - machine.values["cpu_ns"][0]
    used = [track.values["cpu_ns"] for track in tracks if len(track)]
    parts = sum(float(cpu.max() - cpu[0]) for cpu in used)
    if parts > _PARTS * whole + _PARTS_NS:
        yield row_fault(
            machine,
            np.array([len(machine) - 1]),
            f"the machine has used {whole / 1e9:.2f} s of CPU time since the first sample, but "
            f"its components {parts / 1e9:.2f} s",
        )


def _trials(run: Run) -> Iterator[Fault]:
    """The worker's own counter, which each line of a trial has."""
    trials = run.records.trials
    ended = {component.name: component.cpu_ns for component in run.records.components}
    for worker, name in enumerate(trials.workers):
        knots = trials.knots_of(worker)
        known = np.flatnonzero(~np.isnan(trials.knot_cpu_ns[knots]))
        cpu, at = trials.knot_cpu_ns[knots][known], trials.knot_ns[knots][known]
        of_trial = trials.knot_trial[knots][known]
        if not len(cpu):
            continue
        above = (cpu - cpu[0]) - run.cores * (at - at[0])
        fast = np.flatnonzero(above - np.minimum.accumulate(above) > run.cores * TICKS_NS)
        if len(fast):
            yield run.trial_fault(
                of_trial[fast[0]],
                "end",
                f"cpu_ns of {name} rises faster than time on {run.cores:g} cores",
            )
        last = ended.get(name)
        if run.is_local and last is not None and cpu.max() > last + _OWN_NS:
            yield run.trial_fault(
                of_trial[int(cpu.argmax())],
                "end",
                f"cpu_ns is {cpu.max() / 1e9:g} s, but {name} has used {last / 1e9:g} s in all, by "
                "records/harness.jsonl",
            )
