"""Any SUT that asks and tells: its own search, as its process would call it."""

from __future__ import annotations

from typing import Any, cast

from trialwatt.config.space import contains
from trialwatt.errors import TrialwattError
from trialwatt.replay.simulate import COMPLETED, LATER
from trialwatt.replay.trials import Places
from trialwatt.suts import asktell, get
from trialwatt.suts.base import Job


def open_search(job: Job, places: Places) -> Search:
    return Search(job, places)


class Search:
    def __init__(self, job: Job, places: Places):
        sut = get(job.config.sut)()
        assert isinstance(sut, asktell.AskTell)
        self._own: Any = sut.open(job)
        self._space, self._places = job.workload.space, places
        self._name = f"{job.config.sut}'s {job.workload.search.sampler}"
        prunes = job.workload.search.prunes
        self.stages = tuple(range(1, job.workload.epochs + 1)) if prunes else ()

    def ask(self, worker: int, number: int) -> int | None:
        phi = self._own.ask(number)
        if phi is None:
            return None
        if phi is asktell.LATER:
            return LATER
        plain = {name: getattr(value, "item", lambda v=value: v)() for name, value in phi.items()}
        if not contains(self._space, plain):
            raise TrialwattError(f"{self._name} asked outside of the search space, for {plain}")
        return self._places.of(plain, self._name)

    def report(self, number: int, epoch: int, score: float) -> bool:
        return bool(self._own.report(number, epoch, score))

    def tell(self, number: int, score: float | None, outcome: int) -> None:
        self._own.tell(number, cast(float, score) if outcome == COMPLETED else None)
