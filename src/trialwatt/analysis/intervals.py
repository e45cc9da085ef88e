"""The one way in which repetitions become a middle and a spread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from trialwatt.analysis.censoring import median

ENOUGH = 6
"""From so many repetitions on an interval is worth its name; below it we give the range."""

LEVEL = 0.95
RESAMPLES = 9999
SEED = 20_240_607


Kind = Literal["none", "range", "bootstrap"]


class Summary(NamedTuple):
    """Median and spread of `n` values, in the unit of the values.

    kind "none": no value, all NaN. kind "range": smallest and largest value, no claim of
    coverage. kind "bootstrap": 95 % percentile bootstrap interval of the median.
    """

    median: float
    low: float
    high: float
    kind: Kind
    n: int


def summary(values: Iterable[float]) -> Summary:
    """Median with its 95 % percentile bootstrap interval, or with the range below n = 6.

    Values that are missing (None, NaN) or not finite are not counted. The bootstrap is seeded:
    equal values, in any order, give equal intervals. Source of the rule: docs/methodology,
    "intervals".
    """
    given = np.asarray(
        [math.nan if value is None else float(value) for value in values], dtype=float
    )
    sample = np.sort(given[np.isfinite(given)])
    n = len(sample)
    if n == 0:
        return Summary(math.nan, math.nan, math.nan, "none", 0)
    median = float(np.median(sample))
    if n < ENOUGH:
        return Summary(median, float(sample[0]), float(sample[-1]), "range", n)
    if sample[0] == sample[-1]:
        return Summary(median, median, median, "bootstrap", n)

    from scipy.stats import bootstrap

    result = bootstrap(
        (sample,),
        np.median,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    low, high = map(float, result.confidence_interval)
    return Summary(median, low, high, "bootstrap", n)


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
