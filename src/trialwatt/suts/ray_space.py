"""The search space as Tune's domains."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from trialwatt.config.conditions import compose
from trialwatt.config.models import Choices, Range, Space
from trialwatt.config.space import Phi, is_whole, levels
from trialwatt.suts.codes import code, value, values
from trialwatt.suts.hyperopt_strategies import conditioned
from trialwatt.suts.optuna_strategies import suggest_one


def grid(space: Space) -> dict[str, Any]:
    """Every hyperparameter as a grid_search over its levels."""
    from ray import tune

    return {name: tune.grid_search(_codes(axis)) for name, axis in space.items()}


def choices(space: Space) -> dict[str, Any]:
    """Every hyperparameter as a choice among its levels, whether it is active or not."""
    from ray import tune

    return {name: tune.choice(_codes(axis)) for name, axis in space.items()}


def domains(space: Space) -> dict[str, Any]:
    """Every hyperparameter as the domain that Tune and its searchers draw from, whether it is
    active or not."""
    return {name: _domain(axis) for name, axis in space.items()}


def config_of(space: Space, phi: Phi) -> dict[str, Any]:
    """A trial's configuration that means φ."""
    return {name: code(space[name], each) for name, each in phi.items()}


def suggest(space: Space, trial: Any) -> None:
    """Have one of OptunaSearch's trials suggest the codes of what is active, parents first."""
    compose(space, lambda name, axis: value(axis, suggest_one(trial, name, _coded(axis))))


def define_by_run(space: Space) -> Callable[[Any], None]:
    """Φ for OptunaSearch. Tune pickles it."""
    return partial(suggest, space)


def branching(space: Space) -> dict[str, Any]:
    """Φ for HyperOptSearch: its own expressions of the domains, each within its conditions."""
    from ray.tune.search.hyperopt import HyperOptSearch

    return conditioned(space, HyperOptSearch.convert_search_space(domains(space)))


def _domain(axis: Choices | Range) -> Any:
    from ray import tune

    if isinstance(axis, Choices):
        return tune.choice(list(range(len(axis.choices))))
    if numbered := values(axis):
        return tune.randint(0, len(numbered)) if len(numbered) > 1 else tune.choice([0])
    if is_whole(axis):
        draw = tune.lograndint if axis.log else tune.randint
        return draw(axis.low, axis.high + 1)
    return (tune.loguniform if axis.log else tune.uniform)(axis.low, axis.high)


def _codes(axis: Choices | Range) -> list[Any]:
    return [code(axis, level) for level in levels(axis)]


def _coded(axis: Choices | Range) -> Choices | Range:
    """What the codes of an axis lie on."""
    numbers = list(range(len(values(axis))))
    if isinstance(axis, Range) and len(numbers) > 1:
        return Range(low=0, high=numbers[-1])
    return Choices(choices=numbers) if numbers else axis
