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
    if len(values) < 2:
        return math.nan, math.nan
    return _student(values, float(values.var(ddof=1)), len(values) - 1, level)


def of_difference(
    values: np.ndarray, one: int, other: int, level: float = LEVEL
) -> tuple[float, float]:
    """Student's interval of the mean difference between two columns of values (blocks, levels).

    Its variance is half that of these differences, half what the other levels say of it: so one
    level that is noisier than the others keeps most of its width, and few blocks do not cost all
    that the other levels tell of the noise. Degrees of freedom: F. Satterthwaite, An Approximate
    Distribution of Estimates of Variance Components, 1946. Of two levels it is that of `of_mean`.
    """
    blocks, levels = values.shape
    away = values[:, one] - values[:, other]
    if blocks < 2 or levels < 3:
        return of_mean(away, level)
    own = float(away.var(ddof=1))
    left = values - values.mean(axis=1, keepdims=True)
    left = left - left.mean(axis=0)
    along = (left[:, one] - left[:, other]) / 2
    left[:, one] -= along
    left[:, other] += along
    freedom = (blocks - 1) * (levels - 2)
    rest = 2 * float((left**2).sum()) / freedom
    total = own + rest
    if not total:
        return of_mean(away, level)
    return _student(away, total / 2, total**2 / (own**2 / (blocks - 1) + rest**2 / freedom), level)


def _student(
    values: np.ndarray, variance: float, freedom: float, level: float
) -> tuple[float, float]:
    from scipy.special import stdtrit

    half = float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(variance / len(values))
    middle = float(values.mean())
    return middle - half, middle + half


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
