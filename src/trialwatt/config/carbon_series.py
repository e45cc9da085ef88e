"""A user's carbon intensity over time: a CSV with the columns utc_start and g_per_kwh."""

from __future__ import annotations

import csv
import datetime
import io
import itertools
import math
from collections import Counter
from pathlib import Path
from typing import Any

from trialwatt.errors import TrialwattError
from trialwatt.plainfile import read_plain
from trialwatt.printable import shown

_MOST_BYTES = 64 << 20
_FIRST_YEAR, _LAST_YEAR = 1971, 2199  # in ns, numbers of 64 bits
_FEW = 5
_EVEN = 0.8
"""A series is even where so many of its rows are equally far apart; from a few of them on."""


def read_series(path: Path) -> tuple[list[int], list[float]]:
    """Starts (UTC, ns) and intensities (gCO2eq/kWh), two rows at least, in order of time.

    utc_start is ISO 8601; a time without an offset is taken as UTC. Raises TrialwattError where
    the file cannot be read, or rows are missing, out of order, doubled or no numbers; an even
    series may have no hole.
    """
    path = Path(path)
    try:
        text = read_plain(path, _MOST_BYTES).decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if not {"utc_start", "g_per_kwh"} <= set(rows.fieldnames or ()):
            raise TrialwattError(f"{path}: must have the columns utc_start and g_per_kwh")
        found = [_row(path, number, row) for number, row in enumerate(rows, start=2)]
    except FileNotFoundError as error:
        raise TrialwattError(f"{path}: there is no such file") from error
    except OSError as error:
        raise TrialwattError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TrialwattError(f"{path}: no CSV file: {error}") from error
    if len(found) < 2:
        raise TrialwattError(
            f"{path}: needs two rows at least; the last holds as long as its neighbour"
        )
    times, values = (list(column) for column in zip(*found, strict=True))
    for number, (before, after) in enumerate(itertools.pairwise(times), start=3):
        if after <= before:
            raise TrialwattError(f"{path}: line {number}: utc_start must rise from row to row")
    _refuse_holes(path, times)
    return times, values


def _refuse_holes(path: Path, times: list[int]) -> None:
    """A row that is missing from an even series would be covered by an older value, unseen."""
    spacings = [after - before for before, after in itertools.pairwise(times)]
    usual, count = Counter(spacings).most_common(1)[0]
    if len(spacings) < _FEW or count < _EVEN * len(spacings):
        return  # an uneven series: a value holds until the next one
    for number, spacing in enumerate(spacings, start=3):
        if spacing > usual:
            raise TrialwattError(
                f"{path}: line {number}: {spacing / 1e9:g} s after the row before it, where the "
                f"others are {usual / 1e9:g} s apart; add the missing rows"
            )


def _row(path: Path, number: int, row: dict[str, Any]) -> tuple[int, float]:
    try:
        moment = datetime.datetime.fromisoformat(row["utc_start"])
        value = float(row["g_per_kwh"])
    except (TypeError, ValueError) as error:
        raise TrialwattError(f"{path}: line {number}: {shown(error, 200)}") from error
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise TrialwattError(
            f"{path}: line {number}: utc_start must be in a year from {_FIRST_YEAR} to {_LAST_YEAR}"
        )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    if not math.isfinite(value) or value < 0:
        raise TrialwattError(f"{path}: line {number}: g_per_kwh must be at least 0")
    return round(moment.timestamp()) * 1_000_000_000, value
