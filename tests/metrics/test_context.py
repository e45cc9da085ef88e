import dataclasses
import math
import random

import pytest
from tests.contexts import PLAIN
from tests.fuzz import all_clean, mutations

from trialwatt.errors import TrialwattError
from trialwatt.metrics.context import read_intensity

HOUR = 3_600_000_000_000


def series(tmp_path, *rows):
    path = tmp_path / "intensity.csv"
    path.write_text("\n".join(["utc_start,g_per_kwh", *rows]) + "\n")
    return read_intensity(path)


def test_a_series_covers_its_rows_and_one_more_spacing(tmp_path):
    found = series(tmp_path, "2026-01-01T00:00:00Z,100", "2026-01-01T02:00:00+01:00,300")
    first, second = found.utc_ns.tolist()
    assert second - first == HOUR
    assert found.g_per_kwh.tolist() == [100, 300]
    found.require(first, second + HOUR)
    for start, end in ((first - 1, second), (first, second + HOUR + 1)):
        with pytest.raises(TrialwattError, match=r"intensity\.csv: covers 2026-01-01T00:00:00Z"):
            found.require(start, end)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "two rows"),
        (["2026-01-01T00:00:00Z,1"], "two rows"),
        (["2026-01-01T01:00:00Z,1", "2026-01-01T00:00:00Z,1"], "must rise"),
        (["2026-01-01T00:00:00Z,1", "2026-01-01T00:00:00Z,1"], "must rise"),
        (["yesterday,1", "2026-01-01T00:00:00Z,1"], "line 2"),
        (["2026-01-01T00:00:00Z,1", "2026-01-01T01:00:00Z,-1"], "line 3"),
        (["2026-01-01T00:00:00Z,1", "2026-01-01T01:00:00Z,nan"], "line 3"),
        (["2026-01-01T00:00:00Z,1", "2026-01-01T01:00:00Z"], "line 3"),
        (["2026-01-01T00:00:00Z,1", "9999-01-01T01:00:00Z,1"], "line 3: utc_start must be in a"),
        (["0001-01-01T00:00:00+14:00,1", "2026-01-01T01:00:00Z,1"], "line 2: utc_start must be"),
        (["2026-01-01T00:00:00Z,1e400", "2026-01-01T01:00:00Z,1"], "line 2"),
        (["2026-01-01T00:00:00Z,1", "\0,1"], "line 3"),
    ],
)
def test_a_bad_series_is_refused(tmp_path, rows, message):
    with pytest.raises(TrialwattError, match=message):
        series(tmp_path, *rows)


def test_a_series_without_its_columns_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,value\n")
    with pytest.raises(TrialwattError, match="utc_start and g_per_kwh"):
        read_intensity(path)


@pytest.mark.parametrize(
    "change",
    [
        {"price_per_cpu_h": None},
        {"price_per_gb_h": -1.0},
        {"intensity": math.nan},
        {"pue": 0.9},
        {"price_per_accelerator_h": {"gpu": math.inf}},
    ],
)
def test_values_that_cannot_be_are_refused(change):
    with pytest.raises(TrialwattError, match=next(iter(change))):
        dataclasses.replace(PLAIN, **change)


@pytest.mark.parametrize("count", [1_000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_a_damaged_series_is_refused_in_words(tmp_path, count):
    rng, path = random.Random(count), tmp_path / "intensity.csv"
    rows = (f"2026-01-{day:02}T{hour:02}:00Z,{day}.5" for day in (1, 2) for hour in range(24))
    good = "\n".join(["utc_start,g_per_kwh", *rows]).encode()
    days = (b"0001-01-01", b"9999-12-31T23:59:59-23:59", b"1969-12-31", b"2300-01-01T00:00Z")
    ends = [good.rpartition(b"\n")[0] + b"\n" + day + b",1" for day in days]

    def read(data):
        path.write_bytes(data)
        found = read_intensity(path)
        assert found.end_utc_ns > found.utc_ns[0] > 0

    damaged = (mutations(good, rng) for _ in range(count))
    assert all_clean([*ends, *damaged], read, (TrialwattError,)) > len(ends)
