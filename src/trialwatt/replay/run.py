"""Many replayed searches of one strategy: made ready, spread over processes, put into tables."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from trialwatt.analysis.framework_cost import Law
from trialwatt.config.identity import repetition_seed
from trialwatt.config.models import Goal, RunConfig, Space
from trialwatt.config.models import Search as Strategy
from trialwatt.errors import TrialwattError
from trialwatt.metrics.columns import schema
from trialwatt.metrics.extract import target_of
from trialwatt.metrics.processes import PROCESSES, mapped
from trialwatt.records.installation import versions
from trialwatt.replay import drivers
from trialwatt.replay.columns import ATTAINED, SEARCHES
from trialwatt.replay.conditions import Conditions, of_table
from trialwatt.replay.costs import Added, Costs, Frame, costs_of, setting
from trialwatt.replay.outcomes import Job, Reached, Scoring, outcomes, targets_of
from trialwatt.replay.simulate import Draws, Log, draws, simulate
from trialwatt.replay.table import TrialTable
from trialwatt.replay.trials import Places, Trials, discrete, trials_of
from trialwatt.suts import base, get

SHARES = (0.5, 0.25, 0.1, 0.05, 0.02)
"""Shares of the grid whose scores are the targets that are told beside the goal."""
_CHUNK = 25
"""Searches that a process does at once."""

Draw = Literal["search", "trial"]
Told = Callable[[int], None]
"""Is told how many more searches are done (replay.progress)."""


@dataclass(frozen=True)
class Wanted:
    """What is to be replayed. workers: None for as many as the table was measured with. space,
    epochs, goal: None for those of the table; target: None for that of the goal. targets: scores
    that are told beside it; None for those that SHARES of its grid reach.

    draw: "search", all of a search is of one measured seed, as a live job has one data split, one
    machine and one hour; "trial": each φ has a seed of its own, so that more differ.
    """

    sut: str
    strategy: Strategy
    workers: int | None
    seed: int = 1
    space: Space | None = None
    target: float | None = None
    draw: Draw = "search"
    epochs: int | None = None
    goal: Goal | None = None
    targets: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Replayed:
    """searches: a row per search (replay.outcomes); attained: a row per search and target with
    `search`, `target`, `energy_kwh`, `time_ms`, `cost`, null where it was not reached."""

    searches: pd.DataFrame
    attained: pd.DataFrame


class Replay:
    """A strategy on a table, ready to search it. Raises TrialwattError where it cannot."""

    def __init__(self, table: TrialTable, wanted: Wanted, laws: Sequence[Law] | None = None):
        table.check(seeds=1, flagged=True)  # who reads it for a result asks for more
        self._seed, self.draw, self._facts = wanted.seed, wanted.draw, table.facts
        self.config = _config(table, wanted)
        workload = self.config.workload
        if wanted.strategy.spends:
            raise TrialwattError(
                "search.budget: only a budget of trials is replayed; what a search has spent of "
                "anything else when it ends stands in its row"
            )
        drivers.check(wanted.sut, workload)
        if workload.workers.count > self.budget:
            raise TrialwattError(
                f"{workload.workers.count} workers for {self.budget} trials: set a greater budget"
            )
        self.trials: Trials = trials_of(
            table, workload.space, workload.goal, self.reported, workload.epochs
        )
        self._repetitions = sorted(table.seeds)
        self.costs: Costs = costs_of(table, self.config, self.trials.worker_w, laws)
        target = target_of(workload, table.facts.context.targets)
        own = wanted.targets
        if own is None:
            own = targets_of(self.trials, workload.goal.sign, SHARES)
        self.scoring = Scoring(math.nan if target is None else target, workload.goal.sign, own)

    @cached_property
    def budget(self) -> int:
        return self._job(0).budget

    @property
    def packages(self) -> dict[str, str]:
        """Versions of what decides in its searches."""
        return versions(["trialwatt", "numpy", *get(self.config.sut).packages(self.config)])

    @property
    def conditions(self) -> Conditions:
        return of_table(self._facts, self.packages)

    @property
    def reported(self) -> bool:
        return self.config.workload.search.prunes

    @cached_property
    def _places(self) -> Places:
        return Places(self.config.workload.space)

    def _job(self, seed: int) -> base.Job:
        return base.Job(
            run_id="replay",
            config=self.config,
            repetition=1,
            seed=seed,
            folder="",
            data="",
            threads=self.config.threads,
            worker_cpu=self.config.worker_cpu,
            service=self.config.testbed.service,
        )

    def one(self, number: int) -> tuple[Log, Job]:
        """One search by its number: the same, whatever ran before it."""
        log = self.decided(number)
        return log, self.job(number, log)

    def job(self, number: int, log: Log) -> Job:
        """What a search took whose trials are known, as those of a replay that differs from this
        one in watts alone."""
        _, _, frame, added = self._drawn(number)
        return Job(log, self.trials, self.costs, frame, added)

    def _drawn(self, number: int) -> tuple[base.Job, Draws, Frame, Added]:
        job = self._job(repetition_seed(self._seed, number))
        # Apart, so that measured seeds are the same whether or not a cost is drawn beside them.
        rng, of_costs = (np.random.default_rng([job.seed, stream]) for stream in (0, 1))
        whole = int(rng.integers(self.trials.seeds)) if self.draw == "search" else None
        drawn = draws(self.trials, self.costs.workers, rng, whole)
        return job, drawn, *self.costs.drawn(of_costs, whole)

    def decided(self, number: int) -> Log:
        """The trials of a search by its number."""
        job, drawn, _, added = self._drawn(number)
        wanted = setting(self.costs, added, self.budget)
        try:
            search = drivers.opened(job, self._places)
            return simulate(search, self.trials, wanted, self.scoring.sign, drawn)
        except TrialwattError:
            raise
        except Exception as error:  # of the framework's: the user learns whose it is, and where
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise TrialwattError(
                f"{self.config.sut}'s {self.config.workload.search.sampler}, search {number}: "
                f"{last.filename}:{last.lineno}: {type(error).__name__}: {error}"
            ) from error

    def rows(self, numbers: Sequence[int]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Of these searches: a row each, and a row each per target."""
        searches, attained = [], []
        for number in numbers:
            row, reached = self.row(number, self.decided(number))
            searches.append(row)
            for place, target in enumerate(self.scoring.targets):
                told = {name: values[place] for name, values in vars(reached).items()}
                attained.append({"search": number, "target": target} | told)
        return searches, attained

    def row(self, number: int, log: Log) -> tuple[dict[str, Any], Reached]:
        """Of one search whose trials are known."""
        row, reached = outcomes(self.job(number, log), self.costs, self.scoring)
        repetition = self._repetitions[log.seed[0]] if self.draw == "search" else None
        return {"search": number, "repetition": repetition} | row, reached

    def searches(
        self, count: int, processes: int = PROCESSES, progress: Told | None = None
    ) -> Replayed:
        """So many searches, numbered from 1; the same for any number of processes."""
        numbers = range(1, count + 1)
        parts = [numbers[first : first + _CHUNK] for first in range(0, count, _CHUNK)]
        rows, attained = list[dict[str, Any]](), list[dict[str, Any]]()
        for own, reached in mapped(partial(Replay.rows, self), parts, processes, 1):
            rows += own
            attained += reached
            if progress is not None:
                progress(len(own))
        return Replayed(
            pd.DataFrame(rows)[schema(SEARCHES).names],
            pd.DataFrame(attained)[schema(ATTAINED).names],
        )


def _config(table: TrialTable, wanted: Wanted) -> RunConfig:
    """The run that would be live: the table's, with this search, on its grid."""
    workload = table.workload
    goal = wanted.goal or workload.goal
    if wanted.target is not None:
        goal = Goal.model_validate(goal.model_dump() | {"target": wanted.target})
    changed = {
        "space": discrete(wanted.space or workload.space),
        "search": wanted.strategy,
        "workers": workload.workers.model_copy(
            update={"count": wanted.workers or workload.workers.count}
        ),
        "epochs": wanted.epochs or workload.epochs,
        "validate_each_epoch": False,
        "goal": goal,
    }
    return table.config.model_copy(
        update={"sut": wanted.sut, "workload": workload.model_copy(update=changed)}
    )
