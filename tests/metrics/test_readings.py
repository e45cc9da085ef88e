import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.metrics.readings import covered, domain_energy, percent, silences

S = 1_000_000_000
NAN = np.nan


def energy(times, values, unit="w", method="polled", wraps_at=None, window=None, period=1.0):
    times = np.array(times, float) * S
    window = (times[0], times[-1]) if window is None else (window[0] * S, window[1] * S)
    return domain_energy(times, np.array(values, float), unit, method, wraps_at, window, period * S)


def joules(found, start, end):
    return float(np.diff(found.energy.at(np.array([start * S, end * S], float)))[0])


def test_polled_watts_are_integrated_by_the_trapezoid():
    found = energy([0, 1, 3], [10, 20, 40])
    assert joules(found, 0, 3) == pytest.approx(15 + 60)


def test_modelled_watts_are_the_mean_since_the_last_sample():
    found = energy([0, 1, 3], [10, 20, 40], method="modelled")
    assert joules(found, 0, 3) == 20 + 80


def test_a_counter_is_a_difference_over_wraps_and_gaps():
    found = energy([0, 1, 2, 3, 9], [90, NAN, 30, 40, 70], "uj", "counter", wraps_at=1000)
    assert joules(found, 0, 9) == pytest.approx((940 + 10 + 30) * 1e-6)
    assert (found.gaps / S).tolist() == [[0, 2], [3, 9]]
    assert found.unknown == 0


def test_a_gap_in_which_a_counter_may_wrap_twice_is_not_known():
    found = energy([0, 1, 2, 20, 21], [0, 40, 80, 20, 60], "uj", "counter", wraps_at=100)
    assert found.unknown == 1
    assert joules(found, 2, 20) == pytest.approx(18 * 40e-6)
    assert (found.gaps / S).tolist() == [[2, 20]]


def test_a_counter_that_was_reset_is_a_gap_at_the_mean_power():
    found = energy([0, 1, 2, 3], [0, 10, 3, 13], "uj", "counter")
    assert found.unknown == 1
    assert joules(found, 0, 3) == pytest.approx(30e-6)
    assert (found.gaps / S).tolist() == [[1, 2]]


def test_the_ends_of_the_window_take_the_power_next_to_them():
    found = energy([1, 2, 3], [10, 10, 30], window=(0.5, 9), period=1)
    assert joules(found, 0.5, 1) == 5
    assert joules(found, 3, 9) == 6 * 20
    assert (found.gaps / S).tolist() == [[3, 9]]


@pytest.mark.parametrize("values", [[], [5], [NAN, 5, NAN], [NAN, NAN]])
def test_less_than_two_readings_are_no_energy(values):
    assert energy([0, 1, 2][: len(values)], values, window=(0, 2)) is None


@pytest.mark.parametrize("window", [(-5, 0), (9, 20), (10, 20)])
def test_readings_of_another_time_are_no_energy(window):
    assert energy([0, 1, 9], [5, 5, 5], window=window) is None


def test_silences_are_gaps_at_the_ends_and_within():
    times = np.array([-9.0, 3, 4, 5, 9, 10])
    assert silences(times, (0.0, 20.0), 1.0).tolist() == [[0, 3], [5, 9], [10, 20]]
    assert silences(np.arange(-1.0, 22), (0.0, 20.0), 1.0).tolist() == []


def test_gaps_that_overlap_count_once():
    assert covered(np.array([[5.0, 8], [0, 2], [1, 3], [6, 7]])) == 6
    assert covered(np.empty((0, 2))) == 0


@given(st.floats(0, 1))
def test_a_share_of_gaps_is_said_as_a_number(share):
    said = percent(share)
    assert "e" not in said and len(said) <= 6
    assert float(said) == pytest.approx(share * 100, rel=0.051, abs=0.01)
    assert (float(said) == 0) == (share == 0)
