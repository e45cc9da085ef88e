"""The one way in which repetitions become a middle and a spread."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np

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
