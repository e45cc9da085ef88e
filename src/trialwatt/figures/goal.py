"""What the runs of an experiment search for, in words: the score, and which way is better."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

_MOST_LETTERS = 24
_UNKNOWN = "score"


class Goal(NamedTuple):
    """score: its name; `score` where it is unknown or several. sign: −1 where less is better."""

    score: str
    sign: int

    @property
    def better(self) -> str:
        return "higher" if self.sign > 0 else "lower"

    @property
    def said(self) -> str:
        """`Score (loss, lower is better)`."""
        name = "" if self.score == _UNKNOWN else f"{self.score}, "
        return f"Score ({name}{self.better} is better)"

    @property
    def best(self) -> str:
        return f"{self.better.removesuffix('er')}est"

    def at_least(self, target: str) -> str:
        """`macro_f1 of 0.95 or more`."""
        return f"{self.score} of {target} or {'more' if self.sign > 0 else 'less'}"


def goal_of(runs: pd.DataFrame) -> Goal:
    """The goal of these runs. Tables that are older than its columns have one of more is better."""
    scores, directions = _known(runs, "goal_score"), _known(runs, "goal_direction")
    name = scores.pop() if len(scores) == 1 else _UNKNOWN
    shown = name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"
    return Goal(shown, -1 if directions == {"minimize"} else 1)


def _known(runs: pd.DataFrame, name: str) -> set[str]:
    return set(runs[name].dropna().astype(str)) if name in runs else set()
