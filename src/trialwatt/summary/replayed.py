"""A replayed experiment as it is told: sentences and tables, each of which says replayed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from trialwatt.analysis import intervals
from trialwatt.analysis.columns import flag, number
from trialwatt.analysis.convergence import REPETITIONS
from trialwatt.analysis.paired import paired
from trialwatt.analysis.replayed import SEED, checks
from trialwatt.analysis.search_effect import searched
from trialwatt.analysis.sensitivity import AS_IT_IS, COLUMNS, KIND, VALUE
from trialwatt.config.factors import FACTORS, factor
from trialwatt.figures import REPLAY_FIGURES, quantity
from trialwatt.figures.absent import left_out, not_here
from trialwatt.figures.equal_score import equal_score
from trialwatt.figures.notes import REPLAYED
from trialwatt.figures.replay_answers import as_runs, sensitivity_shown, title_of
from trialwatt.figures.replayed import comparison
from trialwatt.figures.suts import in_order
from trialwatt.figures.tablefiles import Table, read_tidy
from trialwatt.figures.treatments import short
from trialwatt.metrics.dictionary import metric
from trialwatt.replay.experiment import FOLDER, ReplayedExperiment, read_replayed
from trialwatt.summary.findings import listed, named

_GOAL, _JOB = "energy_to_goal_kwh", "job_energy_kwh"


@dataclass(frozen=True, eq=False)
class ReplayedSummary:
    """results: the folder that it was read from."""

    found: ReplayedExperiment
    results: Path

    @property
    def id(self) -> str:
        return f"replay-{self.found.id}"

    @property
    def heading(self) -> str:
        return title_of(self.found)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Its searches in the shape of a runs table, a measured seed as a repetition."""
        return as_runs(self.found)

    @property
    def note(self) -> str:
        """What a reader must know of whatever is shown."""
        return str(self.runs[REPLAYED].iloc[0])

    @property
    def lead(self) -> str:
        """Its question answered in a sentence, or why it cannot be."""
        said, cells = self.found.said, self.runs
        seeds = cells[SEED].nunique()
        flagged = "from flagged runs, " if said["table"]["flags"] else ""
        of = f"{flagged}{seeds} measured seeds and {said['searches']:,} searches of each strategy"
        where = f"on {said['table']['testbed']}"
        if seeds < REPETITIONS:
            return (
                f"Replayed, with {of} {where}: nothing is compared, for it takes {REPETITIONS} "
                "measured seeds."
            )
        told = list(_least(cells, _GOAL))
        if any(factor(key).tested for key in self.found.varied):  # else it is as much as there is
            told += _least(cells, _JOB)
        found = "; ".join(told) or "no system under test has more than one strategy"
        return f"Replayed, with {of} {where}: {found}."

    @property
    def figures(self) -> list[str]:
        """The names of its figures that show something."""
        return [name for name in REPLAY_FIGURES if not self._absent(name)]

    @property
    def not_shown(self) -> list[str]:
        """Which figures are left out, and why, a line each."""
        why = {name: self._absent(name) for name in REPLAY_FIGURES}
        return [f"No figure of {name}: {reason}" for name, reason in why.items() if reason]

    def _absent(self, name: str) -> str:
        return left_out(self.figure_stem(name))

    def figure_stem(self, name: str) -> Path:
        """Its files, without what they end with."""
        return self.results / "figures" / FOLDER / self.found.id / name

    @property
    def absent(self) -> list[str]:
        """What is not replayed, and why."""
        said = not_here(self.found.unavailable)
        return [said] if said else []

    @cached_property
    def comparison(self) -> Table:
        """A row for each strategy."""
        return comparison(self.found.strategies, self.heading)

    @cached_property
    def equal_score(self) -> Table:
        """The energy of each strategy until scores were reached."""
        return equal_score(self.found, self.runs, self.heading, self.note)

    @cached_property
    def sensitivity(self) -> Table:
        """A row for each assumption."""
        stem = self.results / "tables" / f"{FOLDER}-sensitivity" / self.found.id
        tidy = read_tidy(stem.with_suffix(".csv"), COLUMNS, keep_default_na=True)
        return sensitivity_shown(tidy, self.heading, self.note)

    @property
    def findings(self) -> list[str]:
        """What it shows beside its answer, "who: what" each."""
        return [*_waste(self.runs), *_steady(self.sensitivity.tidy), *self._checked()]

    def _checked(self) -> Iterator[str]:
        """What live searches said."""
        verdicts: dict[str, int] = {}
        for one in self.found.strategies:
            for each in checks(one.said):
                verdicts[each["verdict"]] = verdicts.get(each["verdict"], 0) + 1
        total = sum(verdicts.values())
        unchecked = sum(not checks(one.said) for one in self.found.strategies)
        if total:
            counts = listed([f"{count} {_CHECKS[verdict]}" for verdict, count in verdicts.items()])
            yield f"Check: of {total} comparisons with live searches {counts}."
        if unchecked:
            yield (
                f"Check: {unchecked} of {len(self.found.strategies)} replayed strategies have no "
                "live searches beside them."
            )


