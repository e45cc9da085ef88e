"""Tune's own search algorithms and schedulers.

Samplers are made by `make(workload, seed, options)` and give a Search; pruners by
`make(workload, options)` and give a scheduler. Metric and mode come from the TuneConfig.
"""

from __future__ import annotations

import importlib
import math
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from trialwatt.config import space as spaces
from trialwatt.config.conditions import conditional
from trialwatt.config.models import Space, Workload
from trialwatt.suts import ray_space
from trialwatt.suts.ray_pausing import PAUSING
from trialwatt.suts.strategies import Strategy


class Search(NamedTuple):
    """What the Tuner is told: its search algorithm, param_space and num_samples."""

    algorithm: object
    space: dict[str, Any]
    samples: int


# --- samplers ---------------------------------------------------------------------------------


def _grid(workload: Workload, seed: int, options: dict[str, Any]) -> Search:
    space, budget = workload.space, _budget(workload)
    if budget == spaces.size(space) and not conditional(space):
        return Search(_variants(workload, seed, options), ray_space.grid(space), 1)
    # A grid_search has neither a budget nor conditions: then the points are named one by one.
    points = [ray_space.config_of(space, phi) for phi in spaces.grid(space)]
    random.Random(seed).shuffle(points)
    named = _variants(workload, seed, {"points_to_evaluate": points[:budget]} | options)
    return Search(named, ray_space.choices(space), budget)


def _random(workload: Workload, seed: int, options: dict[str, Any]) -> Search:
    space = ray_space.domains(workload.space)
    return Search(_variants(workload, seed, options), space, _budget(workload))


def _variants(workload: Workload, seed: int, options: dict[str, Any]) -> Any:
    from ray.tune.search.basic_variant import BasicVariantGenerator

    # Where trials pause, those that run are as many as there are workers, of more that are alive.
    most = 0 if PRUNERS[workload.search.pruner].pauses else workload.workers.count
    own = {"random_state": seed, "max_concurrent": most}
    return BasicVariantGenerator(**own | options)


def _searcher(
    module: str, name: str, seed_option: str = "", conditions: Callable[[Space], Any] | None = None
) -> Any:
    """A searcher of ray.tune.search.<module>; `seed_option`: what it calls its seed; `conditions`:
    makes what it is given for a space with conditions, as Tune's own domains have none."""

    def make(workload: Workload, seed: int, options: dict[str, Any]) -> Search:
        from ray.tune.search import ConcurrencyLimiter

        kind = getattr(importlib.import_module(f"ray.tune.search.{module}"), name)
        own: dict[str, Any] = {seed_option: seed} if seed_option else {}
        domains = ray_space.domains(workload.space)
        if conditions and conditional(workload.space):
            own |= {"space": conditions(workload.space), "metric": "score", "mode": "max"}
            domains = {}  # Tune refuses a space that is given twice
        limited = ConcurrencyLimiter(kind(**own | options), workload.workers.count)
        return Search(limited, domains, _budget(workload))

    return make


def _optuna(workload: Workload, seed: int, options: dict[str, Any]) -> Search:
    # OptunaSearch makes a TPESampler by default; the options are those of the sampler.
    from optuna.samplers import TPESampler

    sampler = TPESampler(**{"seed": seed} | options)
    make = _searcher("optuna", "OptunaSearch", conditions=ray_space.define_by_run)
    return make(workload, seed, {"sampler": sampler})


def _nevergrad(workload: Workload, seed: int, options: dict[str, Any]) -> Search:
    # NevergradSearch has no default; NGOpt is Nevergrad's own choice of an optimizer.
    import nevergrad

    name = options["optimizer"]
    if name not in nevergrad.optimizers.registry:
        raise ValueError(f"nevergrad has no optimizer {name!r}")
    found = {"optimizer": nevergrad.optimizers.registry[name]}
    return _searcher("nevergrad", "NevergradSearch")(workload, seed, options | found)


def _zoopt(workload: Workload, seed: int, options: dict[str, Any]) -> Search:
    own = {"budget": _budget(workload)}
    return _searcher("zoopt", "ZOOptSearch")(workload, seed, own | options)


def _budget(workload: Workload) -> int:
    budget = spaces.most_trials(workload)
    assert budget, "validated with the configuration"
    return budget


