"""Optuna: each trial of a study is one of the block. Costs no import of Optuna's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trialwatt.measure.places import caller
from trialwatt.measure.session import Measure

if TYPE_CHECKING:
    import optuna


def metered(
    objective: Callable[[optuna.Trial], Any], block: Measure
) -> Callable[[optuna.Trial], Any]:
    """The objective, each call of it a trial of the block: study.optimize(metered(f, m)).

    With n_jobs, trials overlap in threads, and share energy by the CPU time of each. Where the
    block's budget is spent, the study stops.
    """
    from optuna import TrialPruned

    place = caller()

    def measured(trial: optuna.Trial) -> Any:
        with block.trial(place=place) as ours:
            try:
                value = objective(trial)
            except TrialPruned:
                ours.outcome = "pruned"
                raise
            finally:
                ours.phi = dict(trial.params)
            ours.score = _score(value)
            return value

    def ended(trial: optuna.Trial) -> Any:
        try:
            return measured(trial)
        finally:
            if block.spent:
                trial.study.stop()

    return ended


class Callback:
    """For study.optimize(f, callbacks=[Callback(m)]): no change of the objective.

    Optuna calls it when a trial has ended, and tells by its clock when it was: CPU time at those
    moments is interpolated between samples. `metered` is more exact. Where the block's budget is
    spent, the study stops.
    """

    def __init__(self, block: Measure):
        self._block, self._place = block, caller()

    def __call__(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        start, end = trial.datetime_start, trial.datetime_complete
        if start is None or end is None:
            return
        outcome = {"COMPLETE": "completed", "PRUNED": "pruned"}.get(trial.state.name, "failed")
        score = _score(trial.values[0]) if outcome == "completed" and trial.values else None
        times = _ns(start), _ns(end)
        self._block.add_trial(dict(trial.params), *times, outcome, score, self._place)
        if self._block.spent:
            study.stop()


def _ns(moment: datetime) -> int:
    """UTC in ns, of the local time that Optuna writes down."""
    return round(moment.timestamp() * 1e9)


def _score(value: Any) -> float | None:
    """The first of several objectives."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return None if value is None else float(value)
