"""What runs in the process that Tune starts for a trial: a class trainable, one step per epoch."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

from trialwatt.clock import Sent, sent
from trialwatt.config.models import Workload
from trialwatt.suts.base import PAUSE, Pause, Reports, TrialResult, Trials
from trialwatt.suts.codes import phi_of

KEY = "trialwatt"
"""Key of a trial's configuration, beside the hyperparameters, that holds the Assignment."""


class Assignment:
    """Goes with a trial to its process, and learns when it is sent: that is the dispatch.

    Tune copies a trial's configuration when it plans the trial, and pickles it when a worker is
    free and the trial's process is asked for. So the copy is the same, and the pickle is stamped.
    """

    def __init__(
        self, here: Callable[[], Trials], workload: Workload, dispatched: Sent | None = None
    ):
        self.here, self.workload, self.dispatched = here, workload, dispatched

    def __deepcopy__(self, _memo: Any) -> Assignment:
        return self

    def __reduce__(self) -> Any:
        return Assignment, (self.here, self.workload, self.dispatched or sent())


class TrialFailed(Exception):
    """Tells Tune that the trial failed; the reason stands in our records."""


class Epochs:
    """A segment of a trial in a thread of its own, that goes on when it is told to.

    The trial is a plain function that is asked after each epoch whether to stop, and Tune calls
    an object for each epoch: the two meet here.
    """

    def __init__(self, run: Callable[[Reports], TrialResult], last: int):
        self._run, self._last = run, last
        self._said: SimpleQueue[Any] = SimpleQueue()
        self._stop: SimpleQueue[bool | Pause] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="trial", daemon=True)
        self._started = self._ended = False

    def next(self) -> float | TrialResult:
        """Go on; returns the score of an epoch, or the result when the trial is over."""
        if self._started:
            self._stop.put(False)
        else:
            self._started = True
            self._thread.start()
        said = self._said.get()
        return said if isinstance(said, float) else self._result(said)

    def _result(self, said: TrialResult | BaseException) -> TrialResult:
        self._ended = True
        if isinstance(said, BaseException):
            raise said
        if said.outcome == "failed":
            raise TrialFailed(said.reason)
        return said

    def pause(self) -> TrialResult | None:
        """Pause it after the epoch that it has reached; None where it has not begun."""
        if not self._started:
            return None
        self._ended = True
        self._stop.put(PAUSE)
        return self._result(self._said.get())

    def stop(self) -> None:
        """Stop it after the epoch that it has reached, unless it is over; waits for its end."""
        if self._started and not self._ended:
            self._ended = True
            self._stop.put(True)
            self._thread.join()

    def _work(self) -> None:
        try:
            self._said.put(self._run(self._report))
        except BaseException as error:  # the other thread waits for a word
            self._said.put(error)

    def _report(self, epoch: int, score: float) -> bool | Pause:
        if epoch == self._last:  # there is nothing left to stop
            return False
        self._said.put(float(score))
        return self._stop.get()


def trainable(prunes: bool) -> Any:
    """The class that Tune makes an actor of. With `prunes` it reports after each epoch."""
    from ray.tune import Trainable

    class Trial(Trainable):  # type: ignore[misc] # Ray is not read for its types
        def setup(self, config: dict[str, Any]) -> None:
            assignment: Assignment = config[KEY]
            workload = assignment.workload
            phi, self._number = phi_of(workload.space, config), int(self.trial_name)
            trials = assignment.here()
            dispatches = [assignment.dispatched.here()] if assignment.dispatched else []

            def run(report: Reports) -> TrialResult:
                return trials.run(
                    phi,
                    self._number,
                    report if prunes else None,
                    dispatched=dispatches.pop() if dispatches else None,
                    resume=self._paused or None,
                )

            self._segment = partial(Epochs, run, workload.epochs)
            self._go_on("")

        def _go_on(self, paused: str) -> None:
            """The next step begins a segment: of this trial, or that goes on with a paused one."""
            self._paused, self._epochs = paused, self._segment()

        def step(self) -> dict[str, Any]:
            said = self._epochs.next()
            if isinstance(said, float):
                return {"score": said}
            if said.outcome != "completed":  # the budget is spent: it is no candidate for the best
                return {"score": -math.inf if said.score is None else said.score, "done": True}
            return {"score": said.score, "number": self._number, "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
            if result := self._epochs.pause():
                self._go_on(result.trial)
            return {KEY: self._paused}

        def load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
            self._go_on(checkpoint[KEY])

        def cleanup(self) -> None:
            self._epochs.stop()

    return Trial
