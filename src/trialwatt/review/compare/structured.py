"""Where in a JSON or CSV file the first difference is, as its readers would say it."""

from __future__ import annotations

import csv
import io
import itertools
import json

from trialwatt.review.compare.rounding import Rounding
from trialwatt.review.compare.texts import same
from trialwatt.review.compare.words import excerpts, short


def _json(theirs: bytes, ours: bytes, rounding: Rounding) -> str:
    return _in_json(json.loads(theirs), json.loads(ours), "", rounding)


def _in_json(a: object, b: object, key: str, rounding: Rounding) -> str:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(a.keys() | b.keys()):
            where = f"{key}.{name}" if key else name
            if name not in a or name not in b:
                return f"{short(where)}: only {'here' if name in a else 'made again'}"
            if found := _in_json(a[name], b[name], where, rounding):
                return found
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return f"{short(key)}: {len(a)} entries here, {len(b)} made again"
        for number, (one, other) in enumerate(zip(a, b, strict=True)):
            if found := _in_json(one, other, f"{key}[{number}]", rounding):
                return found
    elif a != b or type(a) is not type(b):
        here, again = json.dumps(a), json.dumps(b)
        if not same(here, again, rounding):
            return f"{short(key)}: {excerpts(here, again)}"
    return ""


def _csv(theirs: bytes, ours: bytes, rounding: Rounding) -> str:
    here, again = (csv.reader(io.StringIO(data.decode())) for data in (theirs, ours))
    head: list[str] = []
    for number, (a, b) in enumerate(itertools.zip_longest(here, again)):
        if a is None or b is None:
            return f"row {number}: only {'made again' if a is None else 'here'}"
        if number == 0:
            head = b
        for column, (x, y) in enumerate(itertools.zip_longest(a, b)):
            if x != y and (x is None or y is None or not same(x, y, rounding)):
                name = head[column] if column < len(head) else str(column)
                where = f"row {number}, column {name}" if number else "heading"
                return f"{where}: {excerpts(x, y)}"
    return ""


PLACES = {".json": _json, ".csv": _csv}
"""Suffix → the first difference with its key, or its row and column."""
