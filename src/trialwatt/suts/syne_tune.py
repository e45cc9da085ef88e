"""Syne Tune: its schedulers, asked and told in place of its tuner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from trialwatt.config.models import Choices, Range
from trialwatt.config.space import Phi, is_whole
from trialwatt.suts.asktell import AskTell
from trialwatt.suts.base import Job
from trialwatt.suts.codes import phi_of, values
from trialwatt.suts.strategies import Strategy

SCORE, EPOCH = "score", "epoch"


def _pair(alone: str, with_asha: str = "", note: str = "", needs: tuple[str, ...] = ()) -> Strategy:
    """A searcher, by the names of its scheduler and of that with successive halving."""
    excludes = () if with_asha else ("asha",)
    return Strategy(lambda asha: with_asha if asha else alone, needs, alone, note, excludes)


class SyneTune(AskTell):
    name = "syne-tune"
    package = "syne-tune"
    imports = ("syne_tune.optimizer.baselines",)
    samplers = {
        "random": _pair("RandomSearch", "ASHA"),
        "tpe": _pair("TPE", "BOHB", "With asha it is BOHB, whose trials are never paused here."),
        "bore": _pair("BORE", "ASHABORE"),
        "cqr": _pair("CQR", "ASHACQR", needs=("fastparquet", "huggingface-hub")),
        "rea": _pair("REA"),
    }
    pruners = AskTell.pruners | {"asha": Strategy(dict, native="AsynchronousSuccessiveHalving")}

    def open(self, job: Job) -> Search:
        return Search(job)


class Search:
    """A scheduler, and the trials that it has been asked for."""

    def __init__(self, job: Job):
        from syne_tune.optimizer import baselines

        workload = job.workload
        asha = workload.search.pruner == "asha"
        name = SyneTune.samplers[workload.search.sampler].make(asha)
        own: dict[str, Any] = {"metrics": [SCORE]} if name == "RandomSearch" else {"metric": SCORE}
        own |= {"time_attr": EPOCH, "max_t": workload.epochs} if asha else {}
        self._space, self._epochs = workload.space, workload.epochs
        domains = {name: _domain(axis) for name, axis in self._space.items()}
        own |= {"do_minimize": False, "random_seed": job.seed % 2**31}
        self._scheduler = getattr(baselines, name)(domains, **own)
        self._asked, self._stopped = dict[int, Any](), set[int]()

    def ask(self, number: int) -> Phi | None:
        from syne_tune.backend.trial_status import Trial

        suggested = self._scheduler.suggest()
        if suggested is None:
            return None
        self._asked[number] = trial = Trial(number, suggested.config, datetime.now(UTC))
        self._scheduler.on_trial_add(trial)
        return phi_of(self._space, trial.config)

    def report(self, number: int, epoch: int, score: float) -> bool:
        if epoch == self._epochs:  # that it has come to its end, tell says
            return False
        told = {SCORE: score, EPOCH: epoch}
        if self._scheduler.on_trial_result(self._asked[number], told) == "STOP":
            self._stopped.add(number)
        return number in self._stopped

    def tell(self, number: int, score: float | None) -> None:
        trial = self._asked.pop(number)
        if score is not None:
            self._scheduler.on_trial_complete(trial, {SCORE: score, EPOCH: self._epochs})
        elif number in self._stopped:
            self._scheduler.on_trial_remove(trial)
        else:
            self._scheduler.on_trial_error(trial)


def _domain(axis: Choices | Range) -> Any:
    """What can only be one value is a constant."""
    from syne_tune import config_space as domains

    numbers = list(range(len(values(axis))))
    if len(numbers) == 1:
        return 0
    if isinstance(axis, Choices):
        return domains.choice(numbers)
    if numbers:
        return domains.randint(0, numbers[-1])
    if is_whole(axis):
        return (domains.lograndint if axis.log else domains.randint)(axis.low, axis.high)
    return (domains.loguniform if axis.log else domains.uniform)(axis.low, axis.high)
