"""CSV files that users make by hand: each row with the line of the file that it begins in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.plainfile import read_plain
from trialwatt.printable import shown

_MOST_BYTES = 64 << 20
_LETTERS = 100
"""Of the file's own text in a sentence."""


@dataclass(frozen=True)
class Row:
    """line: from 1, as editors count. cells: column → text, without blanks around it."""

    line: int
    cells: dict[str, str]


@dataclass
class Table:
    """rows: without blank lines. comments: the lines that begin with #, without that sign."""

    rows: list[Row] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def read_table(path: Path, columns: tuple[str, ...]) -> Table:
    """The rows of a CSV file (comma, UTF-8, its columns named in the first row) that has at least
    these columns; the others are passed over.

    Blank lines and comments are skipped. Raises TrialwattError, with the line, where the file
    cannot be read, lacks a column or has one twice, or where a row has another number of fields.
    """
    try:
        text = read_plain(path, _MOST_BYTES).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise TrialwattError(f"{path}: there is no such file") from error
    except OSError as error:
        raise TrialwattError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TrialwattError(f"{path}: no CSV file: {error}; save it as UTF-8") from error
    table, header = Table(), list[str]()
    for line, cells in _records(path, text, table.comments):
        if not header:
            header = _header(path, line, cells, columns)
        elif len(cells) != len(header):
            raise TrialwattError(
                f"{path}: line {line}: has {len(cells)} fields, but there are {len(header)} "
                "columns; a decimal comma, or a comma in a text, needs quotes or a point"
            )
        else:
            table.rows.append(Row(line, dict(zip(header, cells, strict=True))))
    if not header:
        raise TrialwattError(f"{path}: is empty; must have the columns {' and '.join(columns)}")
    return table


def _records(path: Path, text: str, comments: list[str]) -> Iterator[tuple[int, list[str]]]:
    """(line that it begins in, fields) of each record that is neither blank nor a comment."""
    reader, before = csv.reader(io.StringIO(text, newline=""), strict=True), 0
    while True:
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise TrialwattError(f"{path}: line {before + 1}: no CSV: {error}") from error
        line, before = before + 1, reader.line_num
        if cells and cells[0].startswith("#"):
            comments.append(",".join(cells).removeprefix("#").strip())
        elif any(cells):
            yield line, cells


def _header(path: Path, line: int, cells: list[str], columns: tuple[str, ...]) -> list[str]:
    twice = next((name for name in cells if cells.count(name) > 1), None)
    if twice is not None:
        named = f"the column {shown(twice, _LETTERS)}" if twice else "a column without a name"
        raise TrialwattError(f"{path}: line {line}: has {named} twice; leave one of them")
    if not set(columns) <= set(cells):
        raise TrialwattError(
            f"{path}: line {line}: must have the columns {' and '.join(columns)}, divided by "
            f"commas (got {shown(', '.join(cells), _LETTERS)})"
        )
    return cells
