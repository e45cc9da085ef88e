"""Optuna's samplers and pruners: a study in memory, a sampler per worker as in a live job."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from trialwatt.replay.simulate import COMPLETED, FAILED
from trialwatt.replay.trials import Places
from trialwatt.suts.base import Job
from trialwatt.suts.optuna_strategies import pruner_of, sampler_of, seeds_of, suggest


def open_search(job: Job, places: Places) -> Search:
    return Search(job, places)


class Search:
    def __init__(self, job: Job, places: Places):
        import optuna

        optuna.logging.set_verbosity(logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        self._states = optuna.trial.TrialState
        self._workload, self._places = job.workload, places
        self._name = f"optuna's {job.workload.search.sampler}"
        storage, study = optuna.storages.InMemoryStorage(), f"replay-{job.seed}"
        optuna.create_study(storage=storage, study_name=study, direction="maximize")
        count = job.workload.workers.count
        self._studies = [
            optuna.load_study(
                study_name=study,
                storage=storage,
                sampler=sampler_of(job.workload, seeds_of(job.seed, count, worker, 0)),
                pruner=pruner_of(job.workload),
            )
            for worker in range(count)
        ]
        for each in self._studies:
            # Samplers that have tried every point stop the loop, which is ours.
            each._thread_local.in_optimize_loop = True
        self._trials: dict[int, tuple[Any, Any]] = {}
        prunes = job.workload.search.prunes
        self.stages = tuple(range(1, job.workload.epochs + 1)) if prunes else ()

    def ask(self, worker: int, number: int) -> int:
        study = self._studies[worker]
        trial = study.ask()
        self._trials[number] = study, trial
        return self._places.of(suggest(trial, self._workload.space), self._name)

    def report(self, number: int, epoch: int, score: float) -> bool:
        _, trial = self._trials[number]
        trial.report(score, epoch)
        return bool(trial.should_prune())

    def tell(self, number: int, score: float | None, outcome: int) -> None:
        study, trial = self._trials.pop(number)
        if outcome == COMPLETED:
            study.tell(trial, score)
        else:
            states = self._states
            study.tell(trial, state=states.FAIL if outcome == FAILED else states.PRUNED)
