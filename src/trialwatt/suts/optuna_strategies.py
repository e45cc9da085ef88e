"""Optuna's own samplers and pruners, and how a search space is put to its trials.

Samplers are made by `make(workload, seeds, options)`, pruners by `make(workload, options)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trialwatt.config.catalogue import is_of_images
from trialwatt.config.conditions import active, compose
from trialwatt.config.models import Choices, Range, Space, Workload
from trialwatt.config.space import Phi, is_whole, levels, top
from trialwatt.suts.strategies import Strategy


@dataclass(frozen=True)
class Seeds:
    """shared: of all workers of a run. own: of one process alone, that of a replacement too."""

    shared: int
    own: int


def seeds_of(run_seed: int, workers: int, index: int, started: int) -> Seeds:
    """Seeds of worker `index` of so many, whose predecessors have started so many trials.

    Two workers with one seed would draw the same φs, and so would a worker that replaces another.
    """
    return Seeds(run_seed % 2**32, (run_seed + index + workers * started) % 2**32)


# --- the search space -------------------------------------------------------------------------


def suggest(trial: Any, space: Space) -> Phi:
    """φ of one of Optuna's trials. Listed choices are categories to it, numbers among them too."""
    return compose(space, lambda name, axis: suggest_one(trial, name, axis))


def suggest_one(trial: Any, name: str, axis: Choices | Range) -> Any:
    """The value of one hyperparameter."""
    if isinstance(axis, Choices):
        return trial.suggest_categorical(name, axis.choices)
    if axis.log:
        ask = trial.suggest_int if is_whole(axis) else trial.suggest_float
        return ask(name, axis.low, axis.high, log=True)
    if is_whole(axis):
        return trial.suggest_int(name, axis.low, top(axis), step=int(axis.step or 1))
    high = top(axis) if axis.step else axis.high
    return trial.suggest_float(name, axis.low, high, step=axis.step)


# --- samplers ---------------------------------------------------------------------------------


def _grid(workload: Workload, seeds: Seeds, options: dict[str, Any]) -> Any:
    # The seed shuffles the grid, and trial n takes the n-th point: it must be one for all workers.
    from optuna.samplers import GridSampler

    axes = {name: levels(axis) for name, axis in workload.space.items()}
    return GridSampler(axes, **{"seed": seeds.shared} | options)


def _qmc(workload: Workload, seeds: Seeds, options: dict[str, Any]) -> Any:
    # Workers take turns in one sequence, whose scrambling must be the same for all. The trials
    # before the space is known are drawn independently, and those must differ.
    from optuna.samplers import QMCSampler, RandomSampler

    first = RandomSampler(seed=seeds.own)
    return QMCSampler(**{"seed": seeds.shared, "independent_sampler": first} | options)


def _bruteforce(workload: Workload, seeds: Seeds, options: dict[str, Any]) -> Any:
    # A trial that ended before all of its φ was drawn, as its worker was lost or the budget full,
    # is a point of the tree without children to this sampler, which then refuses every other.
    from optuna.samplers import BruteForceSampler

    sampler: Any = BruteForceSampler(**{"seed": seeds.own} | options)
    populate = sampler._populate_tree

    def populate_with_whole_trials(tree: Any, trials: list[Any], params: dict[str, Any]) -> None:
        whole = [
            trial
            for trial in trials
            if not trial.state.is_finished()
            or active(workload.space, trial.params) <= trial.params.keys()
        ]
        populate(tree, whole, params)

    sampler._populate_tree = populate_with_whole_trials
    return sampler


def _sampler(name: str) -> Any:
    """A sampler of which every worker has its own random state."""

    def make(workload: Workload, seeds: Seeds, options: dict[str, Any]) -> Any:
        import optuna

        return getattr(optuna.samplers, name)(**{"seed": seeds.own} | options)

    return make


SAMPLERS = {
    "grid": Strategy(
        _grid,
        native="GridSampler",
        note="Workers share the seed that shuffles the grid.",
    ),
    "random": Strategy(_sampler("RandomSampler"), native="RandomSampler"),
    "tpe": Strategy(
        _sampler("TPESampler"),
        native="TPESampler",
        note="The first 10 trials are random (n_startup_trials).",
    ),
    "cmaes": Strategy(
        _sampler("CmaEsSampler"),
        needs=("cmaes",),
        native="CmaEsSampler",
        note="Hyperparameters given as choices are drawn at random: CMA-ES searches ranges only.",
        defaults={"warn_independent_sampling": False},
    ),
    "gp": Strategy(
        _sampler("GPSampler"),
        needs=("scipy", "torch"),
        native="GPSampler",
        note="The first 10 trials are random (n_startup_trials).",
    ),
    "qmc": Strategy(
        _qmc,
        needs=("scipy",),
        native="QMCSampler",
        note="Scrambled, so that the seed matters; workers share the sequence, and two that ask"
        " at the same moment can get the same point.",
        defaults={"scramble": True, "warn_independent_sampling": False},
    ),
    "nsga2": Strategy(
        _sampler("NSGAIISampler"),
        native="NSGAIISampler",
        note="The first generation is random: 50 trials (population_size).",
    ),
    "nsga3": Strategy(
        _sampler("NSGAIIISampler"),
        native="NSGAIIISampler",
        note="The first generation is random: 50 trials (population_size).",
    ),
    "bruteforce": Strategy(
        _bruteforce,
        native="BruteForceSampler",
        note="Every point of choices, whole numbers and steps; workers that ask at the same"
        " moment can get the same point.",
    ),
}

