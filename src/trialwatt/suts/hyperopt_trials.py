"""SparkTrials, told apart by trial: its number, the moment of its dispatch, and its loss.

SparkTrials gives the objective function nothing but the drawn values. So the function that it
sends to Spark is made anew for each trial, with the trial's number and the moment at which
SparkTrials' dispatcher took it from the queue (its `book_time`). There is no hook for that: a
subclass of its private state does it, in the driver, around the one call of fmin.

A trial can wait in Spark while a lost worker is replaced. Then its dispatch is the start of its
process: the nearest that can be known to the moment at which Spark gave it to a worker.
"""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from trialwatt.clock import Sent, Stamp, now, sent
from trialwatt.config.models import Space
from trialwatt.platforms.processes import read_stat
from trialwatt.suts.base import Trials
from trialwatt.suts.hyperopt_strategies import phi_of


@contextmanager
def told_apart(
    objective: Callable[..., Any], lost: Callable[[int], None], places: Callable[[], int]
) -> Iterator[None]:
    """While this lasts, SparkTrials.fmin calls objective(number, dispatch or None, drawn values).

    lost: is told the number of a trial whose Spark task failed, before its place can be given to
    another one. It is called from SparkTrials' threads, one at a time.
    places: says how many trials Spark can run at once at this moment.
    """
    from hyperopt import spark

    original: Any = spark._SparkFMinState
    one_at_a_time = threading.Lock()

    class State(original):  # type: ignore[misc] # Hyperopt brings no types
        def _run_trial_async(self, trial: dict[str, Any]) -> None:
            own = copy.copy(self)  # its thread reads the function a moment later
            must_wait = self.running_trial_count() > places()
            dispatched = None if must_wait else sent()
            own.eval_function = partial(objective, trial["tid"], dispatched)
            super(State, own)._run_trial_async(trial)

        def _write_exception_back(self, trial: dict[str, Any], e: BaseException) -> None:
            with one_at_a_time:
                lost(trial["tid"])
            super()._write_exception_back(trial, e)

    spark._SparkFMinState = State
    try:
        yield
    finally:
        spark._SparkFMinState = original


def run_trial(
    here: Callable[[], Trials],
    space: Space,
    number: int,
    dispatched: Sent | None,
    drawn: dict[str, Any],
) -> dict[str, Any]:
    """In a Python process of a Spark executor: one trial, and what Hyperopt wants to know of it."""
    from hyperopt import STATUS_FAIL, STATUS_OK
    from pyspark import TaskContext

    _die_first()
    if TaskContext.get().attemptNumber():
        # Spark repeats a trial whose worker is gone, whatever spark.task.maxFailures says, and
        # tells SparkTrials nothing of it.
        dispatched = None
    since = dispatched.here() if dispatched else _born()
    result = here().run(phi_of(space, drawn), number, dispatched=since)
    if result.outcome != "completed":  # it has failed, or the budget was spent before its end
        return {"status": STATUS_FAIL}
    assert result.score is not None, "a trial that completed has a score"
    return {"status": STATUS_OK, "loss": -result.score}


def _born() -> Stamp:
    """When this process was started, to a hundredth of a second; each trial has one."""
    own = read_stat(os.getpid())
    assert own, "this process is there"
    started_s = own.start / os.sysconf("SC_CLK_TCK")
    age_ns = round((time.clock_gettime(time.CLOCK_BOOTTIME) - started_s) * 1e9)
    utc_ns, mono_ns = now()
    return Stamp(utc_ns - age_ns, mono_ns - age_ns)


def _die_first() -> None:
    """Where the worker's memory is over, this process is killed and not the executor.

    The kernel takes the largest, which is as often the executor's JVM: the loss of a trial would
    be the loss of its worker.
    """
    wish = Path("/proc/self/oom_score_adj")
    if wish.exists():
        wish.write_text("1000")
