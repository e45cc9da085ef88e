"""H2: do space, sampler and pruner change the energy of a search? (docs/analysis.md, "H2")."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from trialwatt.analysis import intervals
from trialwatt.analysis.answers import TestResult, text
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
from trialwatt.analysis.evidence import ALPHA, NO_RUNS, Evidence, Outcome
from trialwatt.analysis.intervals import SEED
from trialwatt.analysis.permutation import epsilon_squared, k_sample
from trialwatt.config.factors import FACTORS, SEARCH, Factor, factor, plural

_COLUMNS = {
    *("experiment", "varied", "treatment", "sut", "testbed", "status"),
    *(factor.column for factor in FACTORS.values()),
    *("job_energy_kwh", "energy_to_goal_kwh", "goal_censored", "wte_share"),
}
_WAY = "way"
_SPACE, _BUDGET = FACTORS["space"], FACTORS["search.budget"]
RESAMPLES_OF_EPSILON = 999
"""At most: ranks are taken anew in each."""


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
    runs, remarks = without_holes(runs)
    if runs.empty:
        return Evidence(scope, (Outcome("energy to tg", undecided=NO_RUNS),), 0)
    levels = _levels(runs, one)
    energy = number(runs, "job_energy_kwh")
    energy = energy.where(np.isfinite(energy) & (energy > 0))
    if energy.isna().any():
        remarks.append(f"{int(energy.isna().sum())} of {len(runs)} runs have no energy.")
    infeasible = int((runs["status"] == "infeasible").sum())
    if infeasible:
        remarks.append(f"{infeasible} runs are infeasible: they end the search without a result.")

    def outcome(
        name: str,
        values: pd.Series,
        censored: pd.Series,
        is_energy: bool = True,
        primary: bool = True,
    ) -> Outcome:
        return _outcome(
            scope, name, values, censored, levels, one.said, is_energy, primary, resamples
        )

    to_goal = number(runs, "energy_to_goal_kwh")
    is_censored = flag(runs, "goal_censored")
    to_goal = to_goal.where(is_censored == 0, energy).where(is_censored.notna())
    if is_censored.isna().all():
        goal = Outcome("energy to tg", undecided="no goal target is known")
    elif not (is_censored == 0).any():
        goal = Outcome("energy to tg", undecided="no run reached the goal")
    else:
        goal = outcome("energy to tg", to_goal, is_censored == 1)

    counted = runs["status"] != "infeasible"
    primary = [goal]
    if number(runs, _BUDGET.column)[counted].nunique() > 1:
        # No lack of evidence: where budgets differ, this outcome is not one of the experiment.
        remarks.append("Job energies are not compared, for the budgets differ.")
    else:
        cut_off = runs["status"] == "deadline"
        primary.append(outcome("job energy at equal budget", energy.where(counted), cut_off))
    share = number(runs, "wte_share").where(runs["status"] == "completed")
    never = pd.Series(False, runs.index)
    waste = outcome("waste as a share of job energy", share, never, is_energy=False, primary=False)
    repetitions = levels[counted].value_counts() if counted.any() else levels.value_counts()
    return Evidence(
        scope,
        tuple(primary),
        int(repetitions.min()),
        (waste,) if waste.test else (),
        tuple(remarks),
    )


def _outcome(
    scope: str,
    name: str,
    values: pd.Series,
    censored: pd.Series,
    levels: pd.Series,
    said_of_level: str,
    is_energy: bool,
    primary: bool,
    resamples: int,
) -> Outcome:
    """Compare one outcome between the levels; values and censored are aligned with them."""
    known = values.notna()
    values, censored = values[known].to_numpy(float), censored[known].to_numpy(bool)
    names, code = np.unique(levels[known].to_numpy(str), return_inverse=True)
    if len(names) < 2:
        return Outcome(name, undecided=f"only one {said_of_level} has values")
    sizes = np.bincount(code)
    if sizes.max() < 2:
        return Outcome(name, undecided="one repetition, so that noise is not known")
    how, scores = _scores(values, censored)
    tested = k_sample(scores, code, resamples)
    if math.isnan(tested.p):
        return Outcome(name, undecided="all values are equal")
    by_level = [values[code == i] for i in range(len(names))]
    cut = [censored[code == i] for i in range(len(names))]
    low, high = _epsilon_interval(values, censored, code, resamples)
    test = TestResult(
        f"{scope}: {name} between {plural(said_of_level)}, {how}",
        tested.statistic,
        tested.p,
        math.nan,
        float(epsilon_squared(scores[None], code)[0]),
        low,
        high,
        len(values),
        "ε²",
        intervals.kind(sizes.min()),
        primary,
    )
    middles = np.array([float(median(v, c)) for v, c in zip(by_level, cut, strict=True)])
    drawn = intervals.medians(by_level, cut, resamples)
    most, least = int(np.argmax(middles)), int(np.argmin(middles))
    ratio, low, high = _ratio(middles, drawn, most, least)
    extra = TestResult(
        f"{scope}: {name}, {names[most]} ÷ {names[least]}",
        math.nan,
        math.nan,
        math.nan,
        ratio,
        low,
        high,
        int(sizes[most] + sizes[least]),
        "ratio of medians",
        intervals.kind(min(sizes[most], sizes[least])),
        primary,
    )
    said = [f"{text(1e3 * middle)} Wh" if is_energy else text(middle) for middle in middles]
    words = f"Least with {names[least]} (median {said[least]}), most with "
    words += f"{names[most]} ({said[most]})"
    words += "." if math.isnan(ratio) else f", ratio {text(ratio)} ({text(low)}–{text(high)})."
    if censored.any():
        words += f" {int(censored.sum())} of {len(values)} runs are right-censored."
    undecided = ""
    if tested.least_p >= ALPHA:
        undecided = f"too few repetitions: p cannot be below {text(tested.least_p)}"
    elif math.isnan(ratio):
        undecided = "no level has a median, since most runs are right-censored"
    return Outcome(name, undecided, test, ratio, low, high, words, (extra,))


def _ratio(
    middles: np.ndarray, drawn: np.ndarray, most: int, least: int
) -> tuple[float, float, float]:
    """Ratio of two medians; NaN where both are infinite, or the lesser is 0."""
    if math.isinf(middles[least]) or middles[least] == 0:
        return math.nan, math.nan, math.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        sample = drawn[most] / drawn[least]
    return (float(middles[most] / middles[least]), *intervals.interval(sample))


def _scores(values: np.ndarray, censored: np.ndarray) -> tuple[str, np.ndarray]:
    """The name of the test, and its scores: those of Gehan are ranks where nothing is censored."""
    if censored.any():
        return "Gehan's Wilcoxon by permutation", gehan_scores(values, censored)
    return "Kruskal-Wallis by permutation", rankdata(values, axis=-1)


def _epsilon_interval(
    values: np.ndarray, censored: np.ndarray, code: np.ndarray, resamples: int
) -> tuple[float, float]:
    """Bootstrap within the levels; ranks of each sample are taken anew."""
    rng = np.random.default_rng(SEED)
    order = np.lexsort((censored, values, code))
    values, censored, code = values[order], censored[order], code[order]
    drawn = np.empty((min(resamples, RESAMPLES_OF_EPSILON), len(values)), int)
    for level in np.unique(code):
        at = np.flatnonzero(code == level)
        drawn[:, at] = at[rng.integers(len(at), size=(len(drawn), len(at)))]
    _, scores = _scores(values[drawn], censored[drawn])
    return intervals.interval(epsilon_squared(scores, code))


def _levels(runs: pd.DataFrame, one: Factor) -> pd.Series:
    if one.kind == "text":
        return runs[one.column].fillna("").astype(str)
    return number(runs, one.column).map(lambda value: f"{value:g}")
