"""A user's intensities: no value holds for longer than one step, and none is of another unit."""

from __future__ import annotations

import datetime
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.config.carbon_series import base_step_ns, ends_ns, read_series
from trialwatt.errors import TrialwattError
from trialwatt.metrics.context import read_intensity

HOUR = 3_600_000_000_000
HEAD = "utc_start,g_per_kwh"


def moment(hour: float) -> int:
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return round((start + datetime.timedelta(hours=hour)).timestamp()) * 10**9


def rows(*hours: float, value=lambda hour: 300 + hour) -> list[str]:
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    starts = [(start + datetime.timedelta(hours=hour)).isoformat() for hour in hours]
    return [f"{at},{value(hour):g}" for at, hour in zip(starts, hours, strict=True)]


def series(tmp_path, *lines: str, name="mine.csv"):
    path = tmp_path / name
    path.write_text("\n".join([HEAD, *lines]) + "\n")
    return path


def starts(steps) -> np.ndarray:
    return moment(0) + np.concatenate([[0], np.cumsum(np.array(steps, np.int64))])


@given(
    st.integers(1, 10**5).map(lambda seconds: seconds * 10**9),
    st.lists(st.integers(1, 9), min_size=10, max_size=80),
)
def test_however_many_rows_are_missing_the_step_stays(step, missing):
    """Where at least a tenth of the neighbours are still there."""
    if missing.count(1) * 10 >= len(missing):
        assert base_step_ns(starts([step * count for count in missing])) == step


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=60))
def test_no_value_holds_for_longer_than_a_step_and_none_past_the_next(seconds):
    utc_ns = starts([s * 10**9 for s in seconds])
    step, ends = base_step_ns(utc_ns), ends_ns(utc_ns)
    assert step in np.diff(utc_ns)
    assert (ends - utc_ns <= 1.1 * step).all() and (ends > utc_ns).all()
    assert (ends[:-1] <= utc_ns[1:]).all() and ends[-1] == utc_ns[-1] + step


def test_a_logger_that_drifts_and_a_row_in_between_leave_no_holes():
    drifting = starts([300e9, 303e9, 298e9, 310e9] * 20)
    assert (ends_ns(drifting)[:-1] == drifting[1:]).all()
    with_one = np.sort(np.append(starts([HOUR] * 30), moment(7.5)))
    assert base_step_ns(with_one) == HOUR and (ends_ns(with_one)[:-1] == with_one[1:]).all()


@pytest.mark.parametrize(
    "hours",
    [
        [0, 1, 2, 3, 4, 5, 7, 8],
        [hour for hour in range(24) if hour % 4 != 3 and not 10 <= hour < 19],
        [0, 1, 4, 7, 10, 13, 16, 19, 22],
        [0, 1, 2, 6, 22],
    ],
)
def test_a_run_in_a_hole_is_refused_with_the_lines_and_one_beside_it_is_not(tmp_path, hours):
    found = read_intensity(series(tmp_path, *rows(*hours)))
    for at, (hour, following) in enumerate(itertools.pairwise(hours)):
        found.require(moment(hour), moment(hour + 1))
        if following > hour + 1:
            said = rf"mine\.csv: lines {at + 2} to {at + 3}: has no value .* one step .*, 3600 s"
            for span in ((hour + 1, following), (hour + 0.5, hour + 1.1), (hour + 1.2, hour + 1.3)):
                with pytest.raises(TrialwattError, match=said):
                    found.require(*map(moment, span))
    with pytest.raises(TrialwattError, match="add the missing rows"):
        found.require(moment(hours[-1]), moment(hours[-1] + 1.5))


def test_the_lines_of_a_hole_are_those_of_the_file(tmp_path):
    path = tmp_path / "mine.csv"
    lines = rows(0, 1, 2, 5, 6)
    path.write_text("\n".join(["# mine", "", HEAD, *lines[:3], "", *lines[3:]]) + "\n")
    with pytest.raises(TrialwattError, match="lines 6 to 8: has no value"):
        read_intensity(path).require(moment(0), moment(6))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (rows(*range(48), value=lambda h: 0.3 + h / 1000), r"line 2: 0.3 g/kWh .* in kg/kWh"),
        (rows(*range(9), value=lambda h: 500_000 + h), r"line 2: 500000 g/kWh .* in mg/kWh"),
        (rows(*range(9), value=lambda h: 0.3 if h == 5 else 300), "line 7: 0.3 g/kWh"),
        (rows(*range(9), value=lambda h: 3e5 if h >= 5 else 300), r"line 7: .*\(and 3 more lines"),
    ],
)
def test_another_unit_is_asked_about_and_can_be_meant(tmp_path, lines, said):
    with pytest.raises(TrialwattError, match=f"{said}.*add the line: # g_per_kwh is checked"):
        read_series(series(tmp_path, *lines))
    found = read_series(series(tmp_path, "# g_per_kwh is checked", *lines))
    assert len(found.utc_ns) == len(lines) and found.lines[0] == 3


@pytest.mark.parametrize(
    "values", [(0, 0), (0, 300), (5, 24), (1.5, 2.5), (0, 1.2, 30), (820, 1300)]
)
def test_intensities_that_there_are_pass(tmp_path, values):
    found = read_series(series(tmp_path, *rows(*range(len(values)), value=lambda h: values[h])))
    assert found.g_per_kwh == list(values)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["2026-01-01T00:00Z,1_000", *rows(1)], "line 2: could not convert 1_000"),
        (["2026-01-01T00:00Z,", *rows(1)], "line 2: g_per_kwh is empty; leave the row out"),
        (['2026-01-01T00:00Z,"300,5"', *rows(1)], "line 2: could not convert 300,5"),
        ([*rows(0, 1), "", *rows(1)], r"line 5: utc_start must rise .*the same moment as line 3"),
        ([*rows(0, 2), "", *rows(1)], r"line 5: utc_start must rise .*before that of line 3"),
        (["2026-01-01T02:00+01:00,1", "2026-01-01T01:00Z,1"], "line 3: utc_start must rise"),
        (["2026-01-01T00:00,5", "2026-01-01T05:00+02:00,5"], "line 2: utc_start has no offset"),
        (["1.1.2026,5", *rows(1)], "line 2: .*utc_start is a time such as 2026-01-31T12:00Z"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path, lines, said):
    with pytest.raises(TrialwattError, match=said):
        read_series(series(tmp_path, *lines))


def test_zones_are_moved_to_utc(tmp_path):
    lines = ["2026-01-01T02:00+02:00,5", "2026-01-01T01:00Z,5", "2025-12-31T19:00-07:00,5"]
    assert read_series(series(tmp_path, *lines)).utc_ns == [moment(hour) for hour in range(3)]
