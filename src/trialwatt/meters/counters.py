"""Energy counters read back: differences that survive wraps and missing readings."""

from __future__ import annotations

import numpy as np


def increments(values, wraps_at: int | None) -> np.ndarray:
    """What a counter has grown between neighbouring readings, in its own unit.

    values: n readings, NaN where one is missing. Returns n−1 floats, NaN where a neighbour is
    missing and where the counter fell although it cannot have wrapped (`wraps_at` is None, or it
    fell by more than its range). A fall is taken as one wrap: readings must be closer together
    than the counter's range lasts (minutes, for RAPL).
    """
    steps = np.diff(np.asarray(values, float))
    fell = steps < 0
    if wraps_at is None:
        return np.where(fell, np.nan, steps)
    steps = np.where(fell, steps + wraps_at, steps)
    return np.where(steps < 0, np.nan, steps)


def unwrap(values, wraps_at: int | None) -> np.ndarray:
    """The readings as if the counter had never wrapped; same length, NaN where one is missing.

    Missing readings are bridged, as if there were at most one wrap in the hole. Raises ValueError
    where the counter fell although it cannot have wrapped (see `increments`).
    """
    values = np.asarray(values, float)
    seen = ~np.isnan(values)
    known = values[seen]
    steps = increments(known, wraps_at)
    if np.isnan(steps).any():
        at = int(np.flatnonzero(seen)[int(np.flatnonzero(np.isnan(steps))[0]) + 1])
        raise ValueError(f"the counter fell at reading {at} by more than a wrap explains")
    result = np.full(values.shape, np.nan)
    if known.size:
        # Multiples of the range, not sums of differences: no rounding piles up.
        wraps = np.concatenate([[0], np.cumsum(np.diff(known) < 0)])
        result[seen] = known + wraps * (wraps_at or 0)
    return result
