"""One search on virtual workers and a virtual clock: trials end, are reported on and stopped in the
order in which they would."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from trialwatt.errors import TrialwattError
from trialwatt.replay.trials import Trials

LATER: Final = -1
"""What `ask` answers where there is no φ before a trial that runs has ended."""
COMPLETED, PRUNED, FAILED = range(3)


class Search(Protocol):
    """A strategy's search, asked and told; a score is higher where it is better."""

    @property
    def stages(self) -> Sequence[int]:
        """The epochs, rising, after which it may stop a trial; none without a pruner."""

    def ask(self, worker: int, number: int) -> int | None:
        """The place of the φ of this trial, LATER, or None where there is none for this worker."""

    def report(self, number: int, epoch: int, score: float) -> bool:
        """The score after an epoch of `stages`; True stops the trial, unless it is its last."""

    def tell(self, number: int, score: float | None, outcome: int) -> None:
        """How a trial ended, with its last score; None where it failed."""


@dataclass(frozen=True)
class Setting:
    """What a search is replayed with: virtual workers, number of trials, and s that a framework
    takes of a worker's time for each trial and each report."""

    workers: int
    budget: int
    trial_s: float = 0.0
    report_s: float = 0.0


@dataclass(frozen=True)
class Log:
    """The trials of a search by their numbers; arrays (n,). Times in s since the first dispatch.

    seed: (P,) which measured seed each φ has in this search. imported: of the trial's worker's
    first trials, which import was drawn; −1 of others. score: the goal's after the last epoch that
    ended, NaN without.
    """

    phi: np.ndarray
    worker: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    epochs: np.ndarray
    outcome: np.ndarray
    score: np.ndarray
    imported: np.ndarray
    seed: np.ndarray

    def __len__(self) -> int:
        return len(self.phi)


@dataclass(frozen=True)
class Draws:
    """The luck of one search. seed: (P,) the measured seed of each φ; imports: (workers,) which of
    the measured imports each worker's first trial has; empty where none was measured."""

    seed: np.ndarray
    imports: np.ndarray


def draws(trials: Trials, workers: int, rng: np.random.Generator, whole: int | None) -> Draws:
    """whole: the seed that all of a search is of, imports too; None: each φ has its own."""
    count, seeds = trials.lasts.shape
    seed = np.asarray(rng.integers(seeds, size=count))
    there = np.arange(len(trials.imports))
    if whole is not None:
        seed = np.full(count, whole)
        own = there[trials.import_seed == whole]
        there = own if len(own) else there
    imports = there[rng.integers(len(there), size=workers)] if len(there) else there
    return Draws(seed, imports)


def simulate(search: Search, trials: Trials, setting: Setting, sign: int, drawn: Draws) -> Log:
    """Replay one search: every duration, score and energy is a measured one.

    A φ has one measured seed for a whole search, as a live job trains a φ that it draws twice
    twice the same. A worker's first trial imports. sign: of the goal, see Search.
    """
    return _Run(search, trials, setting, sign, drawn.seed).log(trials, drawn)


class _Run:
    def __init__(
        self, search: Search, trials: Trials, setting: Setting, sign: int, seed: np.ndarray
    ):
        own = np.arange(len(seed)), seed
        waits = setting.report_s * np.arange(trials.epochs + 1) if trials.reported else 0.0
        self._until = (trials.until_s[own] + waits).tolist()
        self._told = (trials.score[own] * sign).tolist()
        self._raw = trials.score[own]
        self._lasts, self._fails = trials.lasts[own].tolist(), trials.failed[own].tolist()
        self._search, self._setting = search, setting
        self._epochs = trials.epochs

    def log(self, trials: Trials, drawn: Draws) -> Log:
        has_imports = len(drawn.imports) > 0
        imports = trials.imports[drawn.imports, 0].tolist()
        search, budget, gap = self._search, self._setting.budget, self._setting.trial_s
        until, told, lasts, fails = self._until, self._told, self._lasts, self._fails
        stages = [*search.stages, self._epochs + 1]
        ask, push, pop = search.ask, heapq.heappush, heapq.heappop
        phis, workers, starts, ends = list[int](), list[int](), list[float](), list[float]()
        epochs, outcomes, first = list[int](), list[int](), list[int]()
        heap: list[tuple[float, int, int, int]] = []  # time, order, number, stage
        order = 0
        fresh = [True] * self._setting.workers
        parked: list[int] = []
        waiting = list(range(self._setting.workers))
        now = 0.0
        while True:
            for worker in waiting:
                number = len(phis)
                if number >= budget:
                    break
                place = ask(worker, number)
                if place is None:
                    continue
                if place == LATER:
                    parked.append(worker)
                    continue
                start = now + gap
                phis.append(place)
                workers.append(worker)
                starts.append(start)
                ends.append(start)
                epochs.append(0)
                outcomes.append(COMPLETED)
                first.append(worker if fresh[worker] else -1)
                if fresh[worker] and has_imports:
                    start += imports[worker]
                    ends[number] = start  # until it has ended: what its epochs count from
                fresh[worker] = False
                last = lasts[place]
                at = stages[0] if stages[0] <= last else last
                push(heap, (start + until[place][at], order, number, 0))
                order += 1
            if not heap:
                break
            now, _, number, stage = pop(heap)
            place = phis[number]
            last, at = lasts[place], stages[stage]
            if at <= last and not (fails[place] and at == last):
                stop = search.report(number, at, told[place][at])
                if stop and at < self._epochs:
                    outcomes[number], epochs[number], ends[number] = PRUNED, at, now
                    search.tell(number, told[place][at], PRUNED)
                    waiting, parked = [*parked, workers[number]], []
                    continue
                if at < last:
                    following = stages[stage + 1]
                    next_at = following if following <= last else last
                    begun = ends[number]
                    push(heap, (begun + until[place][next_at], order, number, stage + 1))
                    order += 1
                    waiting = []
                    continue
            ends[number], epochs[number] = now, last
            if fails[place]:
                outcomes[number], epochs[number] = FAILED, last - 1
                search.tell(number, None, FAILED)
            else:
                search.tell(number, told[place][last], COMPLETED)
            waiting, parked = [*parked, workers[number]], []
        if parked and len(phis) < budget:
            raise TrialwattError("the strategy waits for a trial that ends, but none runs")
        phi, done = np.array(phis, np.int64), np.array(epochs, np.int64)
        own = np.array(first, np.int64)
        return Log(
            phi=phi,
            worker=np.array(workers, np.int64),
            start_s=np.array(starts),
            end_s=np.array(ends),
            epochs=done,
            outcome=np.array(outcomes, np.int8),
            score=self._raw[phi, done] if len(phi) else np.empty(0),
            imported=np.where(own >= 0, drawn.imports[own], -1) if has_imports else own * 0 - 1,
            seed=drawn.seed,
        )
