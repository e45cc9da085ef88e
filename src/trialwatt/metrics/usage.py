"""CPU counters of a run → curves: what a counter cannot have done left out, and said."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trialwatt.metrics.attribution import Curve, usage_curve
from trialwatt.records.reader import Component, RunRecords

COUNTER_SLACK_NS = 50e6
"""Two processes that read one counter a moment apart may differ by this."""
LATE_NS = 1e9
"""A counter that is sampled by another machine may tell a second's CPU time at once."""
OVER_LIMIT = 2.0
"""Times its limit that a component may use for a moment where the kernel holds it."""
BASE_SLACK = 1.5
NO_SPANS = np.empty((0, 2))


@dataclass
class Usage:
    """What the components of a run used, and what is to be said of that.

    gaps: component → (g, 2) spans in which its use is not known.
    """

    records: RunRecords
    origin: int
    notes: list[str]
    gaps: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def cores(self) -> float:
        return float(self.records.manifest["host"]["cores"])

    @property
    def unknown(self) -> np.ndarray:
        """(g, 2) spans in which the use of anybody is not known."""
        return np.concatenate([NO_SPANS, *self.gaps.values()])

    @property
    def unknown_of_machine(self) -> np.ndarray:
        return self.gaps.get("machine", NO_SPANS)

    @property
    def flags(self) -> list[str]:
        if not self.gaps:
            return []
        return [
            f"CPU counter of {', '.join(self.gaps)} falls, or rises by more than its cores can "
            "use: what was used then is not known"
        ]

    def track(self, name: str, cores: float) -> tuple[np.ndarray, np.ndarray]:
        """Times and readings of a component's samples, as `sound` has them; empty without any."""
        track = self.records.usage.get(name)
        if track is None:
            return np.empty(0), np.empty(0)
        seen = ~np.isnan(track.cpu_ns)
        times, cpu = track.times_ns[seen] - self.origin, track.cpu_ns[seen]
        if np.any(np.diff(cpu) < 0):
            self.notes.append(f"samples/usage.csv: the CPU counter of {name} fell; lifted")
        return times, self._sound(name, times, cpu, cores)

    def machine(self) -> Curve:
        return Curve(*self.track("machine", self.cores))

    def harness(self) -> Curve:
        return Curve(*self.track("harness", self.cores))

    def component(self, component: Component, knots: np.ndarray, knot_cpu: np.ndarray) -> Curve:
        """Cumulative CPU ns: samples, the knots of its trials, 0 at its start, and its last
        counter (docs/methodology, rule 2)."""
        start, end = (component.lives[i][i] - self.origin for i in (0, -1))
        cores = self._cores_of(component)
        times, cpu = self.track(component.name, cores)
        knot_cpu = _aligned(times, cpu, knots, knot_cpu, component.name, self.notes)
        knot_cpu = _between(times, cpu, knots, knot_cpu, LATE_NS * self.cores)
        times, cpu = np.concatenate([times, knots]), np.concatenate([cpu, knot_cpu])
        if component.cpu_ns is not None:
            times, cpu = np.append(times, end), np.append(cpu, component.cpu_ns)
        curve = usage_curve(times, cpu)
        curve = Curve(curve.times, self._sound(component.name, curve.times, curve.values, cores))
        base = self._base(component.name, curve, start)
        return usage_curve(
            np.concatenate([[min([start, *curve.times[:1]])], curve.times]),
            np.concatenate([[base], curve.values]),
        )

    def _cores_of(self, component: Component) -> float:
        kind = (self.records.manifest.get("enforcement") or {}).get("kind") or "soft"
        return self.cores if kind == "soft" else min(self.cores, OVER_LIMIT * component.cpu)

    def _sound(self, name: str, times: np.ndarray, cpu: np.ndarray, cores: float) -> np.ndarray:
        cpu, unknown = sound(times, cpu, cores, LATE_NS * self.cores)
        if len(unknown):
            self.gaps[name] = np.concatenate([self.gaps.get(name, NO_SPANS), unknown])
        return cpu

    def _base(self, name: str, curve: Curve, start: float) -> float:
        """The counter at the component's start: 0, unless its first reading says that it was more
        than all cores can have used since."""
        if not len(curve.times):
            return 0.0
        first, value = curve.times[0], float(curve.values[0])
        if value <= BASE_SLACK * self.cores * max(first - start, 0) + COUNTER_SLACK_NS:
            return 0.0
        self.notes.append(
            f"{name}: its CPU counter did not start at 0; "
            "CPU time before its first reading is not counted"
        )
        return value


def sound(
    times: np.ndarray, cpu: np.ndarray, cores: float, late_ns: float
) -> tuple[np.ndarray, np.ndarray]:
    """A counter without the steps that it cannot have made, and the spans (g, 2) of those.

    times, cpu: (n,), sorted, without NaN. A step is none where the counter falls by more than two
    readers differ, or rises by more than `cores` can use since the value before was first seen,
    and `late_ns`. Lesser falls are lifted.
    """
    if not len(cpu):
        return cpu, NO_SPANS
    steps = np.diff(cpu)
    changed = np.where(steps != 0, np.arange(1, len(cpu)), 0)
    since = times[np.maximum.accumulate(np.append(0, changed))][:-1]
    wrong = (steps < -COUNTER_SLACK_NS) | (steps > cores * (times[1:] - since) + late_ns)
    if wrong.any():
        cpu = cpu[0] + np.append(0.0, np.cumsum(np.where(wrong, 0.0, steps)))
    spans = np.column_stack([since[wrong], times[1:][wrong]])
    return np.maximum.accumulate(cpu), spans


def _aligned(
    times: np.ndarray,
    cpu: np.ndarray,
    knots: np.ndarray,
    knot_cpu: np.ndarray,
    name: str,
    notes: list[str],
) -> np.ndarray:
    """The trials' CPU counters in terms of the samples' counter, where the two differ in origin."""
    inside = ~np.isnan(knot_cpu)
    if not len(times) or not inside.any():
        return knot_cpu
    inside &= (knots >= times[0]) & (knots <= times[-1])
    if not inside.any():
        return knot_cpu
    at, value = knots[inside], knot_cpu[inside]
    after = np.clip(np.searchsorted(times, at), 1, len(times) - 1) if len(times) > 1 else 0
    low, high = cpu[after - 1], cpu[after]
    outside = np.maximum(value - high, 0) - np.maximum(low - value, 0)
    if abs(np.median(outside)) <= COUNTER_SLACK_NS:
        return knot_cpu
    shift = float(np.median(value - np.interp(at, times, cpu)))
    notes.append(
        f"{name}: the CPU counters of its trials and of its samples differ by "
        f"{shift / 1e9:.2f} s; moved onto the samples'"
    )
    return knot_cpu - shift


def _between(
    times: np.ndarray, cpu: np.ndarray, knots: np.ndarray, knot_cpu: np.ndarray, late_ns: float
) -> np.ndarray:
    """The trials' CPU counters, NaN where the samples around them say that they cannot be."""
    if not len(times):
        return knot_cpu
    after = np.searchsorted(times, knots)
    known = after < len(times)
    above = known & (knot_cpu > cpu[np.minimum(after, len(cpu) - 1)] + late_ns)
    return np.where(above, np.nan, knot_cpu)
