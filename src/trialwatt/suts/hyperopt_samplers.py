"""Hyperopt's own samplers; `make(options)` gives what hyperopt.fmin takes as its algo."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from trialwatt.suts.strategies import Strategy


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
