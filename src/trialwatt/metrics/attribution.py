"""Who drew the energy: docs/methodology, rule 2, over plain arrays.

In each interval between two readings the machine drew E. Static energy, min(P_idle·dt, E), is
shared by reservation × time; dynamic energy, E − static, by CPU time. What nobody of the run has
reserved or used is *other*. Both follow piecewise linear curves (reserved share-seconds, CPU
time), so that a component's energy over any span is a difference of sums, and all parts add up.

Times are float64 nanoseconds since the start of the run (exact below 2**53).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

S_PER_NS = 1e-9


@dataclass(frozen=True)
class Curve:
    """A piecewise linear function of time, constant outside of its knots; arrays (k,)."""

    times: np.ndarray
    values: np.ndarray

    def at(self, times: np.ndarray) -> np.ndarray:
        if not len(self.times):
            return np.zeros(len(times))
        return np.interp(times, self.times, self.values)

    def within(self, start: float, end: float) -> Curve:
        """The same from start to end, with knots there."""
        inside = self.times[(self.times > start) & (self.times < end)]
        times = np.concatenate([[start], inside, [end]])
        return Curve(times, self.at(times))


@dataclass(frozen=True)
class Part:
    """A component as the attribution sees it.

    cpu: its cumulative CPU time (any unit, the same for all parts and the machine).
    reserved: resource → its reserved share × time (share-ns), see `reservations`.
    cuts: (k,) sorted times at which the owner of its energy changes; segment 0 lies before the
    first cut, segment j after cut j−1.
    """

    cpu: Curve
    reserved: dict[str, Curve]
    cuts: np.ndarray


@dataclass(frozen=True)
class Supply:
    """The energy of one domain in each interval of an axis.

    energy_j: (n,) for an axis of n + 1 times. idle_w: power that is shared by reservation of
    `resource`. by_cpu: whether the rest follows CPU time; else it follows the reservation too (an
    accelerator goes to who holds it).
    """

    energy_j: np.ndarray
    idle_w: float
    resource: str
    by_cpu: bool = True


@dataclass(frozen=True)
class Rates:
    """What a supply gives in each interval (n,): J per reserved share-ns, static and dynamic, and J
    per CPU ns."""

    resource: str
    static: np.ndarray
    dynamic: np.ndarray
    by_cpu: np.ndarray


@dataclass(frozen=True)
class Drawn:
    """What one part drew, in J.

    static_j, dynamic_j: (segments,). cells_j: (segments' kinds, steps, slots): by the kind of
    segment, by lifecycle step, and by the slot between marks.
    weighted: (segments,) energy × the weight of its slot.
    """

    static_j: np.ndarray
    dynamic_j: np.ndarray
    weighted: np.ndarray
    cells_j: np.ndarray


@dataclass(frozen=True)
class Grid:
    """The times that all parts share.

    axis: (n + 1,) ends of the intervals. starts: (steps,) sorted starts of the lifecycle steps;
    what lies before the first is its. marks: (s − 1,) sorted times that divide the run into s
    slots; weights: (s,) one per slot (a carbon intensity). Starts and marks change no energy, they
    only say where sums are split.
    """

    axis: np.ndarray
    starts: np.ndarray
    marks: np.ndarray
    weights: np.ndarray


def reservations(
    lives: Sequence[Sequence[tuple[float, float]]], shares: Sequence[float]
) -> list[Curve]:
    """Reserved share × time of each component, cumulative (share-ns).

    lives: per component its (start, end) spans; shares: per component its part of the machine.
    Where the shares of a moment sum to more than 1 they are normalised to 1.
    """
    bounds = np.unique(np.array([t for spans in lives for span in spans for t in span], float))
    if len(bounds) < 2:
        return [Curve(np.empty(0), np.empty(0)) for _ in lives]
    active = np.zeros((len(lives), len(bounds) - 1))
    for row, spans in zip(active, lives, strict=True):
        for start, end in spans:
            row[np.searchsorted(bounds, start) : np.searchsorted(bounds, end)] = 1
    reserved = active * np.asarray(shares, float)[:, None]
    reserved /= np.maximum(reserved.sum(axis=0), 1.0)
    grown = np.cumsum(reserved * np.diff(bounds), axis=1)
    return [Curve(bounds, np.concatenate([[0.0], row])) for row in grown]


def usage_curve(times: np.ndarray, cpu: np.ndarray) -> Curve:
    """Cumulative CPU time from readings of a counter, in any order; NaN is left out.

    Readings that fall back (two processes read the counter a moment apart) are lifted to the
    highest so far.
    """
    known = ~np.isnan(cpu)
    times, cpu = times[known], cpu[known]
    if not np.all(times[1:] >= times[:-1]):
        order = np.argsort(times, kind="stable")
        times, cpu = times[order], cpu[order]
    return Curve(times, np.maximum.accumulate(cpu) if len(cpu) else cpu)


def levelled(curve: Curve, most: float) -> Curve:
    """The curve without a rise of more than `most` per ns, with the same ends.

    A counter of ticks tells in a short interval what was used, in part, before it. What is more
    than there can be is moved into the intervals before, no further than it takes; what began
    before the first knot, into those after. Where the whole rises faster than `most` it is even.
    """
    times, values = curve.times, curve.values
    if len(times) < 2 or not np.any(np.diff(values) > most * np.diff(times)):
        return curve
    since = times - times[0]
    most = max(most, (values[-1] - values[0]) / since[-1])
    above = values - most * since
    least = np.maximum.accumulate(above[::-1])[::-1]  # of a curve that is never below this one
    early = np.where(least > above, least + most * since, values)
    return Curve(times, np.clip(early, values[0], np.minimum(values[0] + most * since, values[-1])))


def attribute(
    parts: Sequence[Part],
    kinds: Sequence[np.ndarray],
    kind_count: int,
    machine_cpu: Curve,
    grid: Grid,
    supplies: Sequence[Supply],
) -> list[Drawn]:
    """The energy of each part, over all domains in `supplies` (which share the grid's axis).

    kinds: per part an int array (segments,), the kind of each of its segments.
    What is left of a supply after all parts is *other*.
    """
    axis = grid.axis
    length_ns = np.diff(axis)
    cpu = np.diff(machine_cpu.at(axis))
    total_cpu = np.maximum(cpu, sum((np.diff(p.cpu.at(axis)) for p in parts), np.zeros(len(cpu))))
    per_cpu = np.divide(1.0, total_cpu, out=np.zeros(len(cpu)), where=total_cpu > 0)
    rates = [_rates(supply, length_ns, per_cpu) for supply in supplies]
    return [
        _draw(part, kind, kind_count, grid, rates) for part, kind in zip(parts, kinds, strict=True)
    ]


def _rates(supply: Supply, length_ns: np.ndarray, per_cpu: np.ndarray) -> Rates:
    static = np.minimum(supply.idle_w * length_ns * S_PER_NS, supply.energy_j)
    dynamic, nothing = supply.energy_j - static, np.zeros(len(length_ns))
    if supply.by_cpu:
        return Rates(supply.resource, static / length_ns, nothing, dynamic * per_cpu)
    return Rates(supply.resource, static / length_ns, dynamic / length_ns, nothing)


def _draw(
    part: Part, kinds: np.ndarray, kind_count: int, grid: Grid, rates: Sequence[Rates]
) -> Drawn:
    """Cut the part's time at every knot that it has, and sum the pieces by their owner."""
    knots = (part.cuts, part.cpu.times, grid.marks, grid.starts, *_times(part.reserved))
    bounds = _merged(grid.axis, *knots)
    middle = (bounds[1:] + bounds[:-1]) / 2
    interval = np.searchsorted(grid.axis, middle, side="right") - 1
    step = np.maximum(np.searchsorted(grid.starts, middle, side="right") - 1, 0)
    segment = np.searchsorted(part.cuts, middle, side="right")
    slot = np.searchsorted(grid.marks, middle, side="right")
    used = np.diff(part.cpu.at(bounds))
    held = {resource: np.diff(curve.at(bounds)) for resource, curve in part.reserved.items()}
    static, dynamic = np.zeros(len(middle)), np.zeros(len(middle))
    for given in rates:
        if given.resource in held:
            static += given.static[interval] * held[given.resource]
            dynamic += given.dynamic[interval] * held[given.resource]
        dynamic += given.by_cpu[interval] * used
    segments, steps, slots = len(part.cuts) + 1, len(grid.starts), len(grid.marks) + 1
    energy = static + dynamic
    cell = (kinds[segment] * steps + step) * slots + slot
    shape = (kind_count, steps, slots)
    return Drawn(
        static_j=np.bincount(segment, static, segments),
        dynamic_j=np.bincount(segment, dynamic, segments),
        weighted=np.bincount(segment, energy * grid.weights[slot], segments),
        cells_j=np.bincount(cell, energy, int(np.prod(shape))).reshape(shape),
    )


def _times(curves: dict[str, Curve]) -> list[np.ndarray]:
    return [curve.times for curve in curves.values()]


def _merged(axis: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """All distinct times within the axis, sorted."""
    times = np.concatenate([axis, *(t for t in others if len(t))])
    times = times[(times >= axis[0]) & (times <= axis[-1])]
    times.sort(kind="stable")
    distinct = np.ones(len(times), bool)
    distinct[1:] = times[1:] != times[:-1]
    return times[distinct]
