"""Readings and the times of trials → who drew which energy (docs/measure.md).

The attribution is that of runs (metrics/attribution.py), with the script as the only component. It
gives the energy of each segment between the edges of trials; here a segment is divided among the
trials that were open in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trialwatt.measure.sampling import Readings
from trialwatt.measure.sources import Supplied
from trialwatt.meters.bounds import bound_of
from trialwatt.meters.machine import MOST_FOREIGN
from trialwatt.metrics.attribution import (
    S_PER_NS,
    Curve,
    Grid,
    Part,
    Supply,
    attribute,
    levelled,
    usage_curve,
)
from trialwatt.metrics.formulas import foreign_share
from trialwatt.metrics.readings import (
    FEW_SAMPLES,
    GAPS_TOO_MANY,
    DomainEnergy,
    covered,
    domain_energy,
    silences,
)

MUCH_SHARED = 0.05
"""Part of the CPU time of overlapping trials that may be of nobody's thread without a note."""


@dataclass
class Span:
    """The time of a trial. thread_ns: (moment, CPU ns) of the thread that it began in, while it was
    open; none where that is not known, or where the thread held another trial meanwhile."""

    start_ns: int
    end_ns: int
    thread_ns: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Account:
    """Energy in J, CPU time in s; the arrays (n,) are of the trials, in their order. held_s: the
    time that a trial is charged for: a moment is divided among those that were open. until_j: of
    the whole block, until the trial ended. foreign_share: what others used, or the hypervisor took,
    of the CPU time that the machine can give; NaN where that is not known."""

    job_j: float
    machine_j: float
    cpu_s: float
    trial_static_j: np.ndarray
    trial_dynamic_j: np.ndarray
    trial_cpu_s: np.ndarray
    held_s: np.ndarray
    until_j: np.ndarray
    samples: int
    gap_share: float
    foreign_share: float
    notes: list[str]


def account(
    readings: Readings,
    window_ns: tuple[int, int],
    knots: Sequence[tuple[int, int]],
    spans: Sequence[Span],
    supplies: Sequence[Supplied],
    reserved: float,
    hz: float,
) -> Account:
    """Divide the energy of a block.

    knots: (moment, CPU ns of the script) beside the readings, at the edges of trials. reserved:
    the part of the machine by which static energy is charged, of processors and memory alike.
    """
    notes: list[str] = []
    origin, length = window_ns[0], float(max(1, window_ns[1] - window_ns[0]))
    starts, ends = (
        np.clip(np.array([getattr(s, name) for s in spans], float) - origin, 0, length)
        for name in ("start_ns", "end_ns")
    )
    bounds = np.unique(np.concatenate([[0.0, length], starts, ends]))
    cuts = bounds[1:-1]
    edges = np.array(knots, float).reshape(-1, 2)
    cpu = usage_curve(
        np.concatenate([readings.times_ns, edges[:, 0]]) - origin,
        np.concatenate([readings.script_ns, edges[:, 1]]),
    )
    machine = usage_curve(readings.times_ns - origin, readings.machine_ns)
    busy = levelled(machine.within(0.0, length), readings.cores)
    share = Curve(np.array([0.0, length]), np.array([0.0, reserved * length]))
    whole = Curve(np.array([0.0, length]), np.array([0.0, length]))

    even, by_cpu = np.zeros(len(cuts) + 1), np.zeros(len(cuts) + 1)
    machine_j, samples, gaps = 0.0, len(readings.times_ns), []
    for supply in supplies:
        energy = _energy(supply, readings, origin, length, hz, notes)
        if energy is None:
            notes.append(f"{supply.domain.name} has no readings: its energy is not counted")
            continue
        gaps.append(energy.gaps)
        joules = np.diff(energy.energy.values)
        machine_j += float(joules.sum())
        board = supply.domain.resource == "accelerator"
        held: dict[str, Curve] = {supply.domain.resource: whole if board else share}
        grid = Grid(energy.energy.times, np.zeros(1), np.empty(0), np.zeros(1))
        drawn = attribute(
            [Part(cpu, held, cuts)],
            [np.zeros(len(cuts) + 1, int)],
            1,
            busy,
            grid,
            [Supply(joules, supply.idle_w or 0.0, supply.domain.resource, by_cpu=not board)],
        )[0]
        even += drawn.static_j
        if board:
            even += drawn.dynamic_j
        else:
            by_cpu += drawn.dynamic_j
    gaps.append(silences(readings.times_ns - origin, (0.0, length), 1e9 / hz))
    gap_share = covered(np.concatenate(gaps)) / length
    if samples < FEW_SAMPLES:
        notes.append(f"fewer than {FEW_SAMPLES} samples ({samples})")
    if gap_share > GAPS_TOO_MANY:
        notes.append(f"gaps over {GAPS_TOO_MANY:.0%} of the time")
    used = np.diff(cpu.at(bounds))
    foreign = foreign_share(
        float(np.ptp(busy.values)),
        float(used.sum()),
        float(np.ptp(readings.stolen_ns)),
        readings.cores,
        length,
    )
    if foreign > MOST_FOREIGN:
        notes.append(
            f"others used {foreign:.0%} of the machine's CPU time: on a quiet machine the "
            "script may take less time, and so less energy"
        )
    shares = _divided(bounds, starts, ends, spans, origin, used, notes)
    return Account(
        job_j=float(even.sum() + by_cpu.sum()),
        machine_j=machine_j,
        cpu_s=float(used.sum()) * S_PER_NS,
        trial_static_j=shares.of_even(even),
        trial_dynamic_j=shares.of_cpu(by_cpu),
        trial_cpu_s=shares.of_cpu(used) * S_PER_NS,
        held_s=shares.of_even(np.diff(bounds)) * S_PER_NS,
        until_j=np.append(0.0, np.cumsum(even + by_cpu))[shares.last],
        samples=samples,
        gap_share=gap_share,
        foreign_share=foreign,
        notes=notes,
    )


