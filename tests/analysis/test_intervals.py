import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwatt.analysis.intervals import ENOUGH, summary

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
    assert got.kind == "bootstrap" and got.n == len(values)
    assert min(values) <= got.low <= got.median <= got.high <= max(values)


def test_ties():
    assert summary([2.0] * 8) == (2.0, 2.0, 2.0, "bootstrap", 8)
    assert summary([1, 1, 1, 1, 1, 1, 9]).low == 1


def test_order_does_not_matter_and_the_seed_holds():
    values = [5.0, 1.0, 4.0, 2.0, 3.0, 7.0, 6.0]
    assert summary(values) == summary(values) == summary(sorted(values))


def test_the_bootstrap_against_all_resamples_of_six_values():
    """The 6^6 resamples can be listed: the exact percentile interval is the judge."""
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    medians = np.median(values[np.array(list(product(range(6), repeat=6)))], axis=1)
    exact = np.percentile(medians, [2.5, 97.5])
    got = summary(values)
    assert (got.low, got.high) == pytest.approx(tuple(exact), rel=0.15)


def test_the_interval_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(60):
        got = summary(rng.normal(10, 1, size=10))
        hits += got.low <= 10 <= got.high
    assert hits >= 50  # nominal 57 of 60
