"""Ray's search algorithms and stopping schedulers, without its cluster: what its controller tells
them, told by a stand-in."""

from __future__ import annotations

import logging
from typing import Any, cast

from trialwatt.errors import TrialwattError
from trialwatt.replay.simulate import COMPLETED, FAILED
from trialwatt.replay.trials import Places
from trialwatt.suts import ray_strategies
from trialwatt.suts.base import Job
from trialwatt.suts.codes import phi_of

METRIC, MODE = "score", "max"
STOPPING = ("FIFOScheduler", "AsyncHyperBandScheduler", "MedianStoppingRule")
"""Schedulers that ask nothing of Tune's controller."""


def open_search(job: Job, places: Places) -> Search:
    return Search(job, places)


class Trial:
    """All that a scheduler which stops trials asks of one."""

    def __init__(self, number: int):
        self.trial_id = str(number)


class Search:
    def __init__(self, job: Job, places: Places):
        import numpy
        from ray.tune.schedulers import TrialScheduler

        logging.getLogger("ray.tune").setLevel(logging.ERROR)
        workload, seed = job.workload, job.seed % 2**31
        search = workload.search
        numpy.random.seed(seed)  # as in a live job: schedulers draw their brackets from it
        found = ray_strategies.search_of(workload, seed)
        self._asked: Any = _variants(found) if _is_generator(found) else _Searcher(found)
        self._scheduler: Any = ray_strategies.scheduler_of(workload)
        if type(self._scheduler).__name__ not in STOPPING:
            raise TrialwattError(
                f"ray's {search.pruner} cannot be replayed: {type(self._scheduler).__name__} may "
                "pause trials or change them, which needs Tune's own controller; of its schedulers "
                f"those that only stop them can: {', '.join(STOPPING)}"
            )
        self._scheduler.set_search_properties(METRIC, MODE)
        self._stop = TrialScheduler.STOP
        self._space, self._places = workload.space, places
        self._name = f"ray's {search.sampler}"
        self._trials: dict[int, Trial] = {}
        self._epochs = workload.epochs
        self._reached: dict[int, int] = {}
        # The score of the last epoch comes with the end of its trial.
        self.stages = tuple(range(1, workload.epochs)) if search.prunes else ()

    def ask(self, worker: int, number: int) -> int | None:
        config = self._asked.suggest(str(number))
        if config is None:
            return None
        self._trials[number] = trial = Trial(number)
        self._scheduler.on_trial_add(None, trial)
        return self._places.of(phi_of(self._space, config), self._name)

    def report(self, number: int, epoch: int, score: float) -> bool:
        trial, result = self._trials[number], _result(epoch, score)
        self._reached[number] = epoch
        if self._scheduler.on_trial_result(None, trial, result) == self._stop:
            return True
        self._asked.on_trial_result(trial.trial_id, result)
        return False

    def tell(self, number: int, score: float | None, outcome: int) -> None:
        trial, reached = self._trials.pop(number), self._reached.pop(number, 0)
        if outcome == FAILED or score is None:
            self._scheduler.on_trial_error(None, trial)
            self._asked.on_trial_complete(trial.trial_id, error=True)
            return
        # Without a pruner a trial is one step of Tune's.
        steps = self._epochs if self.stages else 1
        result = _result(steps if outcome == COMPLETED else reached, score)
        if outcome == COMPLETED:
            self._scheduler.on_trial_complete(None, trial, result)
        self._asked.on_trial_complete(trial.trial_id, result=result)


def _result(step: int, score: float) -> dict[str, Any]:
    return {METRIC: score, "training_iteration": step}


class _Searcher:
    """One of Tune's searchers, which is told what it searches."""

    def __init__(self, found: ray_strategies.Search):
        self._own = cast(Any, found.algorithm)
        self._own.set_search_properties(METRIC, MODE, found.space)
        self.on_trial_result, self.on_trial_complete = (
            self._own.on_trial_result,
            self._own.on_trial_complete,
        )

    def suggest(self, number: str) -> dict[str, Any] | None:
        from ray.tune.search import Searcher

        config = self._own.suggest(number)
        return None if config in (None, Searcher.FINISHED) else config


def _is_generator(found: ray_strategies.Search) -> bool:
    from ray.tune.search.basic_variant import BasicVariantGenerator

    return isinstance(found.algorithm, BasicVariantGenerator)


def _variants(found: ray_strategies.Search) -> Any:
    """What BasicVariantGenerator gives, in its order, without the trials that it makes of them."""
    from ray.tune.search.basic_variant import _TrialIterator

    class Configurations(_TrialIterator):  # type: ignore[misc] # Ray is not read for its types
        def create_trial(self, resolved_vars: Any, spec: Any) -> Any:
            return spec["config"]

        def suggest(self, number: str) -> dict[str, Any] | None:
            return next(self, None)

        def on_trial_result(self, number: str, result: Any) -> None:
            pass

        def on_trial_complete(self, number: str, result: Any = None, error: bool = False) -> None:
            pass

    own: Any = found.algorithm
    return Configurations(
        "",
        found.samples,
        {"run": "replay", "config": found.space},
        points_to_evaluate=list(own._points_to_evaluate),
        random_state=own._random_state,
    )
