"""Tune's schedulers that pause trials and go on with them, some with another φ and the state of
another trial. Each is made by `make(workload, options)`, as those of ray_strategies.

What Tune keeps of a paused trial, and hands to the process that goes on, is the id of its segment;
its state lies with the run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from trialwatt.config.catalogue import ALGORITHMS
from trialwatt.config.conditions import conditional
from trialwatt.config.models import Axis, Range, Space, Workload
from trialwatt.suts.codes import value, values
from trialwatt.suts.ray_space import domains
from trialwatt.suts.strategies import Strategy

SEARCHERS = ("optuna", "hyperopt", "ax", "bayesopt", "hebo", "nevergrad", "zoopt")
"""Samplers that only propose a trial when another has ended, which a paused one has not."""
POPULATION = (
    "The budget is the population. What changes is what the algorithm reads, of a function all, or"
    " what `mutate` names"
)


def _halving(name: str) -> Callable[..., Any]:
    def make(workload: Workload, options: dict[str, Any]) -> Any:
        from ray.tune import schedulers

        return getattr(schedulers, name)(**{"max_t": workload.epochs} | options)

    return make


def _pbt(workload: Workload, options: dict[str, Any]) -> Any:
    from ray.tune.schedulers import PopulationBasedTraining

    space, given = _mutable(workload, options)
    drawn = domains(space)
    own = {name: list(range(len(values(axis)))) or drawn[name] for name, axis in space.items()}
    return PopulationBasedTraining(
        **_population(space) | {"hyperparam_mutations": own} | given,
    )


def _pb2(workload: Workload, options: dict[str, Any]) -> Any:
    """PB2 fits a model to numbers: choices and steps stay as they are drawn first."""
    kind = importlib.import_module("ray.tune.schedulers.pb2").PB2
    space, given = _mutable(workload, options)
    bounds = {
        name: [axis.low, axis.high]
        for name, axis in space.items()
        if isinstance(axis, Range) and not values(axis)
    }
    if not bounds:
        raise ValueError(f"PB2 needs a range without a step among {', '.join(space)}")
    return kind(**_population(space) | {"hyperparam_bounds": bounds} | given)


def _population(space: Space) -> dict[str, Any]:
    """What both schedulers of a population are told."""
    return {
        "time_attr": "training_iteration",
        "perturbation_interval": 1,
        "custom_explore_fn": partial(_within, space),
        "log_config": False,
    }


def _mutable(workload: Workload, options: dict[str, Any]) -> tuple[Space, dict[str, Any]]:
    """The part of Φ that a trial can change as it goes on, and the options without `mutate`.

    Raises ValueError where there is none, or one that is named is not in Φ.
    """
    if conditional(workload.space):
        raise ValueError("a φ that changes needs a space without conditions")
    given = dict(options)
    named = str(given.pop("mutate", "")).replace(",", " ").split()
    if lacking := [name for name in named if name not in workload.space]:
        raise ValueError(f"mutate: {lacking[0]} is not in the search space")
    known = workload.space if workload.trial else ALGORITHMS[workload.algorithm]
    found = {name: workload.space[name] for name in named or known if name in workload.space}
    if not found:
        raise ValueError("no hyperparameter of the space can change while a trial goes on")
    return found, given


def _within(space: Space, config: dict[str, Any]) -> dict[str, Any]:
    """A configuration whose numbers may have left their ranges."""
    return config | {name: _near(axis, config[name]) for name, axis in space.items()}


def _near(axis: Axis, drawn: Any) -> Any:
    return drawn if values(axis) else value(axis, drawn)


PAUSING = {
    "hyperband-sync": Strategy(
        _halving("HyperBandScheduler"),
        native="HyperBandScheduler",
        note="max_t is the number of epochs. Trials wait, paused, for the others of their bracket.",
        excludes=(*SEARCHERS, "bohb"),
        pauses=True,
    ),
    "bohb": Strategy(
        _halving("HyperBandForBOHB"),
        needs=("ConfigSpace", "hpbandster"),
        native="HyperBandForBOHB",
        note="max_t is the number of epochs.",
        excludes=("grid", "random", *SEARCHERS),
        pauses=True,
    ),
    "pbt": Strategy(
        _pbt,
        native="PopulationBasedTraining",
        note=f"{POPULATION}, after each epoch (perturbation_interval).",
        excludes=(*SEARCHERS, "bohb"),
        pauses=True,
    ),
    "pb2": Strategy(
        _pb2,
        needs=("scikit-learn",),
        native="PB2",
        note=f"{POPULATION}, if it is a range without a step.",
        excludes=(*SEARCHERS, "bohb"),
        pauses=True,
    ),
}
