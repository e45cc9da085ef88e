"""Syne Tune: each trial of a tuner is one of the block, by the callbacks of the tuner."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trialwatt.measure.places import caller
from trialwatt.measure.session import Measure

if TYPE_CHECKING:
    from syne_tune.tuner_callback import TunerCallback


def callback(block: Measure) -> TunerCallback:
    """For Tuner(..., callbacks=[callback(m)]), with a backend that starts trials on this machine.

    Trials are processes of their own, which the tuner looks at now and then: the times of a trial
    are those at which it did, and CPU time is divided evenly among the trials that run. A trial
    that is paused counts as running until it ends.
    """
    from syne_tune.backend.trial_status import Status
    from syne_tune.optimizer.scheduler import SchedulerDecision
    from syne_tune.tuner_callback import TunerCallback

    place = caller()

    class Metered(TunerCallback):  # type: ignore[misc] # where it is not installed
        def __init__(self) -> None:
            self._open: dict[int, tuple[Mapping[str, Any], int]] = {}
            self._score = ""

        def on_tuning_start(self, tuner: Any) -> None:
            self._score = tuner.scheduler.metric_names()[0]

        def on_start_trial(self, trial: Any) -> None:
            self._open[trial.trial_id] = (dict(trial.config), time.time_ns())

        def on_trial_complete(self, trial: Any, result: Mapping[str, Any]) -> None:
            self._ends(trial.trial_id, "completed", result.get(self._score))

        def on_trial_result(
            self, trial: Any, status: str, result: Mapping[str, Any], decision: str
        ) -> None:
            if decision == SchedulerDecision.STOP:
                self._ends(trial.trial_id, "pruned")

        def on_fetch_status_results(
            self, trial_status_dict: Mapping[int, Any], new_results: Any
        ) -> None:
            for number, (_, status) in trial_status_dict.items():
                if status == Status.failed:
                    self._ends(number, "failed")

        def on_tuning_end(self) -> None:
            for number in list(self._open):  # they are stopped
                self._ends(number, "pruned")

        def _ends(self, number: int, outcome: str, score: float | None = None) -> None:
            if number in self._open:
                phi, start_ns = self._open.pop(number)
                block.add_trial(phi, start_ns, time.time_ns(), outcome, score, place)

    return Metered()
