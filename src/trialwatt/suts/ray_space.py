"""The search space as Tune's domains."""

from __future__ import annotations

from typing import Any

from trialwatt.config.models import Choices, Range, Space
from trialwatt.config.space import Phi, is_whole, levels
from trialwatt.suts.codes import code, steps


def grid(space: Space) -> dict[str, Any]:
    """Every hyperparameter as a grid_search over its levels."""
    from ray import tune

    return {name: tune.grid_search(_codes(axis)) for name, axis in space.items()}


def choices(space: Space) -> dict[str, Any]:
    """Every hyperparameter as a choice among its levels."""
    from ray import tune

    return {name: tune.choice(_codes(axis)) for name, axis in space.items()}


def domains(space: Space) -> dict[str, Any]:
    """Every hyperparameter as the domain that Tune and its searchers draw from."""
    return {name: _domain(axis) for name, axis in space.items()}


def config_of(space: Space, phi: Phi) -> dict[str, Any]:
    """A trial's configuration that means φ."""
    return {name: code(axis, phi[name]) for name, axis in space.items()}


def _domain(axis: Choices | Range) -> Any:
    from ray import tune

    if isinstance(axis, Choices):
        return tune.choice(axis.choices)
    if axis.step:
        count = len(steps(axis))
        return tune.randint(0, count) if count > 1 else tune.choice([0])
    if is_whole(axis):
        draw = tune.lograndint if axis.log else tune.randint
        return draw(axis.low, axis.high + 1)
    return (tune.loguniform if axis.log else tune.uniform)(axis.low, axis.high)


def _codes(axis: Choices | Range) -> list[Any]:
    return [code(axis, level) for level in levels(axis)]