SAMPLERS = {
    "grid": Strategy(
        _grid,
        native="grid_search",
        note="In order; where the budget is smaller than the grid, a seeded part of it, and where"
        " the space has conditions, its points in a seeded order.",
    ),
    "random": Strategy(_random, native="BasicVariantGenerator"),
    "optuna": Strategy(
        _optuna,
        needs=("optuna",),
        native="OptunaSearch",
        note="Optuna's TPESampler, whose options these are.",
    ),
    "hyperopt": Strategy(
        _searcher("hyperopt", "HyperOptSearch", "random_state_seed", ray_space.branching),
        needs=("hyperopt",),
        native="HyperOptSearch",
        note="Hyperopt's TPE; the first 20 trials are random (n_initial_points).",
    ),
    "bohb": Strategy(
        _searcher("bohb", "TuneBOHB", "seed"),
        needs=("ConfigSpace", "hpbandster"),
        native="TuneBOHB",
        note="Only with the pruner bohb, which tells it of what it has paused.",
        excludes=("none", "asha", "hyperband", "median", "hyperband-sync", "pbt", "pb2"),
    ),
    "ax": Strategy(
        _searcher("ax", "AxSearch"),
        needs=("ax-platform",),
        native="AxSearch",
    ),
    "bayesopt": Strategy(
        _searcher("bayesopt", "BayesOptSearch", "random_state"),
        needs=("bayesian-optimization",),
        native="BayesOptSearch",
        note="Continuous ranges only, and a log range is searched as a linear one."
        " Needs bayesian-optimization 1.4.3.",
    ),
    "hebo": Strategy(
        _searcher("hebo", "HEBOSearch", "random_state_seed"),
        needs=("HEBO",),
        native="HEBOSearch",
    ),
    "nevergrad": Strategy(
        _nevergrad,
        needs=("nevergrad",),
        native="NevergradSearch",
        note="`optimizer` names one of Nevergrad's registry.",
        defaults={"optimizer": "NGOpt"},
    ),
    "zoopt": Strategy(
        _zoopt,
        needs=("zoopt",),
        native="ZOOptSearch",
        note="No log ranges.",
    ),
}

# --- pruners ----------------------------------------------------------------------------------


def _none(workload: Workload, options: dict[str, Any]) -> Any:
    from ray.tune.schedulers import FIFOScheduler

    return FIFOScheduler(**options)


def _asha(workload: Workload, options: dict[str, Any]) -> Any:
    from ray.tune.schedulers import ASHAScheduler

    return ASHAScheduler(**{"max_t": workload.epochs} | options)


def _hyperband(workload: Workload, options: dict[str, Any]) -> Any:
    # As many brackets as Hyperband has: the last one lets its trials run to the end.
    from ray.tune.schedulers import AsyncHyperBandScheduler

    own = {"max_t": workload.epochs, "reduction_factor": 3, "grace_period": 1} | options
    rungs = math.log(own["max_t"] / own["grace_period"], own["reduction_factor"])
    return AsyncHyperBandScheduler(**{"brackets": max(1, math.floor(rungs + 1e-9) + 1)} | own)


def _median(workload: Workload, options: dict[str, Any]) -> Any:
    from ray.tune.schedulers import MedianStoppingRule

    own = {"time_attr": "training_iteration", "grace_period": 1}
    # While it knows too little to judge, it would pause trials for others that wait.
    return MedianStoppingRule(**own | {"min_time_slice": math.inf} | options)


PRUNERS: dict[str, Strategy] = {
    "none": Strategy(_none, native="FIFOScheduler"),
    "asha": Strategy(_asha, native="ASHAScheduler", note="max_t is the number of epochs."),
    "hyperband": Strategy(
        _hyperband,
        native="AsyncHyperBandScheduler",
        note="The asynchronous form, with as many brackets as Hyperband has (brackets).",
    ),
    "median": Strategy(
        _median,
        native="MedianStoppingRule",
        note="Counts in epochs, from the first one (grace_period); it never pauses a trial"
        " (min_time_slice).",
    ),
    **PAUSING,
}


def search_of(workload: Workload, seed: int) -> Search:
    """What the Tuner is told of a workload's search."""
    search = workload.search
    return SAMPLERS[search.sampler].made(workload, seed, given=search.sampler_options)


def scheduler_of(workload: Workload) -> Any:
    """The scheduler of a workload's search."""
    search = workload.search
    return PRUNERS[search.pruner].made(workload, given=search.pruner_options)
