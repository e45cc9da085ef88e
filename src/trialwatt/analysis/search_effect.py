"""H2: do space, sampler and pruner change the energy of a search? (docs/analysis.md, "H2")."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from trialwatt.analysis import dominance, intervals, replayed
from trialwatt.analysis.answers import TestResult, text
from trialwatt.analysis.blocks import BLOCK, complete_blocks
from trialwatt.analysis.censoring import gehan_scores, median
from trialwatt.analysis.columns import (
    by_experiment,
    flag,
    groups,
    number,
    varied,
    with_levels,
    without_holes,
)
from trialwatt.analysis.evidence import NO_RUNS, ONE_SIDED, OVER_BLOCKS, Evidence, Outcome, Ratio
from trialwatt.analysis.intervals import LEVEL
from trialwatt.analysis.paired import Paired, paired
from trialwatt.analysis.permutation import between_levels, explained, huber_scores, ways
from trialwatt.config.factors import FACTORS, SEARCH, Factor, factor, plural

SEARCHED = ("step_deploy_energy_kwh", "step_setup_energy_kwh", "step_trials_energy_kwh")
"""What a job has spent when its last trial ends. Until then any of them may reach the goal: there,
and not at the end of its test, a job that did not is censored."""
_JOB, _TO_GOAL, _WASTE = "job_energy_kwh", "energy_to_goal_kwh", "wte_share"
_COLUMNS = {
    *(
        "experiment",
        "varied",
        "treatment",
        "sut",
        "testbed",
        "status",
        "hash",
        "repetition",
        *BLOCK,
    ),
    *(factor.column for factor in FACTORS.values()),
    *(_JOB, _TO_GOAL, _WASTE, "goal_censored"),
    *(f"{replayed.CHECKED}{name}" for name in (_JOB, _TO_GOAL, _WASTE)),
    *SEARCHED,
    *replayed.OF_SEED,
    *dominance.COLUMNS,
}
_WAY = "way"
_SPACE, _BUDGET = FACTORS["space"], FACTORS["search.budget"]


def evidence(runs: pd.DataFrame, resamples: int) -> list[Evidence]:
    """One per experiment, factor of the search that it varies, SUT and testbed.

    Within it all other factors of the search, and what else the experiment varies, are equal.
    """
    found = []
    runs = runs.loc[:, runs.columns.isin(_COLUMNS)]
    for name, rows in by_experiment(runs):
        keys = varied(rows)
        levels = with_levels(rows, keys)
        for one in map(factor, keys):
            if one.family == SEARCH and one.tested:
                found += _of_factor(name, levels, one, keys, resamples)
    return found


def _of_factor(
    name: str, runs: pd.DataFrame, one: Factor, keys: Sequence[str], resamples: int
) -> list[Evidence]:
    """The evidence of one factor of an experiment that varies these keys."""
    held = [other for other in FACTORS.values() if other.family == SEARCH and other != _BUDGET]
    held += [factor(key) for key in keys]
    said = {other.column: other.said for other in held if other.column != one.column}
    same = list(said)
    scopes = [
        (key | {_WAY: way}, here)
        for key, rows in groups(runs, ["sut", "testbed", *same])
        for way, here in _ways(rows, one)
    ]
    # One level of the factor is no comparison, unless there is nothing else for this SUT.
    telling = [s for s in scopes if _levels(s[1], one).nunique() > 1]
    told = {key["sut"] for key, _ in telling}
    silent = {key["sut"]: (key, rows) for key, rows in scopes if key["sut"] not in told}
    found = []
    for key, rows in [*telling, *silent.values()]:
        here = (key["sut"], key["testbed"])
        mine = [other for other, _ in telling if (other["sut"], other["testbed"]) == here]
        differs = [c for c in same if len({k[c] for k in mine}) > 1]
        notes = [key["testbed"], *(f"{said[c]} {key[c]}" for c in differs)]
        alike = [other for other in mine if all(other[c] == key[c] for c in same)]
        notes += [key[_WAY]] if len(alike) > 1 else []
        # Of several factors each is named: their scopes would have one name.
        notes += [f"between {plural(one.said)}"] if len(keys) > 1 else []
        scope = f"{key['sut']} in {name} ({', '.join(notes)})"
        found.append(_scope(scope, rows, one, resamples))
    return found


def _ways(runs: pd.DataFrame, one: Factor) -> list[tuple[str, pd.DataFrame]]:
    """The ways in which space sizes are compared, each with its runs: never one with another.

    A search has the budget of its whole space, or one that is the same for all sizes; where a
    space is as large as that budget its runs belong to both ways.
    """
    if one != _SPACE:
        return [("", runs)]
    budget, size = number(runs, _BUDGET.column), number(runs, _SPACE.column)
    ways = [("budget of the whole space", runs[budget == size])]
    ways += [
        (f"budget {value:g}", runs[budget == value]) for value in sorted(budget.dropna().unique())
    ]
    telling = [(name, here) for name, here in ways if _levels(here, one).nunique() > 1]
    return telling or [("", runs)]


def _scope(scope: str, runs: pd.DataFrame, one: Factor, resamples: int) -> Evidence:
    runs, left_out = complete_blocks(runs)
    runs, remarks = without_holes(runs)
    remarks = [*(f"{said}." for said in left_out), *remarks]
    if runs.empty:
        return Evidence(scope, (Outcome("energy to tg", undecided=NO_RUNS),), 0, (), tuple(remarks))
    levels = _levels(runs, one)
    energy = number(runs, _JOB)
    energy = energy.where(np.isfinite(energy) & (energy > 0))
    if energy.isna().any():
        remarks.append(f"{int(energy.isna().sum())} of {len(runs)} runs have no energy.")
    infeasible = int((runs["status"] == "infeasible").sum())
    if infeasible:
        remarks.append(f"{infeasible} runs are infeasible: they end the search without a result.")

    def outcome(
        name: str, quantity: str, values: pd.Series, censored: pd.Series, **kind: bool
    ) -> Outcome:
        here = paired(values, censored, levels, runs["block"]).telling
        remarks.extend(remark for remark in here.remarks if remark not in remarks)
        found = _outcome(scope, name, here, one.said, resamples, **kind)
        return replayed.believed(found, runs, levels, quantity)

    is_censored = flag(runs, "goal_censored")
    if is_censored.isna().all():
        goal = Outcome("energy to tg", undecided="no goal target is known")
    elif not (is_censored == 0).any():
        goal = Outcome("energy to tg", undecided="no run reached the goal")
    else:
        to_goal = number(runs, _TO_GOAL).where(is_censored == 0, searched(runs, energy))
        to_goal = to_goal.where(is_censored.notna())
        goal = outcome("energy to tg", _TO_GOAL, to_goal, is_censored == 1)

    counted = runs["status"] != "infeasible"
    primary = [goal]
    if number(runs, _BUDGET.column)[counted].nunique() > 1:
        # No lack of evidence: where budgets differ, this outcome is not one of the experiment.
        remarks.append("Job energies are not compared, for the budgets differ.")
    else:
        cut_off = runs["status"] == "deadline"
        job = outcome("job energy at equal budget", _JOB, energy.where(counted), cut_off)
        if is_censored.isna().all():  # nor is that of a goal that nobody has set
            remarks.append(f"{goal.name.capitalize()} is not compared: {goal.undecided}.")
            primary = []
        primary.append(job)
        remarks.extend(dominance.remarks(runs, levels))
    share = number(runs, _WASTE).where(runs["status"] == "completed")
    never = pd.Series(False, runs.index)
    waste = outcome("waste as a share of job energy", _WASTE, share, never, is_energy=False)
    remarks.extend(replayed.remarks(runs, levels, (_TO_GOAL, _JOB)))
    return Evidence(
        scope,
        tuple(primary),
        max(each.blocks for each in primary),
        (waste,) if waste.test else (),
        tuple(remarks),
    )


def searched(runs: pd.DataFrame, energy: pd.Series) -> pd.Series:
    """Energy until the last trial ended; the job's where a table does not tell it."""
    parts = pd.DataFrame({name: number(runs, name) for name in SEARCHED})
    own = number(runs, replayed.CENSORED[_TO_GOAL])
    return own.fillna(parts.sum(axis=1, skipna=False)).fillna(energy)


