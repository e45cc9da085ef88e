"""Zones of dies: those that show their socket's one counter, and those that are counters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.meters.mirrors import may_mirror, mirrored, said

AMD = 65_532_610_987


def counter(watts, times, start: int, skew_s=0.0):
    """What it shows at these times, each read so long afterwards; updated each ms."""
    at = np.floor((np.asarray(times) + skew_s) * 1000) / 1000
    return (start + np.floor(at * watts * 1e6)) % AMD


def among(times, **columns):
    values = {name.replace("_", "-"): column for name, column in columns.items()}
    return mirrored(times, values, dict.fromkeys(values, AMD))


@given(
    st.floats(5, 600),
    st.integers(0, AMD - 1),
    st.integers(3, 60),
    st.floats(0.1, 5),
    st.floats(0, 0.003),
)
def test_one_counter_under_three_names_is_found_through_skew_and_wraps(
    watts, start, count, period_s, skew_s
):
    times = np.arange(count) * period_s
    columns = [counter(watts, times, start, skew_s * die) for die in range(2)]
    found = among(times, package_0_die_0=columns[0], package_0_die_1=columns[1], core_0=columns[0])
    assert found == {"package-0-die-1": "package-0-die-0"}


@given(
    st.floats(5, 600),
    st.floats(5, 600),
    st.integers(0, AMD - 1),
    st.integers(10**7, AMD // 2),
    st.integers(3, 60),
)
def test_separate_dies_are_two_counters(first_w, second_w, start, apart, count):
    """Two counters that lie 10 J apart, and more, when the run begins."""
    times = np.arange(count) * 0.2
    first, second = counter(first_w, times, start), counter(second_w, times, start + apart)
    close = np.abs(second - first)
    if np.median(np.minimum(close, AMD - close)) > first_w * 0.005 * 1e6:
        assert among(times, package_0_die_0=first, package_0_die_1=second) == {}


def test_separate_dies_of_one_load_are_two_counters():
    """The same watts all the time, from levels that differ by what one year has left."""
    times = np.arange(50) * 0.2
    found = among(
        times,
        package_0_die_0=counter(34, times, 10**9),
        package_0_die_1=counter(34, times, 10**9 + 3 * 10**6),
    )
    assert found == {}


def test_dies_of_dram_too_and_one_of_each_socket():
    times = np.arange(9) * 0.2
    found = among(
        times,
        package_0_die_0=counter(68, times, 10),
        package_0_die_1=counter(68, times, 10, 0.001),
        package_1_die_0=counter(68, times, 10),
        package_1_die_1=counter(68, times, 10),
        dram_0_die_0=counter(9, times, 500),
        dram_0_die_1=counter(9, times, 500),
    )
    assert found == {
        "package-0-die-1": "package-0-die-0",
        "package-1-die-1": "package-1-die-0",
        "dram-0-die-1": "dram-0-die-0",
    }
    assert said(found)[0] == "package-0-die-1 shows the counter of package-0-die-0: counted once"


def test_two_sockets_are_never_one_and_a_third_die_may_be_a_counter():
    times = np.arange(9) * 0.2
    same = counter(68, times, 10)
    assert among(times, package_0=same, package_1=same) == {}
    other = counter(30, times, 7 * 10**9)
    found = among(times, package_0_die_0=same, package_0_die_1=other, package_0_die_2=other)
    assert found == {"package-0-die-2": "package-0-die-1"}


@pytest.mark.parametrize("column", [[5.0] * 9, [5.0, 6, 7, 8, 9, 10, 11, 12, 13]])
def test_counters_that_hardly_move_tell_nothing(column):
    column = np.array(column)
    assert among(np.arange(9) * 0.2, package_0_die_0=column, package_0_die_1=column) == {}


def test_a_few_readings_that_were_late_do_not_hide_a_mirror_and_too_few_show_none():
    times = np.arange(30) * 0.2
    late = np.where(np.arange(30) % 7 == 3, 0.05, 0)
    first = counter(68, times, 10)
    second = counter(68, times, 10, late)
    second[5] = np.nan
    assert among(times, package_0_die_0=first, package_0_die_1=second)
    assert not among(times[:2], package_0_die_0=first[:2], package_0_die_1=first[:2])


@pytest.mark.parametrize(
    ("readings", "looks"),
    [
        ({"package-0-die-0": 5.0, "package-0-die-1": 6.0}, True),
        ({"package-0-die-0": AMD - 5.0, "package-0-die-1": 6.0}, True),
        ({"package-0-die-0": 5.0, "package-0-die-1": 8e6}, False),
        ({"package-0-die-0": 5.0, "package-0-die-1": np.nan}, False),
        ({"package-0": 5.0, "package-1": 5.0, "dram-0": 5.0}, False),
        ({}, False),
    ],
)
def test_only_near_parts_of_one_package_are_worth_a_longer_look(readings, looks):
    assert may_mirror(readings, dict.fromkeys(readings, AMD)) is looks
