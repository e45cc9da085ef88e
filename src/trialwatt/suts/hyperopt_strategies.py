"""A search space as Hyperopt draws from it, and the φ that a draw stands for.

Where a hyperparameter has evenly spaced values, Hyperopt draws the number of the value, with half
a step of room at both ends: its own quniform(low, high, q) gives multiples of q, which the values
need not be, and the two ends only half as often as the others. To TPE and annealing they are
ordered all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from trialwatt.config.conditions import compose, meets, order
from trialwatt.config.models import Choices, Range, Search, Space
from trialwatt.config.space import Phi, is_whole, last_step, value_at
from trialwatt.suts.strategies import Strategy


def to_hyperopt(space: Space) -> dict[str, Any]:
    """Φ for hyperopt.fmin: a dict of its expressions, labelled by the hyperparameters' names."""
    return conditioned(space, {name: _expression(name, axis) for name, axis in space.items()})


def conditioned(space: Space, expressions: dict[str, Any]) -> dict[str, Any]:
    """Expressions that are drawn only where their hyperparameter is active, and else are None.

    hp.choice is a switch over the number of its choice. That number, the same node with the same
    label, also switches what depends on the choice, from the outermost parent inwards.
    """
    from hyperopt.pyll import scope

    inwards_first = order(space)[::-1]
    found = {}
    for name, expression in expressions.items():
        within = {name}
        for parent in inwards_first:
            asked = [space[each].when[parent] for each in within if parent in space[each].when]
            if asked:
                within.add(parent)
                axis, number = space[parent], expressions[parent].pos_args[0]
                assert isinstance(axis, Choices), "the others were refused beforehand"
                met = [all(meets(axis, each, listed) for listed in asked) for each in axis.choices]
                expression = scope.switch(number, *(expression if one else None for one in met))
        found[name] = expression
    return found


def condition_problems(space: Space) -> dict[str, str]:
    """Hyperparameter → why its condition cannot be put to Hyperopt."""
    ranges = {name for name, axis in space.items() if isinstance(axis, Range)}
    found = {name: sorted(axis.when.keys() & ranges) for name, axis in space.items()}
    why = "is a range, and Hyperopt's spaces branch over choices only"
    return {name: f"{parents[0]} {why}" for name, parents in found.items() if parents}


def phi_of(space: Space, drawn: dict[str, Any]) -> Phi:
    """φ of what Hyperopt has evaluated its expressions to."""
    return compose(space, lambda name, axis: _value(axis, drawn[name]))


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


def _random(options: dict[str, Any]) -> Any:
    from hyperopt import rand

    return rand.suggest


def _tpe(options: dict[str, Any]) -> Any:
    from hyperopt import tpe

    return partial(tpe.suggest, **options)


def _anneal(options: dict[str, Any]) -> Any:
    from hyperopt import anneal

    return partial(anneal.suggest, **options)


def _atpe(options: dict[str, Any]) -> Any:
    from hyperopt import atpe

    return atpe.suggest


def _mix(options: dict[str, Any]) -> Any:
    from hyperopt import anneal, mix, rand, tpe

    parts = {"random": rand.suggest, "anneal": anneal.suggest, "tpe": tpe.suggest}
    return partial(mix.suggest, p_suggest=[(options[name], parts[name]) for name in parts])


SAMPLERS = {
    "random": Strategy(_random, native="rand.suggest"),
    "tpe": Strategy(
        _tpe,
        native="tpe.suggest",
        note="The first 20 trials are random (n_startup_jobs).",
        defaults={
            "n_startup_jobs": 20,
            "n_EI_candidates": 24,
            "gamma": 0.25,
            "prior_weight": 1.0,
        },
    ),
    "anneal": Strategy(
        _anneal, native="anneal.suggest", defaults={"avg_best_idx": 2.0, "shrink_coef": 0.1}
    ),
    "mix": Strategy(
        _mix,
        native="mix.suggest",
        note="Each trial by random, anneal or tpe, with the probabilities of Hyperopt's example.",
        defaults={"random": 0.1, "anneal": 0.2, "tpe": 0.7},
    ),
    "atpe": Strategy(_atpe, needs=("lightgbm", "scikit-learn"), native="atpe.suggest"),
}


def algorithm_of(search: Search) -> Any:
    """The suggest function of a search."""
    return SAMPLERS[search.sampler].made(given=search.sampler_options)


def option_problems(sampler: str, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(option, sentence) of each that the sampler lacks or cannot use: Hyperopt checks none."""
    defaults, found = SAMPLERS[sampler].defaults, []
    for name, value in given.items():
        if name not in defaults:
            there = ", ".join(defaults) or "none"
            found.append((name, f'Hyperopt\'s {sampler} has no option "{name}"; it has: {there}'))
        elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            found.append((name, f"must be a number that is not negative (got {value!r})"))
        elif isinstance(defaults[name], int) and not isinstance(value, int):
            found.append((name, f"must be a whole number (got {value!r})"))
    if sampler == "mix" and not found:
        total = sum(SAMPLERS[sampler].options(given).values())
        if abs(total - 1) > 1e-9:
            found.append(("", f"the probabilities must sum to 1 (they sum to {total:g})"))
    return found