_CHECKS = {
    "holds": "hold",
    "fails": "fail",
    "undecided": "are undecided, for want of live searches",
}


def read_replays(results: Path, experiments: Sequence[str]) -> list[ReplayedSummary]:
    """Of the experiments that are replayed, in a results folder. Raises TrialwattError where a file
    is missing or damaged."""
    return [ReplayedSummary(read_replayed(results, one), results) for one in experiments]


def _least(cells: pd.DataFrame, measure: str) -> Iterator[str]:
    """Under which treatment each SUT needs the least, and how many times as much the next."""
    if measure == _JOB and number(cells, FACTORS["search.budget"].column).nunique() > 1:
        return
    told = []
    for sut in in_order(cells["sut"]):
        own = cells[cells["sut"] == sut]
        if measure == _GOAL and not (flag(own, "goal_censored") == 0).any():
            continue
        if said := _of_sut(sut, own, measure):
            told.append(said)
    if told:
        yield f"{_named(measure, cells)} is least {listed(told)}"


def _named(measure: str, cells: pd.DataFrame) -> str:
    if measure == _JOB:
        return "that of a whole job" if (flag(cells, "goal_censored") == 0).any() else "job energy"
    return metric(measure).title


def _of_sut(sut: str, own: pd.DataFrame, measure: str) -> str:
    """Empty where there is nothing to compare."""
    late = flag(own, "goal_censored") == 1 if measure == _GOAL else pd.Series(False, own.index)
    values = number(own, measure).where(~late, searched(own, number(own, _JOB)))
    here = paired(values, late, own["treatment"], own["block"]).telling
    if len(here.levels) < 2:
        return ""
    middles = np.median(np.where(here.censored, np.inf, here.values), axis=0)
    first, second = np.argsort(middles, kind="stable")[:2]
    scale = quantity.energy([middles[first]])
    modelled = " (modelled)" if quantity.is_modelled(own["energy_method"]) else ""
    said = f"for {sut} under {named(short(here.levels[first]))}, at "
    said += f"{quantity.number(middles[first] * scale.factor)} {scale.unit}{modelled}"
    other = named(short(here.levels[second]))
    both = ~here.censored[:, [first, second]].any(axis=1)
    if both.sum() < REPETITIONS:
        return f"{said} ({other} is next)"
    logs = np.log(here.values[both])
    ratio = math.exp(float((logs[:, second] - logs[:, first]).mean()))
    low, high = (math.exp(end) for end in intervals.of_mean(logs[:, second] - logs[:, first]))
    times = f"{quantity.number(ratio)} times, {quantity.number(low)} to {quantity.number(high)}"
    apart = "" if low > 1 else ", not told apart"
    return f"{said} ({other} is next{apart}: {times})"


def _waste(cells: pd.DataFrame) -> Iterator[str]:
    """What share of its energy each strategy wastes, of those that waste most and least."""
    for sut in in_order(cells["sut"]):
        own = cells[cells["sut"] == sut]
        shares = own.groupby("treatment")["wte_share"].apply(intervals.summary)
        most = max(shares.items(), key=lambda each: each[1].median)
        if len(shares) < 2 or not most[1].median > 0:
            continue
        low, high = (quantity.number(100 * end) for end in (most[1].low, most[1].high))
        yield (
            f"{sut}: replayed searches waste the largest share of job energy under "
            f"{named(short(str(most[0])))}: {quantity.number(100 * most[1].median)} % "
            f"({low} to {high} % over the measured seeds)."
        )


def _steady(tidy: pd.DataFrame) -> Iterator[str]:
    """Whether verdict and the least strategy change with an assumption."""
    for scope, rows in tidy.groupby("scope", sort=False):
        base = rows[rows[KIND] == AS_IT_IS]
        others = rows[rows[KIND] != AS_IT_IS]
        if base.empty or others.empty or " < " not in base["order"].iloc[0]:
            continue
        verdict, order = base["outcome"].iloc[0], base["order"].iloc[0]
        same = others["outcome"] == verdict
        least = others["order"].str.partition(" < ")[0] == order.partition(" < ")[0]
        said = (
            f"{scope}: with {base['searches'].iloc[0]} searches of each strategy the replayed "
            f"verdict is {verdict}; under {same.sum()} of {len(others)} other assumptions it is "
            f"the same, and under {least.sum()} {named(short(order.partition(' < ')[0]))} is least"
        )
        if not same.all():
            said += f". It is another under {listed(_changes(others[~same]))}"
        yield f"{said}."


def _changes(rows: pd.DataFrame) -> list[str]:
    return [
        f"{kind} {value} ({outcome})"
        for kind, value, outcome in rows[[KIND, VALUE, "outcome"]].values
    ]


def captions(summary: ReplayedSummary) -> Mapping[str, str]:
    """Of its figures that show something."""
    return {name: REPLAY_FIGURES[name] for name in summary.figures}
