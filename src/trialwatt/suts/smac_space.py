"""A search space as SMAC takes it, one of its ConfigSpace, and the φ that a configuration means.

Choices and steps go by their numbers: an array of values of several types makes them texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trialwatt.config.conditions import compose, conditional, meets
from trialwatt.config.models import Choices, Range, Space
from trialwatt.config.space import Phi, is_whole
from trialwatt.suts.codes import steps, value


def to_configspace(space: Space) -> Any:
    """Φ as a ConfigurationSpace, its conditions too."""
    from ConfigSpace import ConfigurationSpace

    domain = ConfigurationSpace()
    domain.add([_hyperparameter(name, axis) for name, axis in space.items()])
    domain.add([_condition(space, name, domain) for name in conditional(space)])
    return domain


def phi_of(space: Space, config: Mapping[str, Any]) -> Phi:
    """φ of a configuration, which has what is active."""
    return compose(space, lambda name, axis: _value(axis, config[name]))


def _hyperparameter(name: str, axis: Choices | Range) -> Any:
    from ConfigSpace import Categorical, Constant, Float, Integer

    if (values := _numbered(axis)) and len(values) == 1:
        return Constant(name, 0)
    if isinstance(axis, Choices):
        return Categorical(name, list(range(len(axis.choices))))
    if values:
        return Integer(name, (0, len(values) - 1))
    kind = Integer if is_whole(axis) else Float
    return kind(name, (axis.low, axis.high), log=axis.log)


def _condition(space: Space, name: str, domain: Any) -> Any:
    from ConfigSpace import AndConjunction, InCondition

    found = []
    for parent, listed in space[name].when.items():
        axis = space[parent]
        numbers = [at for at, each in enumerate(_numbered(axis)) if meets(axis, each, listed)]
        found.append(InCondition(domain[name], domain[parent], numbers or listed))
    return AndConjunction(*found) if len(found) > 1 else found[0]


def _value(axis: Choices | Range, drawn: Any) -> Any:
    return axis.choices[int(drawn)] if isinstance(axis, Choices) else value(axis, drawn)


def _numbered(axis: Choices | Range) -> list[Any]:
    """The values of what goes by their numbers; none of a range without steps."""
    if isinstance(axis, Choices):
        return axis.choices
    return steps(axis) if axis.step else []