def _energy(
    supply: Supplied,
    readings: Readings,
    origin: int,
    length: float,
    hz: float,
    notes: list[str],
) -> DomainEnergy | None:
    domain = supply.domain
    if supply.idle_w is None and domain.resource != "accelerator":
        notes.append(f"no idle power of {domain.name}: all of its energy is shared by CPU time")
    found = domain_energy(
        readings.times_ns - origin,
        readings.values[domain.name],
        domain.unit,
        domain.method,
        domain.wraps_at,
        (0.0, length),
        1e9 / hz,
        bound_of(supply.kind, domain.resource, domain.max_w),
        supply.most_w,
    )
    if found is not None and (found.unknown or found.why):
        why = ", ".join(found.why) or "the machine's CPU time is not known there"
        notes.append(f"{domain.name}: readings that are not believed ({why}) are gaps")
    return found


@dataclass(frozen=True)
class _Shares:
    """Each trial's segments [first, last), the number of trials open in each segment, and each
    trial's part of the CPU time of its segments."""

    first: np.ndarray
    last: np.ndarray
    count: np.ndarray
    cpu: list[np.ndarray]

    def of_even(self, amounts: np.ndarray) -> np.ndarray:
        """A segment's amount divided evenly."""
        each = np.concatenate([[0.0], np.cumsum(amounts / np.maximum(self.count, 1))])
        return each[self.last] - each[self.first]

    def of_cpu(self, amounts: np.ndarray) -> np.ndarray:
        """A segment's amount divided by CPU time."""
        pairs = zip(self.first, self.last, self.cpu, strict=True)
        return np.array([float(amounts[a:b] @ part) for a, b, part in pairs])


def _divided(
    bounds: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    spans: Sequence[Span],
    origin: int,
    used: np.ndarray,
    notes: list[str],
) -> _Shares:
    """One trial alone has all of a segment. Of several, each has the CPU time of its thread, and
    what is of no such thread (a library's own, another process) is divided evenly."""
    first, last = np.searchsorted(bounds, starts), np.searchsorted(bounds, ends)
    count = np.zeros(len(bounds), int)
    np.add.at(count, first, 1)
    np.add.at(count, last, -1)
    count = np.cumsum(count)[:-1]
    told = np.zeros(len(count))
    own = []
    for a, b, span in zip(first, last, spans, strict=True):
        grown = np.zeros(b - a)
        if span.thread_ns and b > a and count[a:b].max() > 1:
            at, value = np.array(span.thread_ns, float).T
            curve = usage_curve(at - origin, value)
            grown = np.diff(curve.at(bounds[a : b + 1]))
        told[a:b] += grown
        own.append(grown)
    whole = np.maximum(used, told)
    alone = np.maximum(count, 1) == 1
    unknown = np.divide(whole - told, whole, out=np.ones(len(whole)), where=whole > 0)
    unknown[alone] = 1.0
    cpu = [
        np.divide(grown, whole[a:b], out=np.zeros(b - a), where=(whole[a:b] > 0) & ~alone[a:b])
        + unknown[a:b] / np.maximum(count[a:b], 1)
        for a, b, grown in zip(first, last, own, strict=True)
    ]
    if not alone.all():
        _say_overlap(float((whole * unknown)[~alone].sum()), float(whole[~alone].sum()), notes)
    return _Shares(first, last, count, cpu)


def _say_overlap(unknown_ns: float, whole_ns: float, notes: list[str]) -> None:
    said = "trials overlapped: static energy is divided evenly among them, dynamic by thread"
    if whole_ns and unknown_ns > MUCH_SHARED * whole_ns:
        said += (
            f"; {unknown_ns / whole_ns:.0%} of their CPU time was of no trial's own thread, "
            "and is divided evenly too"
        )
    notes.append(said)
