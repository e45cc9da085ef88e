import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from trialwatt.analysis.intervals import (
    ENOUGH,
    of_difference,
    of_mean,
    over_blocks,
    resampled,
    summary,
)

finite = st.floats(-1e6, 1e6, allow_nan=False)


def test_no_value_is_not_zero():
    for values in ([], [math.nan], [None, math.nan], [math.inf]):
        got = summary(values)
        assert got.kind == "none" and got.n == 0
        assert all(map(math.isnan, (got.median, got.low, got.high)))


def test_one_value_is_its_own_range():
    assert summary([3.5]) == (3.5, 3.5, 3.5, "range", 1)


def test_missing_values_are_not_counted():
    assert summary([1.0, math.nan, 3.0, None, 2.0]) == (2.0, 1.0, 3.0, "range", 3)


@given(st.lists(finite, min_size=1, max_size=ENOUGH - 1))
def test_below_six_it_is_the_range(values):
    got = summary(values)
    assert (got.low, got.high, got.kind, got.n) == (min(values), max(values), "range", len(values))
    assert got.median == np.median(values)


@settings(max_examples=15, deadline=None)
@given(st.lists(finite, min_size=ENOUGH, max_size=12))
def test_from_six_on_the_interval_holds_the_median(values):
    got = summary(values)
    assert got.kind == "interval" and got.n == len(values)
    assert min(values) <= got.low <= got.median <= got.high <= max(values)


def test_ties():
    assert summary([2.0] * 8) == (2.0, 2.0, 2.0, "interval", 8)
    assert summary([1, 1, 1, 1, 1, 1, 9]).low == 1


def test_order_does_not_matter():
    values = [5.0, 1.0, 4.0, 2.0, 3.0, 7.0, 6.0]
    assert summary(values) == summary(values) == summary(sorted(values))


@pytest.mark.parametrize("n", [6, 7, 10])
def test_the_interval_covers_as_often_as_it_says(n):
    """Of any distribution; a bootstrap of seven values covered 87 %."""
    rng = np.random.default_rng(n)
    for draw, middle in ((rng.standard_normal, 0.0), (rng.standard_exponential, math.log(2))):
        found = [summary(draw(n)) for _ in range(500)]
        assert np.mean([one.low <= middle <= one.high for one in found]) >= 0.93


def test_the_interval_by_hand():
    """Of six values all but 2 of 64 orders of above and below hold the median between the ends."""
    assert summary([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])[1:3] == (1.0, 32.0)


@pytest.mark.parametrize(("n", "at_least"), [(5, 0.88), (7, 0.91), (10, 0.92)])
def test_intervals_over_blocks_cover_as_often_as_they_say(n, at_least):
    """Plain percentiles of a bootstrap: 83 % at n = 5."""
    rng = np.random.default_rng(n)
    drawn = resampled(n, 1999)
    samples = rng.standard_normal((400, n))
    boot = [over_blocks(values[drawn].mean(axis=1), n) for values in samples]
    assert np.mean([low <= 0 <= high for low, high in boot]) >= at_least
    exact = [of_mean(values) for values in samples]
    assert np.mean([low <= 0 <= high for low, high in exact]) >= 0.93
    assert exact[0] == pytest.approx(ttest_1samp(samples[0], 0).confidence_interval(0.95))


@pytest.mark.parametrize("levels", [3, 6])
def test_other_levels_tell_of_the_noise_of_a_difference(levels):
    """The interval is narrower than that of the two levels alone, and covers as often."""
    rng = np.random.default_rng(levels)
    samples = rng.standard_normal((600, 5, levels)) + 3 * rng.standard_normal((600, 5, 1))
    found = np.array([of_difference(values, 0, levels - 1) for values in samples])
    alone = np.array([of_mean(values[:, 0] - values[:, -1]) for values in samples])
    assert np.mean((found[:, 0] <= 0) & (found[:, 1] >= 0)) >= 0.93
    assert np.ptp(found, axis=1).mean() < 0.95 * np.ptp(alone, axis=1).mean()


def test_a_difference_of_two_levels_is_their_own():
    values = np.array([[1.0, 2.0], [2.0, 2.5], [4.0, 3.0]])
    assert of_difference(values, 0, 1) == of_mean(values[:, 0] - values[:, 1])
    constant = np.arange(4.0)[:, None] + np.array([0.0, 1.0, 5.0])
    assert of_difference(constant, 2, 0) == pytest.approx((5.0, 5.0))


def test_intervals_take_infinite_values():
    low, high = over_blocks(np.array([1.0] * 50 + [np.inf] * 50), 10)
    assert (low, high) == (1.0, np.inf)
    assert np.isnan(over_blocks(np.array([np.nan]), 10)).all()
    assert np.isnan(over_blocks(np.array([1.0]), 1)).all()
