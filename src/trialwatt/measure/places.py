"""Where in the user's own code something was asked for, so that a message can name the line."""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

from trialwatt.errors import TrialwattError

_OURS = str(Path(__file__).parent)
_NOT_THE_USERS = (_OURS, str(contextlib.__file__))


class MeasureError(TrialwattError):
    """What cannot be measured as it was asked for; said before anything starts."""


class MeasureWarning(UserWarning):
    """What was asked for in a wrong way; the script goes on, and its result says so."""


class Place(NamedTuple):
    """A line of the user's code."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def caller() -> Place:
    """The line that is being executed, outside of this package."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


def warn(text: str, place: Place) -> None:
    """A warning that Python prints with the user's file and line."""
    warnings.warn_explicit(text, MeasureWarning, place.file, place.line)
