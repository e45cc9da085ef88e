"""Raw readings of a domain → its cumulative energy, and where it was not known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialwatt.meters.bounds import Bound, bound_of
from trialwatt.meters.counters import Rises, rises
from trialwatt.metrics.attribution import S_PER_NS, Curve, levelled

GAP_PERIODS = 2.5
"""An interval longer than this many sampling periods is a gap (docs/methodology, rule 6)."""
FEW_SAMPLES = 60
GAPS_TOO_MANY = 0.05
"""Fewer samples, or a greater share of gaps, are flagged (docs/methodology, rule 6)."""

ANY = bound_of(None, "cpu")
"""The bound of a domain of which nothing is known."""
_NO_SPANS = np.empty((0, 2))


@dataclass(frozen=True)
class DomainEnergy:
    """Cumulative energy in J over a window, and the gaps in it: (g, 2) starts and ends in ns.

    unknown: intervals whose energy a counter, or a model without the CPU time, cannot tell; their
    power is taken from the others, and they are gaps. why: what was not believed, and how often.
    """

    energy: Curve
    gaps: np.ndarray
    unknown: int = 0
    why: tuple[str, ...] = ()


def domain_energy(
    times: np.ndarray,
    values: np.ndarray,
    unit: str,
    method: str,
    wraps_at: int | None,
    window: tuple[float, float],
    period_ns: float,
    bound: Bound = ANY,
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
    why: tuple[str, ...] = ()
    if unit == "w" and method != "modelled":
        values, why = _believed(values, bound)
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < 2:
        return None
    t, v = times[known], values[known]
    first, last = window
    if t[-1] <= first or t[0] >= last:
        return None
    dt = np.diff(t)
    if unit == "uj":
        grown = rises(dt * S_PER_NS, v, wraps_at, bound)
        joules, why = grown.uj * 1e-6, _reasons(grown)
    else:
        watts = v[1:] if method == "modelled" else (v[1:] + v[:-1]) / 2
        joules = watts * dt * S_PER_NS
        joules[_touched(t, unmodelled if method == "modelled" else _NO_SPANS)] = math.nan
    unknown = np.isnan(joules)
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
    spans = spans[spans[:, 1] > spans[:, 0]]
    energy = Curve(t, cumulative).within(first, last)
    if method == "modelled":
        energy = levelled(energy, most_w * S_PER_NS)
    return DomainEnergy(energy, spans, int(unknown.sum()), why)


def _touched(times: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Which intervals (n − 1,) between sorted times (n,) overlap any of the spans (g, 2)."""
    found = np.zeros(len(times) - 1, bool)
    for start, end in spans:
        found |= (times[:-1] < end) & (times[1:] > start)
    return found


def _reasons(found: Rises) -> tuple[str, ...]:
    """Why intervals of a counter are not known, and how many for each reason."""
    return _counted(
        (found.restarted, "it fell without a wrap"),
        (found.too_fast, f"it rose by more than {found.believed_w:g} W"),
        (found.rewrapped, "it may have wrapped more than once"),
    )


def _believed(values: np.ndarray, bound: Bound) -> tuple[np.ndarray, tuple[str, ...]]:
    """Polled watts without those that the hardware cannot draw."""
    possible = values[values <= bound.most_w]
    most_w = bound.believed_w(float(np.median(possible)) if len(possible) else 0.0)
    beyond = values > most_w
    return np.where(beyond, np.nan, values), _counted((beyond, f"above {most_w:g} W"))


def _counted(*reasons: tuple[np.ndarray, str]) -> tuple[str, ...]:
    counts = ((int(np.count_nonzero(mask)), said) for mask, said in reasons)
    return tuple(f"{said} ({count})" for count, said in counts if count)


def silences(times: np.ndarray, window: tuple[float, float], period_ns: float) -> np.ndarray:
    """Stretches of a window without a reading that are gaps: (g, 2) starts and ends in ns."""
    bounds = np.clip(np.concatenate([window[:1], times, window[1:]]), *window)
    gap = np.diff(bounds) > GAP_PERIODS * period_ns
    return np.column_stack([bounds[:-1][gap], bounds[1:][gap]])


def percent(share: float) -> str:
    """A share of gaps in percent: more than none is never rounded to none, nor is it written as a
    power of ten."""
    value = max(share * 100, 0.01) if share else 0.0
    return f"{value:.0f}" if value >= 99.5 else f"{value:.2g}"


def covered(spans: np.ndarray) -> float:
    """Length of the union of spans (g, 2)."""
    total, reach = 0.0, -np.inf
    for start, end in spans[np.argsort(spans[:, 0])]:
        total += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return total
