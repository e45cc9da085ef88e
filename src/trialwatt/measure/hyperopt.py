"""Hyperopt: each evaluation of fmin is a trial of the block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trialwatt.measure.places import caller
from trialwatt.measure.session import Measure


def metered(objective: Callable[[Any], Any], block: Measure) -> Callable[[Any], Any]:
    """The objective, each call of it a trial of the block: fmin(metered(f, m), space, ...).

    Its score is the loss. Evaluations in this process only: SparkTrials and MongoTrials run them
    in others, of which this block knows nothing but the CPU time of its own children.
    """

    place = caller()

    def measured(phi: Any) -> Any:
        with block.trial(phi, place) as trial:
            told = objective(phi)
            answer = told if isinstance(told, Mapping) else {"loss": told, "status": "ok"}
            loss = answer.get("loss")
            trial.score = None if loss is None else float(loss)
            trial.outcome = "completed" if answer.get("status") == "ok" else "failed"
            return told

    return measured


def until_spent(block: Measure) -> Callable[..., tuple[bool, list[Any]]]:
    """For fmin(..., early_stop_fn=until_spent(m)): it ends where the block's budget is spent."""
    return lambda trials, *kept: (bool(block.spent), list(kept))