def _outcome(
    scope: str,
    name: str,
    here: Paired,
    said_of_level: str,
    resamples: int,
    is_energy: bool = True,
) -> Outcome:
    """Compare one outcome between the levels, within blocks."""
    if len(here.levels) < 2:
        return Outcome(name, undecided=f"only one {said_of_level} has values", blocks=here.blocks)
    if here.blocks < 2:
        why = "no block is complete" if not here.blocks else "one block, so that noise is not known"
        return Outcome(name, undecided=why, blocks=here.blocks)
    how, score = _scoring(here, is_energy)
    scores = score(here.values, here.censored)
    tested = between_levels(scores, resamples)
    if math.isnan(tested.p):
        return Outcome(name, undecided="all values are equal", blocks=here.blocks)
    drawn = intervals.resampled(here.blocks, resamples)
    low, high = intervals.over_blocks(explained(scores[drawn]), here.blocks)
    effect = float(explained(scores))
    test = TestResult(
        f"{scope}: {name} between {plural(said_of_level)}, {how}",
        tested.statistic,
        tested.p,
        math.nan,
        effect,
        low,
        high,
        here.blocks,
        "share of variance within blocks",
        OVER_BLOCKS,
        is_energy,
    )
    middles = _middles(here, is_energy)
    most, least = int(np.argmax(middles)), int(np.argmin(middles))
    ratio = _ratio(here, middles, most, least, drawn, is_energy)
    said = f"{scope}: {name}, {here.levels[most]} ÷ {here.levels[least]}"
    unknown = "no level has a median, since most runs are right-censored"
    return Outcome(
        name,
        unknown if math.isnan(ratio.ratio) else "",
        test,
        here.blocks,
        ways(len(here.levels)),
        size=ratio,
        words=_words(here, middles, ratio, is_energy),
        more=(ratio.result(said, here.blocks, is_energy),),
    )


