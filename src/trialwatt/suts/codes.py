"""A value of a hyperparameter as frameworks take it, and back.

A choice is handed over as its number, as frameworks that keep their choices in an array make texts
or numpy's own types of them. So is a step: the quantised domains of frameworks round to multiples
of the step, so that a range that starts elsewhere would lose its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from trialwatt.config.conditions import compose, meets
from trialwatt.config.models import Choices, Range, Space
from trialwatt.config.space import Phi, is_whole, levels


def values(axis: Choices | Range) -> list[Any]:
    """All values of what goes by their numbers; none of a range without steps."""
    if isinstance(axis, Choices):
        return axis.choices
    return _steps(axis.low, axis.high, axis.step) if axis.step else []


@lru_cache(typed=True)
def _steps(low: float, high: float, step: float) -> list[Any]:
    return levels(Range(low=low, high=high, step=step))


def code(axis: Choices | Range, value: Any) -> Any:
    """What a framework is given for a value."""
    if numbered := values(axis):
        return next(at for at, each in enumerate(numbered) if meets(axis, each, [value]))
    return value


def value(axis: Choices | Range, drawn: Any) -> Any:
    """The value that a framework means."""
    if numbered := values(axis):
        return numbered[int(drawn)]
    assert isinstance(axis, Range), "choices have numbers"
    # exp(log(high)) can be greater than high in the last digit
    within = min(max(drawn, axis.low), axis.high)
    return int(within) if is_whole(axis) else float(within)


def phi_of(space: Space, config: Mapping[str, Any]) -> Phi:
    """φ of a framework's configuration: a code for each hyperparameter, also for some or all of
    those that are not active."""
    return compose(space, lambda name, axis: value(axis, config[name]))
