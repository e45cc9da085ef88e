"""The rows of a sample file with the numbers of their lines, to name what is wrong in them.

The reader of the metrics repairs and says so in a note; here each row is looked at as it stands.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_TIME = re.compile(r"-?[0-9]{1,18}|[1-8][0-9]{18}").fullmatch
"""ns that fit into 64 bits."""


@dataclass(frozen=True)
class Rows:
    """Whole rows, in the order of the file; all arrays (n,). line: from 1, as editors count.

    t, m: ns. values: column → float64, NaN where a field is empty or no number. component: "" in
    files that have no such column.
    """

    file: str
    line: np.ndarray
    t: np.ndarray
    m: np.ndarray
    values: dict[str, np.ndarray]
    component: np.ndarray

    def __len__(self) -> int:
        return len(self.line)

    def of(self, component: str) -> Rows:
        """Only those of one component."""
        return self.at(np.flatnonzero(self.component == component))

    def known(self, column: str) -> Rows:
        """Only those with a number in this column."""
        return self.at(np.flatnonzero(~np.isnan(self.values[column])))

    def at(self, places: np.ndarray) -> Rows:
        values = {name: column[places] for name, column in self.values.items()}
        return Rows(
            self.file,
            self.line[places],
            self.t[places],
            self.m[places],
            values,
            self.component[places],
        )


def read_rows(file: Path, name: str) -> Rows | None:
    """The rows of a CSV file with the columns t and m; None where there is no such file.

    name: how it is called in messages. Lines whose t or m is no whole number are left out.
    """
    if not file.is_file():
        return None
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    columns = lines[0].split(",") if lines else []
    if "t" not in columns or "m" not in columns:
        return _rows(name, [], [], columns)
    at_t, at_m = columns.index("t"), columns.index("m")
    numbers, cells = [], []
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split(",")
        if len(fields) == len(columns) and _is_time(fields[at_t]) and _is_time(fields[at_m]):
            numbers.append(number)
            cells.append(fields)
    return _rows(name, numbers, cells, columns)


def _rows(name: str, numbers: list[int], cells: list[list[str]], columns: list[str]) -> Rows:
    by_name = dict(zip(columns, zip(*cells, strict=True), strict=True)) if cells else {}
    others = [column for column in columns if column not in ("t", "m", "component")]
    return Rows(
        name,
        np.array(numbers, np.int64),
        np.array([int(text) for text in by_name.get("t", ())], np.int64),
        np.array([int(text) for text in by_name.get("m", ())], np.int64),
        {one: np.array([_number(text) for text in by_name.get(one, ())], float) for one in others},
        np.array(by_name.get("component", [""] * len(numbers)), object),
    )


def _is_time(text: str) -> bool:
    return _TIME(text) is not None


def _number(text: str) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan
