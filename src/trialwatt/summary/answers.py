"""The answers to the hypotheses as they are told: what was asked, the verdict, and each scope's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trialwatt.analysis.answers import ALL, STATEMENTS, UNDECIDED, Answer
from trialwatt.figures.answers import STEM
from trialwatt.figures.tablefiles import read_tidy

_COLUMNS = dict.fromkeys(("hypothesis", "scope", "verdict", "sentence"), str)


@dataclass(frozen=True)
class Asked:
    """A hypothesis. whole: the answer over all scopes. scopes: those of each."""

    name: str
    statement: str
    whole: Answer
    scopes: tuple[Answer, ...]


def answers_of(results: Path) -> list[Asked]:
    """What `figures.answers` wrote into a results folder; empty where that was not made yet.

    Raises TrialwattError where it is damaged.
    """
    file = results / "tables" / f"{STEM}.csv"
    if not file.is_file():
        return []
    rows = read_tidy(file, _COLUMNS)[list(_COLUMNS)].to_dict("records")
    found = [Answer(**{str(name): text for name, text in row.items()}) for row in rows]
    return [_asked(name, [one for one in found if one.hypothesis == name]) for name in STATEMENTS]


def _asked(name: str, own: list[Answer]) -> Asked:
    why = f"{UNDECIDED}: not asked"
    nothing = Answer(name, ALL, why, f"{name}: {why}.")
    whole = next((one for one in own if one.scope == ALL), nothing)
    scopes = tuple(one for one in own if one.scope != ALL)
    return Asked(name, STATEMENTS[name], whole, scopes)
