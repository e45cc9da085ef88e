"""plain: its own grid and random draws, split among the workers beforehand; and the rule of
asynchronous successive halving, in a form with which a million trials take seconds."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import Any

from trialwatt.replay.simulate import Search
from trialwatt.replay.trials import Places
from trialwatt.suts.base import Job
from trialwatt.suts.plain import Plain


def open_search(job: Job, places: Places) -> Search:
    search, workers = job.workload.search, job.workload.workers.count
    phis = Plain.samplers[search.sampler].make(job)
    found = [places.of(phi, f"plain's {search.sampler}") for phi in phis]
    if not search.prunes:
        return Split(found, workers)
    options: dict[str, Any] = search.pruner_options
    return Halving(found, job.workload.epochs, **options)


class Split:
    """Worker i takes every wn-th of the trials, as plain does."""

    stages: tuple[int, ...] = ()

    def __init__(self, found: list[int], workers: int):
        self._found = [iter(found[worker::workers]) for worker in range(workers)]

    def ask(self, worker: int, number: int) -> int | None:
        return next(self._found[worker], None)

    def report(self, number: int, epoch: int, score: float) -> bool:
        return False

    def tell(self, number: int, score: float | None, outcome: int) -> None:
        pass


class Halving:
    """Asynchronous successive halving by the rule of Ray Tune's ASHAScheduler, with its options.

    At each milestone a trial stops that is below the quantile 1 − 1/reduction_factor of those that
    were there before it.
    """

    def __init__(
        self,
        found: list[int],
        epochs: int,
        grace_period: int = 1,
        reduction_factor: float = 4,
        max_t: int | None = None,
    ):
        self._found: Iterator[int] = iter(found)
        share = (1 - 1 / reduction_factor) * 100 / 100  # as numpy gets it from a percentage
        self._rungs: dict[int, _Quantile] = {}
        milestone = float(grace_period)
        while milestone <= (max_t or epochs):
            self._rungs[math.ceil(milestone)] = _Quantile(share)
            milestone *= reduction_factor
        # At its last epoch nothing is left to stop, and its score comes with its end.
        self._rungs.pop(epochs, None)
        self.stages = tuple(self._rungs)

    def ask(self, worker: int, number: int) -> int | None:
        return next(self._found, None)

    def report(self, number: int, epoch: int, score: float) -> bool:
        return self._rungs[epoch].is_above(score)

    def tell(self, number: int, score: float | None, outcome: int) -> None:
        pass


class _Quantile:
    """A quantile of growing numbers, interpolated as numpy's `percentile` does."""

    def __init__(self, share: float):
        self._share = share
        self._low: list[float] = []  # negative: the greatest first
        self._high: list[float] = []

    def is_above(self, value: float) -> bool:
        """Whether it is above this value, which is added then."""
        above = self._is_above(value)
        if self._low and value < -self._low[0]:
            heapq.heappush(self._low, -value)
        else:
            heapq.heappush(self._high, value)
        count = len(self._low) + len(self._high)
        below = int(self._share * (count - 1)) + 1  # up to the number that the quantile is at
        while len(self._low) < below:
            heapq.heappush(self._low, -heapq.heappop(self._high))
        while len(self._low) > below:
            heapq.heappush(self._high, -heapq.heappop(self._low))
        return above

    def _is_above(self, value: float) -> bool:
        if not self._low:
            return False
        here, count = -self._low[0], len(self._low) + len(self._high)
        part = self._share * (count - 1) - (len(self._low) - 1)
        if part <= 0:
            return value < here
        after = self._high[0]
        # numpy goes from the nearer end, and its last digit decides between equal scores
        found = here + (after - here) * part if part < 0.5 else after - (after - here) * (1 - part)
        return value < found
