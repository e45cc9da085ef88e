"""Raw readings of a domain → its cumulative energy, and where it was not known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialwatt.meters.counters import increments
from trialwatt.metrics.attribution import S_PER_NS, Curve, levelled

GAP_PERIODS = 2.5
"""An interval longer than this many sampling periods is a gap (docs/methodology, rule 6)."""

SAFE_SHARE = 0.5
"""A gap in which a counter would use up more of its range than this may hide a wrap."""


_NO_SPANS = np.empty((0, 2))


@dataclass(frozen=True)
class DomainEnergy:
    """Cumulative energy in J over a window, and the gaps in it: (g, 2) starts and ends in ns.

    unknown: intervals whose energy cannot be told, because a counter fell without having wrapped or
    may have wrapped more than once, or a model knew no CPU time; their power is taken from the
    others, and they are gaps.
    """

    energy: Curve
    gaps: np.ndarray
    unknown: int = 0


def domain_energy(
    times: np.ndarray,
    values: np.ndarray,
    unit: str,
    method: str,
    wraps_at: int | None,
    window: tuple[float, float],
    period_ns: float,
    most_w: float = math.inf,
    unmodelled: np.ndarray = _NO_SPANS,
) -> DomainEnergy | None:
    """Integrate one domain (docs/methodology, rule 4); None where less than two readings are known,
    or none of them tells anything of the window.

    times (n,) in ns, sorted; values (n,) raw, NaN where missing. A counter ("uj") gives the
    energy between two readings as their difference, over gaps too. Watts that are modelled are
    the mean since the last sample, so the value at an interval's end counts for all of it; polled
    watts are momentary, so the trapezoid counts. Outside of the first and last reading the power
    of the nearest interval is taken on to the window's ends; a gap where that is long.
    most_w: what a model can give; more, in a short interval, is of those before it. unmodelled:
    (g, 2) spans of CPU time that a model did not know.
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < 2:
        return None
    t, v = times[known], values[known]
    first, last = window
    if t[-1] <= first or t[0] >= last:
        return None
    dt = np.diff(t)
    if unit == "uj":
        joules = increments(v, wraps_at) * 1e-6
        unknown = np.isnan(joules) | _may_wrap_again(joules, dt, wraps_at)
    else:
        watts = v[1:] if method == "modelled" else (v[1:] + v[:-1]) / 2
        joules = watts * dt * S_PER_NS
        unknown = _touched(t, unmodelled if method == "modelled" else _NO_SPANS)
    if unknown.all():
        return None
    if unknown.any():
        mean_w = joules[~unknown].sum() / (dt[~unknown].sum() * S_PER_NS)
        joules[unknown] = mean_w * dt[unknown] * S_PER_NS
    gap = (dt > GAP_PERIODS * period_ns) | (np.diff(known) > 1) | unknown
    spans = [np.column_stack([t[:-1][gap], t[1:][gap]])]
    cumulative = np.concatenate([[0.0], np.cumsum(joules)])
    if first < t[0]:
        before = joules[0] / dt[0] * (t[0] - first)
        t, cumulative = np.insert(t, 0, first), np.insert(cumulative, 0, cumulative[0] - before)
        if t[1] - first > GAP_PERIODS * period_ns:
            spans.append(np.array([[first, t[1]]]))
    if last > t[-1]:
        after = joules[-1] / dt[-1] * (last - t[-1])
        if last - t[-1] > GAP_PERIODS * period_ns:
            spans.append(np.array([[t[-1], last]]))
        t, cumulative = np.append(t, last), np.append(cumulative, cumulative[-1] + after)
    spans = np.clip(np.concatenate(spans), first, last)
    energy = Curve(t, cumulative).within(first, last)
    if method == "modelled":
        energy = levelled(energy, most_w * S_PER_NS)
    return DomainEnergy(energy, spans[spans[:, 1] > spans[:, 0]], int(unknown.sum()))


def _touched(times: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Which intervals (n − 1,) between sorted times (n,) overlap any of the spans (g, 2)."""
    found = np.zeros(len(times) - 1, bool)
    for start, end in spans:
        found |= (times[:-1] < end) & (times[1:] > start)
    return found


def _may_wrap_again(joules: np.ndarray, dt: np.ndarray, wraps_at: int | None) -> np.ndarray:
    """Intervals so long that, at the usual power, the counter's range may be used up in them."""
    known = ~np.isnan(joules)
    if wraps_at is None or not known.any():
        return np.zeros(len(dt), bool)
    usual_w = np.median(joules[known] / (dt[known] * S_PER_NS))
    longer = dt > 2 * np.median(dt)  # readings at the usual pace are close enough together
    return longer & (usual_w * dt * S_PER_NS > SAFE_SHARE * wraps_at * 1e-6)


def silences(times: np.ndarray, window: tuple[float, float], period_ns: float) -> np.ndarray:
    """Stretches of a window without a reading that are gaps: (g, 2) starts and ends in ns."""
    bounds = np.clip(np.concatenate([window[:1], times, window[1:]]), *window)
    gap = np.diff(bounds) > GAP_PERIODS * period_ns
    return np.column_stack([bounds[:-1][gap], bounds[1:][gap]])


def covered(spans: np.ndarray) -> float:
    """Length of the union of spans (g, 2)."""
    total, reach = 0.0, -np.inf
    for start, end in spans[np.argsort(spans[:, 0])]:
        total += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return total
