"""Two files that should be the same: identical, or the first difference in words.

The first of the two may be a stranger's: it is parsed only where that is safe, as far as is needed
to name a difference, and what cannot be parsed is told by its bytes.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_LARGE = 64 << 20
"""Files larger than this are compared by their bytes alone."""
_SHOWN = 60


def difference(found: Path, remade: Path) -> str:
    """The first difference between a file and the one that was made anew; empty if identical."""
    if not found.is_file():
        return "missing"
    theirs, ours = found.read_bytes(), remade.read_bytes()
    if theirs == ours:
        return ""
    said = ""
    if max(len(theirs), len(ours)) <= _LARGE:
        ways = {".json": _json, ".csv": _csv, ".parquet": _parquet, ".png": _png}
        way = ways.get(found.suffix)
        try:
            said = way(theirs, ours) if way else ""
            said = said or (_text(theirs, ours) if found.suffix not in (".pdf", ".png") else "")
        except (ValueError, RecursionError, OSError, csv.Error, pa.ArrowException) as error:
            said = f"it cannot be read: {_short(str(error))}"
    return said or _bytes(theirs, ours)


def _bytes(theirs: bytes, ours: bytes) -> str:
    pairs = enumerate(zip(theirs, ours, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(theirs), len(ours)))
    return f"from byte {at} on ({len(theirs)} bytes here, {len(ours)} made again)"


def _text(theirs: bytes, ours: bytes) -> str:
    try:
        here, again = theirs.decode().split("\n"), ours.decode().split("\n")
    except UnicodeDecodeError:
        return ""
    for number, (a, b) in enumerate(itertools.zip_longest(here, again), start=1):
        if a != b:
            return f"line {number}: {_excerpts(a, b)}"
    return ""


def _json(theirs: bytes, ours: bytes) -> str:
    return _in_json(json.loads(theirs), json.loads(ours), "")


def _in_json(a: object, b: object, key: str) -> str:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(a.keys() | b.keys()):
            where = f"{key}.{name}" if key else name
            if name not in a or name not in b:
                return f"{_short(where)}: only {'here' if name in a else 'made again'}"
            if found := _in_json(a[name], b[name], where):
                return found
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return f"{_short(key)}: {len(a)} entries here, {len(b)} made again"
        for number, (one, other) in enumerate(zip(a, b, strict=True)):
            if found := _in_json(one, other, f"{key}[{number}]"):
                return found
    elif a != b or type(a) is not type(b):
        return f"{_short(key)}: {_excerpts(json.dumps(a), json.dumps(b))}"
    return ""


def _csv(theirs: bytes, ours: bytes) -> str:
    here, again = (csv.reader(io.StringIO(data.decode())) for data in (theirs, ours))
    head: list[str] = []
    for number, (a, b) in enumerate(itertools.zip_longest(here, again)):
        if a is None or b is None:
            return f"row {number}: only {'made again' if a is None else 'here'}"
        if number == 0:
            head = b
        for column, (x, y) in enumerate(itertools.zip_longest(a, b)):
            if x != y:
                name = head[column] if column < len(head) else str(column)
                where = f"row {number}, column {name}" if number else "heading"
                return f"{where}: {_excerpts(x, y)}"
    return ""


def _parquet(theirs: bytes, ours: bytes) -> str:
    """Only what has the schema, the number of rows and about the size of our own is read."""
    here, again = (pq.ParquetFile(pa.BufferReader(data)) for data in (theirs, ours))
    if not here.schema_arrow.equals(again.schema_arrow):
        return "its columns are other ones, or of other types"
    a, b = here.metadata, again.metadata
    if a.num_rows != b.num_rows:
        return f"{a.num_rows} rows here, {b.num_rows} made again"
    sizes = [sum(m.row_group(n).total_byte_size for n in range(m.num_row_groups)) for m in (a, b)]
    if sizes[0] <= 2 * sizes[1] + 4096:
        one, other = here.read(), again.read()
        for name in other.column_names:
            x, y = one[name].to_pylist(), other[name].to_pylist()
            for row, (u, v) in enumerate(zip(x, y, strict=True), start=1):
                if u != v and not (_nan(u) and _nan(v)):
                    return f"row {row}, column {name}: {_excerpts(str(u), str(v))}"
    if a.created_by != b.created_by:
        return f"written by {_short(str(a.created_by))}, made again by {b.created_by}"
    return ""


def _png(theirs: bytes, ours: bytes) -> str:
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(theirs), formats=["PNG"]) as a, Image.open(io.BytesIO(ours)) as b:
        if a.size != b.size or a.mode != b.mode:
            return f"an image of {a.size} {a.mode} here, {b.size} {b.mode} made again"
        box = ImageChops.difference(a.convert("RGB"), b.convert("RGB")).getbbox()
    if box:
        return f"pixels differ, between {box[:2]} and {box[2:]}"
    return "the picture is the same, what is written inside is not"


def _excerpts(a: str | None, b: str | None) -> str:
    """Both texts around the place where they begin to differ."""
    if a is None or b is None:
        return f"only {'made again' if a is None else 'here'}: {_short(a or b or '')!r}"
    pairs = enumerate(zip(a, b, strict=False))
    at = next((n for n, (x, y) in pairs if x != y), min(len(a), len(b)))
    start = max(0, at - _SHOWN // 2)
    return f"{_short(a[start:])!r} here, {_short(b[start:])!r} made again"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
