"""Optuna: wn worker processes that share one study through its storage."""

from __future__ import annotations

from trialwatt.config.models import Choices
from trialwatt.config.space import is_whole, levels
from trialwatt.suts.base import Best, Job, Sut, Trials


def _grid(optuna, job: Job, index: int):
    # One seed for all workers: it shuffles the grid, and trial n takes the n-th point of it.
    axes = {name: levels(axis) for name, axis in job.workload.space.items()}
    return optuna.samplers.GridSampler(axes, seed=job.seed % 2**32)


def _random(optuna, job: Job, index: int):
    return optuna.samplers.RandomSampler(seed=(job.seed + index) % 2**32)


class Optuna(Sut):
    name = "optuna"
    samplers = {"grid": _grid, "random": _random}
    pruners = {"none": "NopPruner"}

    def prepare(self, job: Job) -> None:
        _optuna()

    def setup(self, job: Job) -> None:
        optuna = _optuna()
        optuna.create_study(
            storage=_storage(optuna, job), study_name=job.run_id, direction="maximize"
        )

    def work(self, job: Job, index: int, trials: Trials) -> None:
        optuna = _optuna()
        sampler = self.samplers[job.workload.search.sampler](optuna, job, index)
        study = optuna.load_study(
            study_name=job.run_id,
            storage=_storage(optuna, job),
            sampler=sampler,
            pruner=optuna.pruners.NopPruner(),
        )

        def objective(trial) -> float:
            # Workers that finish at the same moment can start more trials than the budget has.
            if trial.number >= job.budget:
                study.stop()
                raise optuna.TrialPruned("beyond the budget; nothing was run")
            phi = {name: _suggest(trial, name, axis) for name, axis in job.workload.space.items()}
            result = trials.run(phi, trial.number)
            if result.outcome == "failed":
                raise _TrialFailed(result.reason)
            return result.score

        budget = optuna.study.MaxTrialsCallback(job.budget, states=None)
        if len(study.get_trials(deepcopy=False)) < job.budget:
            study.optimize(objective, callbacks=[budget], catch=(_TrialFailed,))

    def recover(self, job: Job, lost: list[int]) -> None:
        optuna = _optuna()
        study = optuna.load_study(study_name=job.run_id, storage=_storage(optuna, job))
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            if trial.number in lost:
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def best(self, job: Job) -> Best | None:
        optuna = _optuna()
        study = optuna.load_study(study_name=job.run_id, storage=_storage(optuna, job))
        if not study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)):
            return None
        best = study.best_trial
        return Best(best.params, best.value, best.number)


class _TrialFailed(Exception):
    """Tells Optuna that the trial failed; the reason stands in our records."""


def _optuna():
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _storage(optuna, job: Job):
    from optuna.storages.journal import JournalFileBackend

    folder = job.path("sut")
    folder.mkdir(exist_ok=True)
    return optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))


def _suggest(trial, name: str, axis):
    if isinstance(axis, Choices):
        return trial.suggest_categorical(name, axis.choices)
    if is_whole(axis):
        step = 1 if axis.log else int(axis.step or 1)
        return trial.suggest_int(name, axis.low, axis.high, step=step, log=axis.log)
    return trial.suggest_float(name, axis.low, axis.high, step=axis.step, log=axis.log)
