"""The names of the paper's numbers: paths in numbers.json, as `num` in its source takes them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from trialwatt.errors import TrialwattError
from trialwatt.printable import printable, shown
from trialwatt.provenance.foreign import Unreadable, read_json

_MOST_BYTES = 64 << 20
_NEAR = 8
_SHOWN = 60


class Named(NamedTuple):
    """A number, text or sentence by its path; an entry of a list has its place as a step."""

    name: str
    steps: tuple[str | int, ...]
    value: str


def read_numbers(file: Path) -> dict:
    """A numbers.json, which may be a stranger's. Raises TrialwattError where it is none."""
    try:
        content = read_json(file, _MOST_BYTES)
    except Unreadable as error:
        raise TrialwattError(
            f"{shown(file, 500)}: missing or damaged, the paper's numbers; "
            f"`snakemake --profile local paper` makes them ({error})"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("experiments"), dict):
        raise TrialwattError(f"{shown(file, 500)}: not the paper's numbers")
    return content


def find(numbers: Mapping, asked: str) -> Named:
    """The number of this name, or the only one whose text holds what was asked.

    `a.rows[0][3]` is `a.rows.0.3`. Raises TrialwattError where there is none or are several, with
    those that are near.
    """
    every = {one.name: one for one in _leaves(numbers, ())}
    name = re.sub(r"\[(\d+)\]", r".\1", asked.strip()).strip(".")
    if name in every:
        return every[name]
    if below := [one for one in every.values() if one.name.startswith(f"{name}.")]:
        raise TrialwattError(f"{shown(asked)} is a group of numbers; name one of:\n{_list(below)}")
    pattern = rf"(?<![\w.,]){re.escape(asked.strip())}(?![\w]|[.,]\d)"
    holding = [one for one in every.values() if asked.strip() and re.search(pattern, one.value)]
    if len(holding) == 1:
        return holding[0]
    if holding:
        raise TrialwattError(
            f"{shown(repr(asked))} stands in several; name one of:\n{_list(holding)}"
        )
    near = [every[one] for one in difflib.get_close_matches(name, every, n=_NEAR, cutoff=0.5)]
    raise TrialwattError(
        f"the paper has no number {shown(repr(asked))}"
        + (f"; near to it are:\n{_list(near)}" if near else "; its names are those in numbers.json")
    )


def _leaves(value: object, steps: tuple[str | int, ...]) -> Iterator[Named]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*steps, str(key)))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*steps, place))
    else:
        yield Named(".".join(map(str, steps)), steps, str(value))


def _list(these: list[Named]) -> str:
    lines = [f"  {one.name}  {one.value[:_SHOWN]}" for one in these[:_NEAR]]
    more = [f"  and {len(these) - _NEAR} more"] if len(these) > _NEAR else []
    return printable([*lines, *more])
