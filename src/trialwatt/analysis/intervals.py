"""The one way in which repetitions become a middle and a spread."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np

ENOUGH = 6
"""From so many repetitions on an interval is worth its name; below it we give the range."""

LEVEL = 0.95
SEED = 20_240_607


Kind = Literal["none", "range", "interval"]


class Summary(NamedTuple):
    """Median and spread of `n` values, in the unit of the values.

    kind "none": no value, all NaN. kind "range": smallest and largest value, no claim of
    coverage. kind "interval": two of the values, between which the median of all that might be
    measured lies with a probability of at least 95 %, whatever their distribution.
    """

    median: float
    low: float
    high: float
    kind: Kind
    n: int


def summary(values: Iterable[float]) -> Summary:
    """Median with its 95 % interval by order statistics, or with the range below n = 6.

    Values that are missing (None, NaN) or not finite are not counted. A bootstrap of so few values
    would cover less than it says (87 % at n = 7). Source: W. Conover, Practical Nonparametric
    Statistics, 1999, as scipy.stats.quantile_test has it.
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
    from scipy.stats import quantile_test

    low, high = map(float, quantile_test(sample, p=0.5).confidence_interval(LEVEL))
    return Summary(median, low, high, "interval", n)


def resampled(blocks: int, resamples: int) -> np.ndarray:
    """(resamples, blocks) indices of blocks, drawn with replacement; seeded."""
    return np.random.default_rng(SEED).integers(blocks, size=(resamples, blocks))


def of_mean(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Student's interval of the mean of values, one of each block."""
    from scipy.special import stdtrit

    if len(values) < 2:
        return math.nan, math.nan
    half = float(stdtrit(len(values) - 1, (1 + level) / 2) * values.std(ddof=1))
    middle = float(values.mean())
    return middle - half / math.sqrt(len(values)), middle + half / math.sqrt(len(values))


def over_blocks(sample: np.ndarray, blocks: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of what is no mean from its bootstrap sample over so many blocks.

    Percentiles further out than those of `level`, as few blocks need: the plain ones cover too
    seldom. With five blocks these do so as well, for no resample leaves the range of the values.
    Infinite values count, NaN do not. Source: T. Hesterberg, What Teachers Should Know About the
    Bootstrap, 2015 (expanded percentile interval).
    """
    from scipy.special import ndtr, stdtrit

    known = sample[~np.isnan(sample)]
    if not len(known) or blocks < 2:
        return math.nan, math.nan
    outer = ndtr(math.sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, (1 - level) / 2))
    low, high = np.quantile(known, [outer, 1 - outer], method="inverted_cdf")
    return float(low), float(high)