_Score: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _scoring(here: Paired, is_energy: bool) -> tuple[str, _Score]:
    """The name of the test, and how values (blocks, levels) become scores."""
    if here.censored.any():
        return "Gehan's scores permuted within blocks", gehan_scores
    if not is_energy:
        return "ranks permuted within blocks (Friedman)", lambda v, _: rankdata(v, axis=1)
    return "logarithms permuted within blocks", lambda v, _: huber_scores(np.log(v))


def _ratio(
    here: Paired, middles: np.ndarray, most: int, least: int, drawn: np.ndarray, is_energy: bool
) -> Ratio:
    """NaN where both middles are infinite, or the lesser is 0. drawn: blocks of each resample."""
    if is_energy and not here.censored.any():
        logs = np.log(here.values)
        away = logs[:, most] - logs[:, least]
        low, high, at_least, at_most = (
            math.exp(end)
            for level in (LEVEL, ONE_SIDED)
            for end in intervals.of_difference(logs, most, least, level)
        )
        spread, said = float(away.std(ddof=1)), "95 %, Student's t of paired logarithms"
        return Ratio(math.exp(away.mean()), low, high, at_least, at_most, spread, said)
    if math.isinf(middles[least]) or middles[least] == 0:
        return Ratio()
    one, other = (
        median(here.values[:, i][drawn], here.censored[:, i][drawn]) for i in (most, least)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        sample = one / other
    return Ratio.resampled(float(middles[most] / middles[least]), sample, here.blocks, math.nan)


def _middles(here: Paired, is_energy: bool) -> np.ndarray:
    """(levels,) geometric means of energies; medians of shares, and those of Kaplan and Meier of
    energies that are censored."""
    if is_energy and not here.censored.any():
        return np.exp(np.log(here.values).mean(axis=0))
    return median(here.values.T, here.censored.T)


def _words(here: Paired, middles: np.ndarray, ratio: Ratio, is_energy: bool) -> str:
    most, least = int(np.argmax(middles)), int(np.argmin(middles))
    said = [f"{text(1e3 * middle)} Wh" if is_energy else text(middle) for middle in middles]
    words = f"Least with {here.levels[least]} ({said[least]}), most with {here.levels[most]} "
    words += f"({said[most]})"
    if not math.isnan(ratio.ratio):
        words += f", ratio {text(ratio.ratio)} ({text(ratio.low)}–{text(ratio.high)})"
    cut = int(here.censored.sum())
    return words + (f". {cut} of {here.values.size} runs are right-censored." if cut else ".")


def _levels(runs: pd.DataFrame, one: Factor) -> pd.Series:
    if one.kind == "text":
        return runs[one.column].fillna("").astype(str)
    return number(runs, one.column).map(lambda value: f"{value:g}")
