from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.meters.counters import increments, unwrap


@st.composite
def counters(draw):
    """True energies (monotone) and the range of the counter that showed them."""
    wraps_at = draw(st.integers(2, 10**12))
    steps = draw(st.lists(st.integers(0, wraps_at - 1), min_size=1, max_size=60))
    start = draw(st.integers(0, wraps_at - 1))
    return np.array([start, *(start + np.cumsum(steps, dtype=np.int64))]), wraps_at


@given(counters())
def test_a_wrapped_counter_is_the_true_one_again(case):
    true, wraps_at = case
    raw = true % wraps_at
    np.testing.assert_array_equal(unwrap(raw, wraps_at), true.astype(float))
    np.testing.assert_array_equal(increments(raw, wraps_at), np.diff(true).astype(float))


@given(counters(), st.data())
def test_missing_readings_stay_missing_and_are_bridged(case, data):
    true, _ = case
    wraps_at = int(true[-1]) + 1  # no wrap: whatever is missing, the rest is known
    missing = np.array(data.draw(st.lists(st.booleans(), min_size=len(true), max_size=len(true))))
    raw = np.where(missing, np.nan, true)
    result = unwrap(raw, wraps_at)
    np.testing.assert_array_equal(np.isnan(result), missing)
    np.testing.assert_array_equal(result[~missing], true[~missing].astype(float))
    steps = increments(raw, wraps_at)
    np.testing.assert_array_equal(np.isnan(steps), missing[1:] | missing[:-1])


@given(counters())
def test_a_counter_without_a_range_is_left_alone(case):
    true, _ = case
    np.testing.assert_array_equal(unwrap(true, None), true.astype(float))


def test_a_wrap_inside_a_hole():
    np.testing.assert_array_equal(
        unwrap([90, np.nan, 10, 20], 100), np.array([90, np.nan, 110, 120])
    )


def test_a_fall_that_is_no_wrap_is_unknown_and_refused():
    np.testing.assert_array_equal(increments([5, 3, 7], None), [np.nan, 4])
    with pytest.raises(ValueError, match="reading 2"):
        unwrap([5, np.nan, 3], None)
    np.testing.assert_array_equal(increments([500, 3], 100), [np.nan])
    with pytest.raises(ValueError, match="reading 1"):
        unwrap([500, 3], 100)


@pytest.mark.parametrize("values", [[], [np.nan], [7.0]])
def test_short_series(values):
    np.testing.assert_array_equal(unwrap(values, 10), np.array(values, float))
    assert increments(values, 10).size == max(0, len(values) - 1)
