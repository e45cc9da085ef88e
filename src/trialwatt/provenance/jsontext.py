"""JSON as all files of ours hold it; what else the standard's grammar allows is refused.

Two keys of one name hide one of two values; a number beyond 64 bits, half a character, or a
thousand levels of nesting are no measurement, and break what is done with them later.
"""

from __future__ import annotations

import json
import re

MOST_LEVELS = 100
_MOST_DIGITS = 19
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class NotOurs(ValueError):
    """It is JSON, and none that we write."""


def parse_json(text: bytes | str) -> object:
    """The value in `text`. Raises ValueError, which says what is wrong, and nothing else: NotOurs
    where it is JSON, but a cut or a flipped bit does not explain it."""
    text = text.decode() if isinstance(text, bytes) else text
    if text.startswith("\ufeff"):
        raise NotOurs("it begins with a byte order mark (BOM)")
    try:
        value = _DECODER.decode(text)
    except RecursionError as error:
        raise NotOurs(f"it is nested deeper than {MOST_LEVELS} levels") from error
    if text.count("[") + text.count("{") > MOST_LEVELS:
        _refuse_depth(value)
    if _HALF.search(text):
        _refuse_halves(value)
    return value


def _whole_number(digits: str) -> int:
    number = int(digits) if len(digits) <= _MOST_DIGITS + 1 else 2**64
    if not -(2**63) <= number < 2**63:
        raise NotOurs(f"a whole number of {len(digits)} digits; 64 bits must do")
    return number


def _object(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise NotOurs(f"the key {twice[:100]!r} stands twice in one object")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole_number)


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(MOST_LEVELS):
        inside = (each.values() if isinstance(each, dict) else each for each in level)
        level = [one for each in inside for one in each if isinstance(one, dict | list)]
        if not level:
            return
    raise NotOurs(f"it is nested deeper than {MOST_LEVELS} levels")


def _refuse_halves(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotOurs("it holds half a character (a lone surrogate)") from error