# --- pruners ----------------------------------------------------------------------------------

_TWICE_GUESSING = 0.2
"""Twice the score of guessing one of ten classes."""


def _pruner(name: str) -> Any:
    def make(workload: Workload, options: dict[str, Any]) -> Any:
        import optuna

        return getattr(optuna.pruners, name)(**options)

    return make


def _hyperband(workload: Workload, options: dict[str, Any]) -> Any:
    from optuna.pruners import HyperbandPruner

    return HyperbandPruner(**{"max_resource": workload.epochs} | options)


def _threshold(workload: Workload, options: dict[str, Any]) -> Any:
    # The bounds are of the goal's own score, and Optuna is told one of which more is better.
    from optuna.pruners import ThresholdPruner

    own = ({"lower": _TWICE_GUESSING} if is_of_images(workload) else {}) | options
    if workload.goal.sign < 0:
        ends = (("lower", "upper"), ("upper", "lower"))
        turned = {there: -own[here] for here, there in ends if own.get(here) is not None}
        own = {key: value for key, value in own.items() if key not in dict(ends)} | turned
    return ThresholdPruner(**own)


def lacks_bound(workload: Workload) -> bool:
    """Whether a threshold is to prune that has no bound: the default is one for images."""
    search = workload.search
    name = search.pruner_options.get("wrapped") if search.pruner == "patient" else search.pruner
    bounds = {"lower", "upper"} & search.pruner_options.keys()
    return name == "threshold" and not bounds and not is_of_images(workload)


def _patient(workload: Workload, options: dict[str, Any]) -> Any:
    from optuna.pruners import PatientPruner

    own = {key: options[key] for key in ("patience", "min_delta") if key in options}
    inner = {key: value for key, value in options.items() if key not in {*own, "wrapped"}}
    name = options["wrapped"]
    if name == "patient" or name not in PRUNERS:
        raise ValueError(f'wrapped: no "{name}" to wrap; there are: {", ".join(_WRAPPABLE)}')
    wrapped = PRUNERS[name]
    if name == "none":
        return PatientPruner(None, **own | inner)
    return PatientPruner(wrapped.made(workload, given=inner), **own)


PRUNERS = {
    "none": Strategy(_pruner("NopPruner"), native="NopPruner"),
    "median": Strategy(_pruner("MedianPruner"), native="MedianPruner"),
    "percentile": Strategy(
        _pruner("PercentilePruner"),
        native="PercentilePruner",
        note="The best quarter goes on (percentile).",
        defaults={"percentile": 25.0},
    ),
    "asha": Strategy(_pruner("SuccessiveHalvingPruner"), native="SuccessiveHalvingPruner"),
    "hyperband": Strategy(
        _hyperband,
        native="HyperbandPruner",
        note="max_resource is the number of epochs.",
    ),
    "patient": Strategy(
        _patient,
        native="PatientPruner",
        note="Waits for `patience` epochs without a better score before it asks the pruner"
        " `wrapped`, which gets the other options; with `none` it prunes at once.",
        defaults={"wrapped": "median", "patience": 1},
    ),
    "threshold": Strategy(
        _threshold,
        native="ThresholdPruner",
        note="Stops below the score `lower` or above `upper`, the goal's own. Of images `lower` is"
        " twice the score of guessing one of ten classes; else one of them must be given.",
    ),
    "wilcoxon": Strategy(
        _pruner("WilcoxonPruner"),
        needs=("scipy",),
        native="WilcoxonPruner",
        note="Compares epoch by epoch with the best trial; it cannot be sure before epoch 4.",
    ),
}
_WRAPPABLE = [name for name in PRUNERS if name != "patient"]


def sampler_of(workload: Workload, seeds: Seeds) -> Any:
    """The sampler of a workload's search."""
    search = workload.search
    return SAMPLERS[search.sampler].made(workload, seeds, given=search.sampler_options)


def pruner_of(workload: Workload) -> Any:
    """The pruner of a workload's search."""
    search = workload.search
    return PRUNERS[search.pruner].made(workload, given=search.pruner_options)
