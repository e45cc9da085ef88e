"""Counters against hardware that is known: what it drew comes back, or is not known; never more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.meters.bounds import COLLECTED_UPDATE_S, MOST_W, UPDATE_S, bound_of
from trialwatt.meters.counters import increments, rises
from trialwatt.meters.nvml import Nvml
from trialwatt.meters.prometheus import PrometheusMeter
from trialwatt.meters.rapl import Rapl

AMD, INTEL = 65_532_610_987, 262_143_328_850
PACKAGE = bound_of(Rapl, "cpu")
ANYTHING = bound_of(PrometheusMeter, "cpu")


def readings(watts, seconds, start: int, wraps_at: int | None):
    """A counter that was read each `seconds`, while hardware drew so many watts: the energies
    between readings in µJ, and what was read."""
    true = [round(w * s * 1e6) for w, s in zip(watts, seconds, strict=True)]
    total = start + np.concatenate([[0], np.cumsum(true, dtype=np.int64)])
    return np.array(true, float), (total % wraps_at if wraps_at else total).astype(float)


@st.composite
def runs(draw):
    """Watts that a package can draw, at most twice as many as before, and the seconds between
    readings at 5 Hz, ticks among them."""
    count, least_w = draw(st.integers(3, 40)), draw(st.floats(1, 250))
    watts = draw(st.lists(st.floats(least_w, 2 * least_w), min_size=count, max_size=count))
    seconds = draw(st.lists(st.floats(0.01, 0.2), min_size=count, max_size=count))
    return watts, np.array(seconds)


@given(runs(), st.sampled_from([AMD, INTEL]), st.integers(0, 4 * 10**9))
def test_what_hardware_drew_comes_back_through_wraps(run, wraps_at, left):
    """Which come within the run, or after it."""
    watts, seconds = run
    true, raw = readings(watts, seconds, wraps_at - left, wraps_at)
    found = rises(seconds, raw, wraps_at, PACKAGE)
    np.testing.assert_allclose(found.uj, true, atol=1)
    assert not (found.restarted | found.too_fast | found.rewrapped).any()


@given(runs(), st.sampled_from([None, AMD, INTEL]), st.integers(0, AMD - 1), st.data())
def test_no_restart_gives_more_than_the_hardware_can(run, wraps_at, start, data):
    """Wherever the counter begins again: that interval is not known, or within the bound; the
    others are what they were."""
    watts, seconds = run
    true, raw = readings(watts, seconds, start, wraps_at)
    at = data.draw(st.integers(1, len(seconds)))
    raw = np.concatenate([raw[:at], raw[at:] - raw[at] + data.draw(st.integers(0, 10**6))]) % (
        wraps_at or np.inf
    )
    found = rises(seconds, raw, wraps_at, PACKAGE)
    others = np.arange(len(seconds)) != at - 1
    np.testing.assert_allclose(found.uj[others], true[others], atol=1)
    own = found.uj[at - 1]
    assert np.isnan(own) or own <= MOST_W["cpu"] * (seconds[at - 1] + UPDATE_S) * 1e6


@pytest.mark.parametrize("wraps_at", [None, AMD, INTEL])
@pytest.mark.parametrize("before", [10**9, 30 * 10**9, 60 * 10**9])
def test_a_counter_that_begins_again_is_not_known_there(wraps_at, before):
    raw = before + 68e6 * np.arange(10.0)
    raw[5:] -= raw[5]
    found = rises(np.ones(9), raw, wraps_at, PACKAGE)
    assert np.flatnonzero(found.restarted).tolist() == [4]
    assert np.isnan(found.uj).tolist() == found.restarted.tolist()
    assert np.nansum(found.uj) == 8 * 68e6


@pytest.mark.parametrize(("joules", "is_known"), [(6.8e3, True), (40e3, False)])
def test_in_a_hole_a_wrap_is_believed_at_the_power_that_was_seen_only(joules, is_known):
    """400 W for 100 s can be, but hardly of a package that draws 68 W: it began again."""
    seconds = np.array([1.0, 1, 1, 100, 1, 1])
    true, raw = readings([68, 68, 68, joules / 100, 68, 68], seconds, AMD - 6 * 10**9, AMD)
    found = rises(seconds, raw, AMD, PACKAGE)
    assert found.restarted.tolist() == [False] * 3 + [not is_known] + [False] * 2
    assert np.nansum(found.uj) == true.sum() - (0 if is_known else true[3])


@given(st.floats(5, 400), st.floats(0.05, 1), st.integers(100, 600))
def test_near_the_end_of_the_range_too_a_new_start_is_no_wrap(watts, pause_s, joules):
    """The counter began again when it had so much left, more than it was seen to draw twice over:
    some of that the bound alone would take for a wrap."""
    raw = INTEL - joules * 1e6 + watts * pause_s * 1e6 * np.arange(-5.0, 1)
    raw = np.concatenate([raw, watts * pause_s * 1e6 * np.arange(5.0)])
    found = rises(np.full(10, pause_s), raw, INTEL, PACKAGE)
    assert found.restarted[5] or joules <= 2 * watts * (pause_s + UPDATE_S)
    assert np.nansum(found.uj) <= 2 * watts * (pause_s + UPDATE_S) * 1e6 + watts * pause_s * 9e6 + 1


@pytest.mark.parametrize(("pause_s", "is_known"), [(400, True), (600, False), (3000, False)])
def test_a_hole_in_which_the_range_may_be_used_up_is_not_known(pause_s, is_known):
    seconds = np.array([1.0, 1, 1, pause_s, 1])
    true, raw = readings([68] * 5, seconds, 5 * 10**9, AMD)
    found = rises(seconds, raw, AMD, PACKAGE)
    assert found.rewrapped.tolist() == [False] * 3 + [not is_known, False]
    np.testing.assert_array_equal(found.uj, true if is_known else [*true[:3], np.nan, true[4]])


def test_a_limit_that_the_hardware_names_goes_before_the_bound():
    seconds, raw = np.ones(5), 1e9 + np.array([0, 60e6, 120e6, 820e6, 880e6, 940e6])
    assert not rises(seconds, raw, INTEL, PACKAGE).too_fast.any()
    limited = bound_of(Rapl, "cpu", max_w=100)
    found = rises(seconds, raw, INTEL, limited)
    assert found.too_fast.tolist() == [False, False, True, False, False]
    assert np.isnan(found.uj[2]) and found.believed_w == 200
    # a limit that the package is above all the time is none
    found = rises(seconds, raw, INTEL, bound_of(Rapl, "cpu", max_w=15))
    assert not found.too_fast.any() and found.believed_w == MOST_W["cpu"]


def test_with_a_limit_the_range_is_safe_or_not_at_any_pace():
    limited = bound_of(Rapl, "cpu", max_w=500)
    for pause_s, known in ((60, True), (70, False)):
        seconds = np.full(4, float(pause_s))
        true, raw = readings([68] * 4, seconds, 0, AMD)
        found = rises(seconds, raw, AMD, limited)
        np.testing.assert_array_equal(found.uj, true if known else np.full(4, np.nan))


def test_a_reading_that_jumps_and_one_that_is_0_for_once():
    raw = 1e9 + 20e6 * np.arange(8.0)
    for wrong in (0.0, 200e9):
        values = raw.copy()
        values[4] = wrong
        found = rises(np.full(7, 0.2), values, INTEL, PACKAGE)
        assert np.flatnonzero(np.isnan(found.uj)).tolist() == [3, 4]
        assert np.nansum(found.uj) == 5 * 20e6


def test_the_bounds_follow_from_the_meter():
    assert bound_of(Nvml, "accelerator").most_w == 2000
    assert (ANYTHING.most_w, ANYTHING.update_s) == (20_000, COLLECTED_UPDATE_S)
    assert bound_of(None, "memory") == ANYTHING
    assert bound_of(Nvml, "accelerator", max_w=5000).limit_w == 2000


def test_an_exporter_that_catches_up_is_believed():
    """Scraped each 5 s, updated each 30 s."""
    raw = np.repeat(300e6 * 30 * np.arange(4.0), 6)
    found = rises(np.full(len(raw) - 1, 5.0), raw, None, ANYTHING)
    assert np.nansum(found.uj) == 3 * 9000e6 and not np.isnan(found.uj).any()


@pytest.mark.parametrize("values", [[], [7.0]])
def test_short_series(values):
    raw = np.array(values)
    assert rises(np.zeros(max(0, len(raw) - 1)), raw, 10, PACKAGE).uj.size == 0
    assert increments(values, 10).size == 0


def test_a_fall_that_is_no_wrap_has_no_increment():
    np.testing.assert_array_equal(increments([5, 3, 7], None), [np.nan, 4])
    np.testing.assert_array_equal(increments([500, 3], 100), [np.nan])
    np.testing.assert_array_equal(increments([90, np.nan, 10, 20], 100), [np.nan, np.nan, 10])
