"""Parquet tables: the same columns and rows, whose numbers may differ in their last digits."""

from __future__ import annotations

import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trialwatt.metrics.tables import write_parquet
from trialwatt.review.compare.rounding import Rounding
from trialwatt.review.compare.texts import excerpts, in_bytes, short


def parquet(theirs: bytes, ours: bytes, rounding: Rounding) -> str:
    """Only what has the schema, the number of rows and about the size of our own is read."""
    here, again = (pq.ParquetFile(pa.BufferReader(data)) for data in (theirs, ours))
    if not here.schema_arrow.equals(again.schema_arrow):
        return "its columns are other ones, or of other types"
    a, b = here.metadata, again.metadata
    if a.num_rows != b.num_rows:
        return f"{a.num_rows} rows here, {b.num_rows} made again"
    sizes = [sum(m.row_group(n).total_byte_size for n in range(m.num_row_groups)) for m in (a, b)]
    if sizes[0] > 2 * sizes[1] + 4096:
        return f"its columns take {sizes[0]} bytes, made again {sizes[1]}"
    one, other = here.read(), again.read()
    for name in other.column_names:
        if said := _column(name, one[name], other[name], rounding):
            return said
    if a.created_by != b.created_by:
        return f"written by {short(str(a.created_by))}, made again by {b.created_by}"
    if not _is_as_we_write_it(theirs):
        return in_bytes(theirs, ours)
    return ""


def _column(name: str, x: pa.ChunkedArray, y: pa.ChunkedArray, rounding: Rounding) -> str:
    if x.equals(y):
        return ""
    if pa.types.is_floating(y.type):
        u, v = (each.to_numpy() for each in (x, y))  # null as NaN; which are null must be equal
        if x.is_null().equals(y.is_null()):
            rows = np.flatnonzero((u != v) & ~(np.isnan(u) & np.isnan(v)))
            wrong = (row for row in rows if not rounding.number(float(u[row]), float(v[row])))
            if (row := next(wrong, None)) is None:
                return ""
            return _worded(name, int(row), x, y)
    rows = enumerate(zip(x.to_pylist(), y.to_pylist(), strict=True))
    wrong = (row for row, (u, v) in rows if u != v and not (_nan(u) and _nan(v)))
    row = next(wrong, None)
    return "" if row is None else _worded(name, row, x, y)


def _worded(name: str, row: int, x: pa.ChunkedArray, y: pa.ChunkedArray) -> str:
    return f"row {row + 1}, column {name}: {excerpts(str(x[row]), str(y[row]))}"


def _is_as_we_write_it(theirs: bytes) -> bool:
    """Whether the columns of the file, written by us, give its bytes: nothing else is in it."""
    names = [
        column.name
        for column in pq.ParquetFile(pa.BufferReader(theirs)).schema_arrow
        if pa.types.is_string(column.type)
    ]
    for coded in ([], names):  # texts that repeat are written from a dictionary
        table = pq.ParquetFile(pa.BufferReader(theirs), read_dictionary=coded).read()
        sink = io.BytesIO()
        write_parquet(table, sink)
        if sink.getvalue() == theirs:
            return True
    return False


def _nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
