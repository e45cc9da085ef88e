"""Hyperopt's suggest functions on plain Trials, asked as fmin does for SparkTrials: one trial ahead
of the free workers."""

from __future__ import annotations

from functools import cache
from typing import Any

from trialwatt.config.identity import canonical_json
from trialwatt.config.models import Space
from trialwatt.replay.simulate import COMPLETED
from trialwatt.replay.trials import Places
from trialwatt.suts.base import Job
from trialwatt.suts.hyperopt_strategies import algorithm_of, phi_of, to_hyperopt


def open_search(job: Job, places: Places) -> Search:
    return Search(job, places)


class Search:
    stages: tuple[int, ...] = ()

    def __init__(self, job: Job, places: Places):
        import numpy
        from hyperopt import base

        self._algo = algorithm_of(job.workload.search)
        self._name = f"hyperopt's {job.workload.search.sampler}"
        self._space, self._places, self._base = job.workload.space, places, base
        self._expressions, self._domain = _domain_of(self._space)
        self._trials, self._left = base.Trials(), job.budget
        self._rng = numpy.random.default_rng(job.seed)
        self._queue: list[Any] = []
        self._running: dict[int, Any] = {}
        self._enqueue()

    def ask(self, worker: int, number: int) -> int | None:
        from hyperopt import space_eval

        if not self._queue:
            return None
        self._running[number] = trial = self._queue.pop(0)
        trial["state"] = self._base.JOB_STATE_RUNNING
        drawn = space_eval(self._expressions, self._base.spec_from_misc(trial["misc"]))
        self._enqueue()
        return self._places.of(phi_of(self._space, drawn), self._name)

    def report(self, number: int, epoch: int, score: float) -> bool:
        return False

    def tell(self, number: int, score: float | None, outcome: int) -> None:
        trial = self._running.pop(number)
        trial["state"] = self._base.JOB_STATE_DONE
        if score is not None and outcome == COMPLETED:
            trial["result"] = {"status": "ok", "loss": -score}
        else:
            trial["result"] = {"status": "fail"}
        self._trials.refresh()

    def _enqueue(self) -> None:
        if not self._left:
            return
        ids = self._trials.new_trial_ids(1)
        self._trials.refresh()
        seed = self._rng.integers(2**31 - 1)
        for trial in self._algo(ids, self._domain, self._trials, seed):
            self._trials.insert_trial_docs([trial])
            self._queue.append(self._trials._dynamic_trials[-1])
            self._left -= 1
        self._trials.refresh()


_spaces: dict[str, Space] = {}


def _domain_of(space: Space) -> Any:
    """Hyperopt's expressions of a space and its domain, which take long to make."""
    key = canonical_json({name: axis.model_dump() for name, axis in space.items()})
    _spaces[key] = space
    return _domain(key)


@cache
def _domain(key: str) -> Any:
    from hyperopt import base

    expressions = to_hyperopt(_spaces[key])
    return expressions, base.Domain(lambda drawn: 0.0, expressions)
