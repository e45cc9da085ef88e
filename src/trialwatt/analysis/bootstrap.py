"""Resampling within groups: medians, and intervals of what follows from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trialwatt.analysis.censoring import median
from trialwatt.analysis.intervals import ENOUGH, SEED


def medians(
    values: Sequence[np.ndarray], censored: Sequence[np.ndarray], resamples: int
) -> np.ndarray:
    """(groups, resamples): the median of each group, resampled within it.

    The seed is fixed and the groups are sorted first: equal data in any order give equal results.
    """
    rng = np.random.default_rng(SEED)
    result = np.full((len(values), resamples), np.nan)
    for row, value, cut in zip(result, values, censored, strict=True):
        if len(value):
            order = np.lexsort((cut, value))
            drawn = order[rng.integers(len(value), size=(resamples, len(value)))]
            row[:] = median(value[drawn], cut[drawn])
    return result


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 2.5 % and 97.5 % percentile; infinite values count, NaN do not."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)


def kind(smallest_group: int) -> str:
    """What such an interval may be called."""
    return "95 % bootstrap" if smallest_group >= ENOUGH else "bootstrap, fewer than six runs"
