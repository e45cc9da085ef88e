"""Texts: equal letter by letter, but for the last digits of numbers and checksums that follow.

Whole numbers and words are exact. A number counts as rounded where it is written with a decimal
point or an exponent.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import itertools
import json
import re
from collections.abc import Callable

from trialwatt.review.compare.rounding import Rounding

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PARTS = re.compile(rf"([0-9a-f]{{64}}|{_NUMBER})")
_NAME = re.compile(r"(?:(?<=[g-z_])|(?<=image))[0-9a-f]{10}(?![0-9a-f])")
"""An id that matplotlib makes of a letter and the hash of what it draws; no end of a checksum."""
_CHECKSUM = 64
_IS_NUMBER, _IS_WHOLE = re.compile(_NUMBER), re.compile(r"[-+]?\d+")
_EMBEDDED = re.compile(rb"(data:image/svg\+xml;base64,)([A-Za-z0-9+/=]+)")
_ATTRIBUTE = re.compile(r'(="[^"<>]*")')

_SHOWN = 60


def plain(theirs: bytes, ours: bytes, rounding: Rounding) -> str:
    """JSON, CSV, Markdown, TeX, HTML: the first line that differs, else nothing."""
    try:
        here, again = theirs.decode(), ours.decode()
    except UnicodeDecodeError:
        return in_bytes(theirs, ours)
    lines = itertools.zip_longest(here.split("\n"), again.split("\n"))
    for number, (a, b) in enumerate(lines, start=1):
        if a != b and (a is None or b is None or not same(a, b, rounding)):
            return f"line {number}: {excerpts(a, b)}"
    return ""


def svg(theirs: bytes, ours: bytes, rounding: Rounding) -> str:
    """Attributes hold coordinates and ids; all else is text as any other."""
    try:
        here, again = theirs.decode(), ours.decode()
    except UnicodeDecodeError:
        return in_bytes(theirs, ours)
    here = _renamed(here, again)
    one, other = _ATTRIBUTE.split(here), _ATTRIBUTE.split(again)
    if len(one) != len(other):
        return f"{len(one) // 2} attributes here, {len(other) // 2} made again"
    line = 1
    for place, (a, b) in enumerate(zip(one, other, strict=True)):
        if a != b and not (drawn if place % 2 else same)(a, b, rounding):
            return f"line {line}: {excerpts(a, b)}"
        line += b.count("\n")
    return ""


def html(theirs: bytes, ours: bytes, rounding: Rounding) -> str:
    """As text; an SVG figure inside is compared as one."""
    here, again = _EMBEDDED.split(theirs), _EMBEDDED.split(ours)
    if len(here) != len(again):
        return plain(theirs, ours, rounding)
    for place in range(2, len(again), 3):
        if here[place] == again[place]:
            continue
        try:
            one, other = (base64.b64decode(each[place], validate=True) for each in (here, again))
        except binascii.Error as error:
            return f"figure {place // 3 + 1} in it cannot be read: {error}"
        if said := svg(one, other, rounding):
            return f"figure {place // 3 + 1} in it: {said}"
        again[place] = here[place]
    return plain(theirs, b"".join(again), rounding)


def same(a: str, b: str, rounding: Rounding) -> bool:
    """Whether two texts are the same but for rounding."""
    return _alike(a, b, lambda x, y: _soft(x, y, rounding))


def drawn(a: str, b: str, rounding: Rounding) -> bool:
    """The same for what is drawn, where numbers are coordinates."""
    return _alike(a, b, lambda x, y: _drawn_soft(x, y, rounding))


def _renamed(here: str, again: str) -> str:
    """Their text with our ids, where each of ours stands for one of theirs throughout."""
    theirs, ours = _NAME.findall(here), _NAME.findall(again)
    pairs = set(zip(theirs, ours, strict=False))
    if len(theirs) != len(ours) or not len(pairs) == len(set(theirs)) == len(set(ours)):
        return here
    of = dict(pairs)
    return _NAME.sub(lambda found: of[found[0]], here)


def _alike(a: str, b: str, soft: Callable[[str, str], bool]) -> bool:
    one, other = _PARTS.split(a), _PARTS.split(b)
    return len(one) == len(other) and all(
        x == y or (place % 2 == 1 and soft(x, y))
        for place, (x, y) in enumerate(zip(one, other, strict=True))
    )


def _soft(a: str, b: str, rounding: Rounding) -> bool:
    if len(a) == len(b) == _CHECKSUM:
        return rounding.checksum(a, b)
    numbers = bool(_IS_NUMBER.fullmatch(a) and _IS_NUMBER.fullmatch(b))
    # one may be written without its point: 3 is 3.0000000000000004 rounded
    is_whole = bool(_IS_WHOLE.fullmatch(a) and _IS_WHOLE.fullmatch(b))
    return numbers and not is_whole and rounding.number(float(a), float(b))


def _drawn_soft(a: str, b: str, rounding: Rounding) -> bool:
    if _IS_NUMBER.fullmatch(a) and _IS_NUMBER.fullmatch(b):
        return rounding.coordinate(float(a), float(b))
    return rounding.checksum(a, b)


def in_bytes(theirs: bytes, ours: bytes) -> str:
    """From where on they differ."""
    pairs = enumerate(zip(theirs, ours, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(theirs), len(ours)))
    return f"from byte {at} on ({len(theirs)} bytes here, {len(ours)} made again)"


def excerpts(a: str | None, b: str | None) -> str:
    """Both texts around the place where they begin to differ."""
    if a is None or b is None:
        return f"only {'made again' if a is None else 'here'}: {short(a or b or '')!r}"
    pairs = enumerate(zip(a, b, strict=False))
    at = next((n for n, (x, y) in pairs if x != y), min(len(a), len(b)))
    start = max(0, at - _SHOWN // 2)
    return f"{short(a[start:])!r} here, {short(b[start:])!r} made again"


def short(text: str) -> str:
    """The beginning of a text."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


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
