"""What searches by many strategies will take, before one is run: which needs least to the goal."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialwatt.analysis import intervals
from trialwatt.analysis.framework_cost import Law
from trialwatt.errors import TrialwattError
from trialwatt.replay.run import Replay, Wanted
from trialwatt.replay.strategies import Choice
from trialwatt.replay.table import TrialTable

FEWEST = 20
"""Searches of a strategy, however slow it is."""
RESAMPLES = 4999
Say = Callable[[int, int, Choice, int], None]
"""(number of the strategy from 1, of how many, which, how many searches it will have)."""


@dataclass(frozen=True)
class Effort:
    """Of each strategy: so many searches, or as many as so many seconds allow; processes side by
    side."""

    searches: int
    limit_s: float
    processes: int


@dataclass(frozen=True)
class Estimate:
    """One strategy's searches (replay.columns.SEARCHES)."""

    choice: Choice
    searches: pd.DataFrame
    replay: Replay

    @property
    def per_goal_kwh(self) -> float:
        """Energy of all searches until the goal, or to their end where they missed it, for each
        that reached it: what it takes where a search that missed is followed by another. Infinite
        where none did; without a goal what a whole search takes."""
        return float(_per_goal(_by_seed(self.searches)).item())


@dataclass(frozen=True)
class Ratio:
    """per_goal_kwh ÷ that of another strategy, its 95 % interval over the measured seeds, and how
    many searches of each were compared."""

    value: float
    low: float
    high: float
    searches: int

    @property
    def is_told_apart(self) -> bool:
        return self.low > 1 or self.high < 1


@dataclass(frozen=True)
class Estimates:
    """found: by energy to the goal, the least first; left_out: why the others have none."""

    found: tuple[Estimate, ...]
    left_out: dict[Choice, str]


def estimates(
    table: TrialTable,
    wanted: Sequence[tuple[Choice, Wanted]],
    laws: Sequence[Law] | None,
    effort: Effort,
    say: Say,
) -> Estimates:
    """Replay each of these. Raises TrialwattError where none can be."""
    found, left_out = list[Estimate](), dict[Choice, str]()
    ready = list[tuple[Choice, Replay]]()
    for choice, one in wanted:
        try:
            ready.append((choice, Replay(table, one, laws)))
        except TrialwattError as error:
            left_out[choice] = str(error)
    for number, (choice, replay) in enumerate(ready, 1):
        try:
            count = min(effort.searches, _affordable(replay, effort.limit_s * effort.processes))
            say(number, len(ready), choice, count)
            rows = replay.searches(count, effort.processes).searches
        except TrialwattError as error:
            left_out[choice] = str(error)
            continue
        found.append(Estimate(choice, rows, replay))
    if not found:
        why = "; ".join(dict.fromkeys(left_out.values()))
        raise TrialwattError(f"no strategy can be replayed: {why}")
    return Estimates(tuple(sorted(found, key=lambda one: one.per_goal_kwh)), left_out)


def _affordable(replay: Replay, seconds: float) -> int:
    """How many searches so many seconds of a processor allow, by one that is made now."""
    replay.rows([1])  # imports
    begun = time.process_time()
    replay.rows([2])
    return max(FEWEST, int(seconds / max(time.process_time() - begun, 1e-6)))


def ratio(one: Estimate, other: Estimate) -> Ratio:
    """How much more `one` takes than `other`, over the searches that both have: those of a number
    are of the same measured seed, and whole seeds are drawn."""
    count = min(len(one.searches), len(other.searches))
    parts = [_by_seed(each.searches.head(count)) for each in (one, other)]
    seeds = len(parts[0])
    drawn = intervals.resampled(seeds, RESAMPLES)
    with np.errstate(invalid="ignore"):
        sample = np.divide(*(_per_goal(part[drawn]) for part in parts))
        value = np.divide(*(_per_goal(part) for part in parts)).item()
    return Ratio(value, *intervals.over_blocks(sample, seeds), count)


def _by_seed(rows: pd.DataFrame) -> np.ndarray:
    """(seeds, 2): mean kWh of a search until the goal or its end, and share that reached it."""
    whole = rows["job_energy_kwh"].to_numpy(float)
    reached = np.ones(len(rows), bool)
    if rows["goal_target"].notna().all():
        reached = rows["goal_reached"].to_numpy(bool)
        to_goal = rows["energy_to_goal_kwh"].to_numpy(float, na_value=math.nan)
        whole = np.where(reached, to_goal, whole)
    own = {"seed": rows["repetition"], "kwh": whole, "reached": reached.astype(float)}
    return pd.DataFrame(own).groupby("seed").mean().to_numpy()


def _per_goal(parts: np.ndarray) -> np.ndarray:
    """(..., seeds, 2) → (...): Σ kWh ÷ Σ reached; infinite where nothing was."""
    spent, reached = np.moveaxis(parts.sum(axis=-2), -1, 0)
    return np.where(reached > 0, spent / np.where(reached > 0, reached, 1.0), math.inf)


def each_wanted(base: Wanted, chosen: Iterable[Choice]) -> list[tuple[Choice, Wanted]]:
    """The same search by each of these strategies."""
    search = base.strategy
    return [
        (
            one,
            dataclasses.replace(
                base,
                sut=one.sut,
                strategy=search.model_copy(update={"sampler": one.sampler, "pruner": one.pruner}),
            ),
        )
        for one in chosen
    ]
