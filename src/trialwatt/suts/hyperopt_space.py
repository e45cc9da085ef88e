"""A search space as Hyperopt draws from it, and the φ that a draw stands for.

Where a hyperparameter has evenly spaced values, Hyperopt draws the number of the value, with half
a step of room at both ends: its own quniform(low, high, q) gives multiples of q, which the values
need not be, and the two ends only half as often as the others. To TPE and annealing they are
ordered all the same.
"""

from __future__ import annotations

import math
from typing import Any

from trialwatt.config.models import Choices, Range, Space
from trialwatt.config.space import Phi, is_whole, last_step, value_at


def to_hyperopt(space: Space) -> dict[str, Any]:
    """Φ for hyperopt.fmin: a dict of its expressions, labelled by the hyperparameters' names."""
    return {name: _expression(name, axis) for name, axis in space.items()}


def phi_of(space: Space, drawn: dict[str, Any]) -> Phi:
    """φ of what Hyperopt has evaluated its expressions to."""
    return {name: _value(axis, drawn[name]) for name, axis in space.items()}


def _expression(name: str, axis: Choices | Range) -> Any:
    from hyperopt import hp

    if isinstance(axis, Choices):
        return hp.choice(name, axis.choices)
    if axis.log and is_whole(axis):
        return hp.qloguniform(name, math.log(axis.low), math.log(axis.high), 1)
    if axis.log:
        return hp.loguniform(name, math.log(axis.low), math.log(axis.high))
    if _is_spaced(axis):
        return hp.quniform(name, -0.5, last_step(axis) + 0.5, 1)
    return hp.uniform(name, axis.low, axis.high)


def _value(axis: Choices | Range, drawn: Any) -> Any:
    if isinstance(axis, Choices):
        return drawn
    if _is_spaced(axis):
        return value_at(axis, _within(round(drawn), 0, last_step(axis)))
    # exp(log(high)) may be a little more than high
    inside = _within(float(drawn), axis.low, axis.high)
    return round(inside) if is_whole(axis) else inside


def _is_spaced(axis: Range) -> bool:
    return not axis.log and bool(axis.step or is_whole(axis))


def _within(value: Any, low: Any, high: Any) -> Any:
    return min(max(value, low), high)
