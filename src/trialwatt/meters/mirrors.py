"""Counters that show one and the same: each die of a package with the value of its whole socket."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

import numpy as np

from trialwatt.meters.bounds import MOST_W
from trialwatt.meters.counters import increments

SKEW_S = 0.005
"""Two zones are read within so long, with the steps in which their counter is updated."""
LEAST_READINGS = 3
LEAST_UJ = 10_000
"""A counter that has moved by less says nothing: a package draws that in a few ms."""
_DIE = re.compile(r"-die-\d+")


def mirrored(
    times_s: np.ndarray, values: Mapping[str, np.ndarray], wraps_at: Mapping[str, float | None]
) -> dict[str, str]:
    """Name of each counter that only shows another → the name of that one (docs/methodology,
    rule 4).

    times_s: (n,); values: counter → (n,) microjoules, NaN where missing, the first named is kept;
    wraps_at: counter → its range.
    """
    found: dict[str, str] = {}
    kept: dict[str, list[str]] = {}
    for name, own in values.items():
        others = kept.setdefault(_package(name), [])
        for other in others:
            if _is_one(times_s, values[other], own, wraps_at[other]):
                found[name] = other
                break
        else:
            others.append(name)
    return found


def may_mirror(readings: Mapping[str, float], wraps_at: Mapping[str, float | None]) -> bool:
    """Whether two parts of one package stand so near each other, µJ of one moment, that it is worth
    a longer look."""
    pairs = itertools.combinations(readings, 2)
    return any(
        _package(one) == _package(other)
        and _apart(readings[one], readings[other], wraps_at[one]) <= MOST_W["cpu"] * SKEW_S * 1e6
        for one, other in pairs
    )


def said(found: Mapping[str, str]) -> list[str]:
    """A sentence for each."""
    return [f"{name} shows the counter of {other}: counted once" for name, other in found.items()]


def _is_one(
    times_s: np.ndarray, first: np.ndarray, second: np.ndarray, wraps_at: float | None
) -> bool:
    seen = ~(np.isnan(first) | np.isnan(second))
    times, one, other = times_s[seen], first[seen], second[seen]
    if len(times) < LEAST_READINGS:
        return False
    grown = increments(one, wraps_at)
    moved = min(float(np.maximum(np.diff(each), 0).sum()) for each in (one, other))
    if moved < LEAST_UJ:
        return False
    usual_uj_per_s = np.nanmedian(grown / np.diff(times))
    return bool(np.median(_apart(one, other, wraps_at)) <= usual_uj_per_s * SKEW_S)


def _package(name: str) -> str:
    return _DIE.sub("", name)


def _apart(one, other, wraps_at: float | None):
    """The way from one reading to the other, over the end of the range where that is shorter."""
    apart = abs(one - other)
    return apart if wraps_at is None else np.minimum(apart, wraps_at - apart)
