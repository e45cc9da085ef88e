"""Which φ won: that of the best trial of each run, what it was chosen from, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from trialwatt.config.models import Space
from trialwatt.config.space import Phi
from trialwatt.provenance.jsontext import parse_json

UNKNOWN = "unknown"
"""Said of the best φ of runs that do not tell it: they failed, or their archive is older."""
_SPACES: TypeAdapter[Space] = TypeAdapter(Space)


class Winner(NamedTuple):
    """The φ that won in most of some runs, as canonical JSON; of equals the first by its text.

    times: in how many of them; of: how many tell theirs.
    """

    phi: str
    times: int
    of: int


def winner(runs: pd.DataFrame) -> Winner | None:
    """Over the best φ of these runs; None where no run tells its own."""
    if "best_phi" not in runs:
        return None
    counts = Counter(text for text in runs["best_phi"].dropna() if text)
    if not counts:
        return None
    phi, times = min(counts.items(), key=lambda one: (-one[1], one[0]))
    return Winner(phi, times, counts.total())


def winning_values(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per run and hyperparameter of its best φ: run (its index in runs), name, value."""
    texts = runs["best_phi"] if "best_phi" in runs else pd.Series(dtype=object)
    rows = [
        (run, name, value) for run, text in texts.items() for name, value in parsed(text).items()
    ]
    return pd.DataFrame(rows, columns=["run", "name", "value"]).astype({"value": object})


def parsed(text: object) -> Phi:
    """φ from the text of its column; empty where there is none, or it is no φ."""
    try:
        found: Any = parse_json(text) if isinstance(text, str) else {}
        return {n: v for n, v in found.items() if isinstance(v, bool | int | float | str)}
    except (ValueError, AttributeError):
        return {}


def spaces(texts: Iterable[object]) -> list[Space]:
    """The different search spaces in a column `space` of the runs table; those that it has."""
    found = []
    for text in dict.fromkeys(text for text in texts if isinstance(text, str)):
        try:
            found.append(_SPACES.validate_json(text))
        except ValidationError:
            continue
    return found


def said(phi: str) -> str:
    """φ for people: `decay 1e-06, lr 0.01`."""
    return ", ".join(f"{name} {spelled(value)}" for name, value in parsed(phi).items())


def spelled(value: object) -> str:
    """A value of a hyperparameter as a search space's file has it: `true`, `1e-06`, `adam`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def worded(won: Winner | None) -> str:
    """`decay 1e-06, lr 0.01 (2 of 3)`: the φ that won most often, and in how many runs."""
    if won is None:
        return UNKNOWN
    return f"{said(won.phi)} ({won.times:g} of {won.of:g})"
