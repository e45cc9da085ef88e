"""What a script of the user's own draws, in all and trial by trial (docs/measure.md).

The package itself is called: `with trialwatt.measure(region="DE") as m:`.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

from trialwatt.measure.places import MeasureError, MeasureWarning
from trialwatt.measure.result import Result, TrialResult
from trialwatt.measure.session import Measure, Trial, current

__all__ = [
    "Measure",
    "MeasureError",
    "MeasureWarning",
    "Result",
    "Trial",
    "TrialResult",
    "current",
]


class _Callable(types.ModuleType):
    """A function `measure` in `trialwatt` would be replaced by this package at its import."""

    def __call__(self, function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """A Measure with these options; of a function: the function, measured at each call."""
        measure = Measure(**options)
        return measure if function is None else measure(function)


sys.modules[__name__].__class__ = _Callable
