"""CPU counters: what one cannot have done is nobody's use, and ticks are not more than there is."""

import numpy as np
import pytest

from trialwatt.metrics.attribution import Curve, levelled
from trialwatt.metrics.readings import domain_energy
from trialwatt.metrics.usage import LATE_NS, sound

S = 1e9


def checked(times, cpu, cores=2.0):
    found, spans = sound(np.array(times) * S, np.array(cpu, float) * S, cores, LATE_NS)
    return (found / S).tolist(), (spans / S).tolist()


def test_a_counter_that_can_be_is_left_as_it_is():
    assert checked([0, 1, 2, 3], [5, 7, 7, 8]) == ([5, 7, 7, 8], [])
    assert checked([], []) == ([], [])


def test_a_counter_that_falls_goes_on_from_where_it_was():
    assert checked([0, 1, 2, 3], [100, 101, 3, 4]) == ([100, 101, 101, 102], [[1, 2]])


def test_a_rise_beyond_the_cores_is_nobodys_use():
    assert checked([0, 1, 2, 3], [0, 1, 51, 52]) == ([0, 1, 1, 2], [[1, 2]])


def test_one_reading_that_is_wrong_costs_the_two_intervals_beside_it():
    assert checked([0, 1, 2, 3, 4], [100, 101, 3, 103, 104]) == (
        [100, 101, 101, 101, 102],
        [[1, 2], [2, 3]],
    )


def test_a_counter_that_tells_late_may_rise_at_once():
    """Another machine is asked once a second: its counter stands still, and then catches up."""
    assert checked([0, 5, 10, 10.2], [0, 8, 8, 18])[1] == []


def test_two_readers_a_moment_apart_are_no_fall():
    assert checked([0, 1, 1.001, 2], [0, 1, 0.99, 1.5]) == ([0, 1, 1, 1.5], [])


@pytest.mark.parametrize("seed", range(20))
def test_ticks_are_levelled_and_their_sum_stays(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.choice([0.0005, 0.2], 300)
    times = np.concatenate([[0.0], np.cumsum(lengths)])
    used = np.concatenate([[0.0], np.cumsum(lengths * rng.uniform(0, 2, 300))])
    ticks = np.floor(used / 0.01) * 0.01  # what a counter of ticks of 10 ms says of it
    assert (np.diff(ticks) / lengths).max() > 2
    found = levelled(Curve(times, ticks), 2.0)
    busy = np.diff(found.values) / lengths
    assert busy.max() <= 2 + 1e-9 and busy.min() >= 0
    assert found.values[[0, -1]].tolist() == pytest.approx(ticks[[0, -1]].tolist(), abs=1e-12)
    assert np.abs(found.values - ticks).max() < 0.02  # no farther than a tick or two


def test_ticks_right_after_the_beginning_are_moved_on():
    found = levelled(Curve(np.array([0.0, 0.5, 10.0]), np.array([0.0, 4.0, 4.0])), 2.0)
    assert found.values.tolist() == [0.0, 1.0, 4.0]


def test_more_than_there_is_in_all_is_even():
    found = levelled(Curve(np.array([0.0, 1.0, 2.0]), np.array([0.0, 9.0, 10.0])), 2.0)
    assert found.values.tolist() == [0.0, 5.0, 10.0]


def test_modelled_power_is_levelled_and_its_energy_stays():
    times = np.array([0, 1, 1.001, 2]) * S
    watts = np.array([8.0, 8.0, 112.0, 8.0])
    found = domain_energy(times, watts, "w", "modelled", None, (0.0, 2 * S), S, most_w=8.22)
    power = np.diff(found.energy.values) / np.diff(found.energy.times) * S
    assert power.max() <= 8.22 + 1e-9
    assert found.energy.values[-1] == pytest.approx(8 + 0.112 + 7.992)


def test_power_of_cpu_time_that_is_not_known_is_a_gap():
    times, watts = np.arange(5.0) * S, np.array([2.0, 2.0, 200.0, 2.0, 2.0])
    spans = np.array([[1.0, 2.0]]) * S
    found = domain_energy(times, watts, "w", "modelled", None, (0.0, 4 * S), S, unmodelled=spans)
    assert found.unknown == 1 and (found.gaps / S).tolist() == [[1, 2]]
    assert found.energy.values[-1] == pytest.approx(8.0)
