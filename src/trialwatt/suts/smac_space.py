"""A search space as SMAC takes it, with conditions: one of its ConfigSpace."""

from __future__ import annotations

from typing import Any

from trialwatt.config.conditions import conditional, meets
from trialwatt.config.models import Choices, Range, Space
from trialwatt.config.space import is_whole
from trialwatt.suts.codes import values


def to_configspace(space: Space) -> Any:
    """Φ as a ConfigurationSpace, its conditions too."""
    from ConfigSpace import ConfigurationSpace

    domain = ConfigurationSpace()
    domain.add([_hyperparameter(name, axis) for name, axis in space.items()])
    domain.add([_condition(space, name, domain) for name in conditional(space)])
    return domain


def _hyperparameter(name: str, axis: Choices | Range) -> Any:
    from ConfigSpace import Categorical, Constant, Float, Integer

    if (numbered := values(axis)) and len(numbered) == 1:
        return Constant(name, 0)
    if isinstance(axis, Choices):
        return Categorical(name, list(range(len(numbered))))
    if numbered:
        return Integer(name, (0, len(numbered) - 1))
    kind = Integer if is_whole(axis) else Float
    return kind(name, (axis.low, axis.high), log=axis.log)


def _condition(space: Space, name: str, domain: Any) -> Any:
    from ConfigSpace import AndConjunction, InCondition

    found = []
    for parent, listed in space[name].when.items():
        axis = space[parent]
        numbers = [at for at, each in enumerate(values(axis)) if meets(axis, each, listed)]
        found.append(InCondition(domain[name], domain[parent], numbers or listed))
    return AndConjunction(*found) if len(found) > 1 else found[0]
