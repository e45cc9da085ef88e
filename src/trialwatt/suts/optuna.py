"""Optuna: wn worker processes that share one study through its storage."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from trialwatt import platforms
from trialwatt.config.conditions import conditional
from trialwatt.config.models import Range, RunConfig, Testbed, Workload
from trialwatt.config.space import is_whole
from trialwatt.platforms.base import Role
from trialwatt.private import remove_private
from trialwatt.suts import postgres
from trialwatt.suts.base import SPENT, Best, Job, Sut, Trials
from trialwatt.suts.optuna_storage import (
    client_environment,
    is_service,
    open_storage,
    reach_storage,
    service,
    url_secret,
)
from trialwatt.suts.optuna_strategies import (
    PRUNERS,
    SAMPLERS,
    Seeds,
    lacks_bound,
    pruner_of,
    sampler_of,
    seeds_of,
    suggest,
)
from trialwatt.suts.services import scratch
from trialwatt.suts.storage import Storage


class Optuna(Sut):
    name = "optuna"
    package = "optuna"
    samplers = SAMPLERS
    pruners = PRUNERS

    @classmethod
    def available(cls) -> str:
        return "" if find_spec("optuna") else "optuna is not installed: pip install optuna"

    @classmethod
    def packages(cls, config: RunConfig) -> list[str]:
        database = ["psycopg", "sqlalchemy"] if config.testbed.options(Storage) else []
        return [*super().packages(config), *database]

    @classmethod
    def search_problems(cls, workload: Workload) -> list[tuple[str, str]]:
        search, found = workload.search, []
        if search.sampler == "bruteforce":
            found += [
                (f"space.{name}", "bruteforce needs choices, whole numbers or a `step` here")
                for name, axis in workload.space.items()
                if isinstance(axis, Range) and not (is_whole(axis) or axis.step)
            ]
        if "seed" in search.sampler_options:
            found.append(("search.sampler_options.seed", "the run sets it, from its own seed"))
        # Optuna is only imported where it has something to judge.
        elif search.sampler_options:
            found += _refused("sampler_options", lambda: sampler_of(workload, Seeds(0, 0)))
        if lacks_bound(workload):
            message = "threshold needs pruner_options with `lower` or `upper` here, a bound of "
            found.append(("search.pruner", message + workload.goal.score))
        elif search.pruner_options:
            found += _refused("pruner_options", lambda: pruner_of(workload))
        return found

    @classmethod
    def condition_problems(cls, workload: Workload) -> dict[str, str]:
        if workload.search.sampler != "grid":
            return {}
        message = "its GridSampler takes every combination; the sampler bruteforce takes each point"
        return dict.fromkeys(conditional(workload.space), f"{message} once")

    @classmethod
    def testbed_problems(cls, testbed: Testbed) -> list[tuple[str, str]]:
        remote = platforms.get(testbed.platform).remote
        if testbed.options(Storage) is None and remote:
            message = "the workers share no folder for a journal: set {postgres: service}"
            return [("storage", message)]
        if is_service(testbed) and not remote and (problem := postgres.problem()):
            return [("storage.postgres", problem)]
        return []

    def roles(self, job: Job) -> list[Role]:
        """wn workers, after the database where the run has one of its own: each waits for it."""
        workers = super().roles(job)
        testbed = job.config.testbed
        if not is_service(testbed):
            secrets = url_secret(testbed)
            variables = client_environment() if secrets else {}
            return [replace(each, environment=variables, secrets=secrets) for each in workers]
        storage, variables, secret = service(job)
        workers = [replace(each, environment=variables, secrets=secret) for each in workers]
        return [storage, *workers]

    def prepare(self, job: Job) -> None:
        _optuna()
        reach_storage(job)

    def setup(self, job: Job) -> None:
        _optuna().create_study(
            storage=open_storage(job),
            study_name=job.run_id,
            direction="maximize",
        )

    def work(self, job: Job, index: int, trials: Trials) -> None:
        optuna = _optuna()
        workload = job.workload
        seeds = seeds_of(job.seed, workload.workers.count, index, len(trials.started))
        study = optuna.load_study(
            study_name=job.run_id,
            storage=open_storage(job),
            sampler=sampler_of(workload, seeds),
            pruner=pruner_of(workload),
        )

        def objective(trial: Any) -> float:
            # Workers that finish at the same moment can start more trials than the budget has.
            if trial.number >= job.budget:
                study.stop()
                raise optuna.TrialPruned("beyond the budget; nothing was run")

            def report(epoch: int, score: float) -> bool:
                trial.report(score, epoch)
                return trial.should_prune()

            phi = suggest(trial, workload.space)
            result = trials.run(phi, trial.number, report if workload.search.prunes else None)
            if result.outcome == SPENT:
                study.stop()
            if result.outcome == "failed":
                raise _TrialFailed(result.reason)
            if result.outcome in ("pruned", SPENT):
                raise optuna.TrialPruned
            assert result.score is not None, "a trial without a score has failed"
            return result.score

        budget = optuna.study.MaxTrialsCallback(job.budget, states=None)
        # A sampler that finds nothing new at a moment when others are asking too ends the loop.
        while not job.is_spent and len(study.get_trials(deepcopy=False)) < job.budget:
            study.optimize(objective, callbacks=[budget], catch=(_TrialFailed,))

    def recover(self, job: Job, lost: list[int]) -> None:
        optuna = _optuna()
        study = optuna.load_study(study_name=job.run_id, storage=open_storage(job))
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            if trial.number in lost:
                # by now the database may have missed its heartbeats
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)

    def lost(self, job: Job) -> list[int]:
        states = _optuna().trial.TrialState
        study = _optuna().load_study(study_name=job.run_id, storage=open_storage(job))
        ended = study.get_trials(deepcopy=False, states=(states.RUNNING, states.FAIL))
        return [trial.number for trial in ended if trial.number < job.budget]

    def best(self, job: Job) -> Best | None:
        optuna = _optuna()
        study = optuna.load_study(study_name=job.run_id, storage=open_storage(job))
        if not study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)):
            return None
        best = study.best_trial
        return Best(best.params, best.value, best.number)

    def clean(self, job: Job) -> None:
        """Delete the study from the user's database; a journal goes with the run's folder."""
        if is_service(job.config.testbed):
            remove_private(scratch(postgres.SUT, job.run_id), postgres.owners())
            return  # it has removed it, if it was not killed before
        if job.config.testbed.options(Storage) is None:
            return
        optuna = _optuna()
        storage = open_storage(job)
        if job.run_id in optuna.get_all_study_names(storage):
            optuna.delete_study(study_name=job.run_id, storage=storage)


class _TrialFailed(Exception):
    """Tells Optuna that the trial failed; the reason stands in our records."""


def _optuna() -> Any:
    import warnings

    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    return optuna


def _refused(key: str, make: Any) -> list[tuple[str, str]]:
    """What Optuna says when it is given these options."""
    _optuna()
    try:
        make()
    except (TypeError, ValueError) as error:
        return [(f"search.{key}", f"Optuna refuses them: {error}")]
    return []
