"""A user's carbon intensity over time: a CSV with the columns utc_start and g_per_kwh."""

from __future__ import annotations

import datetime
import itertools
import math
import statistics
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trialwatt.config.csv_lines import Row, read_table
from trialwatt.errors import TrialwattError
from trialwatt.printable import shown

_FIRST_YEAR, _LAST_YEAR = 1971, 2199  # in ns, numbers of 64 bits
_LETTERS = 200

ONE_STEP = 1.1
"""Rows that are up to so many steps apart follow each other: clocks of loggers drift."""
_OFTEN = 0.1
"""Of the spacings between rows, at least so many are one step."""

LEAST_G, MOST_G = 2.0, 3000.0
"""No grid is below the one all the time, or ever above the other: hydropower has 4 to 24 g/kWh,
lignite 1,000 to 1,300. A grid in kg/kWh is below the one, in mg/kWh far above the other."""
_USUAL_G = 100.0
"""Where a grid is above this most of the time, a single value below LEAST_G is in other units."""
CHECKED = "g_per_kwh is checked"
"""The comment by which a user says that such values are meant."""


class Series(NamedTuple):
    """Starts (UTC, ns), intensities (gCO2eq/kWh), and the line of each row; in order of time."""

    utc_ns: list[int]
    g_per_kwh: list[float]
    lines: list[int]


def read_series(path: Path) -> Series:
    """Two rows at least.

    utc_start is ISO 8601; a time without an offset is taken as UTC. Raises TrialwattError where
    the file cannot be read, or rows are out of order, doubled, no numbers, or of another unit.
    """
    path = Path(path)
    table = read_table(path, ("utc_start", "g_per_kwh"))
    found = [(_moment(path, row), _intensity(path, row), row.line) for row in table.rows]
    if len(found) < 2:
        raise TrialwattError(
            f"{path}: needs two rows at least; the last holds as long as its neighbour"
        )
    series = Series(*(list(column) for column in zip(*found, strict=True)))
    _refuse_two_clocks(path, table.rows)
    for (before, _, earlier), (after, _, line) in itertools.pairwise(found):
        if after <= before:
            same = "the same moment as" if after == before else "before that of"
            raise TrialwattError(
                f"{path}: line {line}: utc_start must rise from row to row (it is {same} line "
                f"{earlier})"
            )
    if CHECKED not in table.comments:
        _refuse_other_units(path, series)
    return series


def base_step_ns(utc_ns: np.ndarray) -> int:
    """The step of a series (docs/methodology, rule 9): the shortest spacing between two rows that,
    with those up to a tenth longer, is at least a tenth of all spacings. utc_ns: (n,), n > 1."""
    spacings = np.sort(np.diff(utc_ns))
    alike = np.searchsorted(spacings, spacings * ONE_STEP, side="right") - np.arange(len(spacings))
    return int(spacings[np.argmax(alike >= _OFTEN * len(spacings))])


def ends_ns(utc_ns: np.ndarray) -> np.ndarray:
    """Until when each value holds (n,): the next row, but for one step of the series at most."""
    step = base_step_ns(utc_ns)
    following = np.append(utc_ns[1:], utc_ns[-1] + step)
    return np.where(following - utc_ns <= ONE_STEP * step, following, utc_ns + step)


def _moment(path: Path, row: Row) -> int:
    try:
        moment = datetime.datetime.fromisoformat(row.cells["utc_start"])
    except ValueError as error:
        raise TrialwattError(
            f"{path}: line {row.line}: {shown(error, _LETTERS)}; utc_start is a time such as "
            "2026-01-31T12:00Z"
        ) from error
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise TrialwattError(
            f"{path}: line {row.line}: utc_start must be in a year from {_FIRST_YEAR} to "
            f"{_LAST_YEAR}"
        )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return round(moment.timestamp()) * 1_000_000_000


def _intensity(path: Path, row: Row) -> float:
    text = row.cells["g_per_kwh"]
    if not text:
        raise TrialwattError(
            f"{path}: line {row.line}: g_per_kwh is empty; leave the row out where it is not known"
        )
    try:
        value = float("_" if "_" in text else text)
    except ValueError as error:
        raise TrialwattError(
            f"{path}: line {row.line}: could not convert {shown(text, _LETTERS)} to a number"
        ) from error
    if not math.isfinite(value) or value < 0:
        raise TrialwattError(f"{path}: line {row.line}: g_per_kwh must be at least 0")
    return value


def _refuse_two_clocks(path: Path, rows: list[Row]) -> None:
    """Times without an offset beside times of a zone: nobody can know that the first are UTC."""
    moments = [(row, datetime.datetime.fromisoformat(row.cells["utc_start"])) for row in rows]
    plain = [row for row, moment in moments if moment.tzinfo is None]
    if plain and any(moment.utcoffset() for _, moment in moments):
        raise TrialwattError(
            f"{path}: line {plain[0].line}: utc_start has no offset from UTC, but that of other "
            "rows has; write one in each row"
        )


def _refuse_other_units(path: Path, series: Series) -> None:
    values = series.g_per_kwh
    low = max(values) < LEAST_G or statistics.median(values) >= _USUAL_G
    odd = [
        (line, value, "mg/kWh, or g/MWh" if value > MOST_G else "kg/kWh, or t/MWh")
        for value, line in zip(values, series.lines, strict=True)
        if value > MOST_G or (low and 0 < value < LEAST_G)
    ]
    if odd:
        line, value, unit = odd[0]
        more = f" (and {len(odd) - 1} more lines)" if len(odd) > 1 else ""
        raise TrialwattError(
            f"{path}: line {line}: {value:g} g/kWh is the intensity of no grid; is it in {unit}?"
            f"{more} Convert it to g/kWh; if it is right, add the line: # {CHECKED}"
        )
