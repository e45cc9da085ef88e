"""What an examination of this machine or of results has found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    state: "problem" is what stops a run, makes its results wrong, or was left behind; "note" is
    what a reader of results should know. todo: what to do about it; empty where it is ok.
    """

    state: State
    subject: str
    said: str
    todo: str = ""


def ok(subject: str, said: str) -> Finding:
    return Finding("ok", subject, said)


def note(subject: str, said: str, todo: str) -> Finding:
    return Finding("note", subject, said, todo)


def problem(subject: str, said: str, todo: str) -> Finding:
    return Finding("problem", subject, said, todo)
