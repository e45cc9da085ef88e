"""H1: does the platform change which scaling is best in energy? (docs/analysis.md, "H1")."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialwatt.analysis import dominance, intervals
from trialwatt.analysis.answers import TestResult, text
from trialwatt.analysis.blocks import BLOCK, complete_blocks
from trialwatt.analysis.columns import (
    by_experiment,
    groups,
    in_order,
    number,
    treatment,
    unit,
    varied,
    with_levels,
    with_unit,
    without_holes,
)
from trialwatt.analysis.evidence import NO_RUNS, Evidence, Outcome, Ratio
from trialwatt.analysis.paired import Paired, paired
from trialwatt.analysis.permutation import SIGNS, explained_interaction, interaction
from trialwatt.config.factors import FACTORS, RESOURCE, factor, families

ENERGY = "ept_kwh"
_COLUMNS = {
    *("experiment", "varied", "sut", "sampler", "testbed", "status", "hash", "repetition", *BLOCK),
    *("treatment", "treatment_value", ENERGY),
    *("trials_completed", "trials_duplicate", *dominance.COLUMNS),
    *(factor.column for factor in FACTORS.values()),
}


def evidence(runs: pd.DataFrame, platforms: Mapping[str, str], resamples: int) -> list[Evidence]:
    """One per experiment that varies resources and SUT (and sampler, where a SUT has several).

    What else an experiment varies is equal within one. platforms: testbed → what it is a scaling
    of; a testbed that is not in it stands for itself.
    """
    runs = runs.loc[:, runs.columns.isin(_COLUMNS)]
    found = []
    for name, mine in by_experiment(runs):
        keys = varied(mine)
        if RESOURCE not in families(keys):
            continue
        others = [factor(key) for key in keys if factor(key).family != RESOURCE]
        same = list(dict.fromkeys(["sampler", *(one.column for one in others)]))
        scopes = list(groups(with_levels(mine, keys), ["sut", *same]))
        for key, rows in scopes:
            own = [other for other, _ in scopes if other["sut"] == key["sut"]]
            differs = [column for column in same if len({one[column] for one in own}) > 1]
            scope = f"{key['sut']} in {name}"
            scope += f" ({', '.join(key[column] for column in differs)})" if differs else ""
            found.append(_scope(scope, rows, platforms, resamples))
    return found


@dataclass(frozen=True)
class _Testbed:
    """The energies of one platform: here, in whole blocks; infeasible: treatments that cannot work,
    as all runs of them were infeasible or ended by the deadline."""

    name: str
    here: Paired
    infeasible: frozenset[str]

    @property
    def treatments(self) -> set[str]:
        """Those of which something is known."""
        return {*self.here.levels, *self.infeasible}

    def logs(self, treatments: Sequence[str]) -> np.ndarray:
        """(blocks, treatments) logarithms of energies; infinite where it is infeasible."""
        columns = [
            np.log(self.here.values[:, self.here.levels.index(name)])
            if name in self.here.levels
            else np.full(self.here.blocks, np.inf)
            for name in treatments
        ]
        return np.stack(columns, axis=1) if columns else np.empty((self.here.blocks, 0))


def _testbed(name: str, runs: pd.DataFrame) -> _Testbed:
    energy, label = number(runs, ENERGY), treatment(runs)
    known = (energy > 0) & np.isfinite(energy) & (runs["status"] == "completed")
    never = pd.Series(False, runs.index)
    cannot = runs["status"].isin(["infeasible", "deadline"]).groupby(label).all()
    here = paired(energy.where(known), never, label, runs["block"])
    return _Testbed(name, here, frozenset(cannot.index[cannot]))


def _scope(
    scope: str, runs: pd.DataFrame, platforms: Mapping[str, str], resamples: int
) -> Evidence:
    name = "testbed × treatment"
    runs, left_out = complete_blocks(runs)
    runs, holes = without_holes(runs)
    remarks = [*(f"{said}." for said in left_out), *holes]
    if runs.empty:
        return Evidence(scope, (Outcome(name, undecided=NO_RUNS),), 0, (), tuple(remarks))
    runs, scalings = _one_testbed_each(runs, platforms)
    remarks += scalings
    lost = int(((runs["status"] == "completed") & number(runs, ENERGY).isna()).sum())
    if lost:
        remarks.append(f"{lost} completed runs have no energy.")
    own = {key["testbed"]: rows for key, rows in groups(runs, ["testbed"])}
    testbeds = [_testbed(*one) for one in own.items()]
    remarks += [f"{each.name}: {said}" for each in testbeds for said in each.here.remarks]
    remarks += [f"{testbed}: {said}" for testbed in own for said in _always_cheaper(own[testbed])]
    order = in_order(runs.drop_duplicates("treatment"), list(treatment(runs).unique()))
    # A testbed on which nothing can work has no block, and no noise.
    blocks = min((each.here.blocks for each in testbeds if each.here.levels), default=0)
    bests = _best_words(testbeds, order, unit(runs), resamples)

    def blocked(why: str) -> Evidence:
        outcome = Outcome(name, undecided=why, words=bests, blocks=blocks)
        return Evidence(scope, (outcome,), blocks, remarks=tuple(remarks))

    if not blocks:
        return blocked("no block is complete" if lost < len(runs) else "no run has an energy")
    if len(testbeds) < 2:
        return blocked("one platform")
    both = [name for name in order if all(name in each.here.levels for each in testbeds)]
    known = [name for name in order if all(name in each.treatments for each in testbeds)]
    if len(both) < 2:
        return blocked("fewer than two treatments were measured on every platform")
    if blocks < 2:
        return blocked("one block, so that noise is not known")
    return Evidence(
        scope,
        (_outcome(scope, name, testbeds, both, known, bests, resamples),),
        blocks,
        remarks=tuple(remarks),
    )


def _always_cheaper(runs: pd.DataFrame) -> list[str]:
    """Of the treatments of a testbed, by distinct completed trial as its energy is."""
    named = treatment(runs).map(lambda name: with_unit(name, unit(runs)))
    distinct = number(runs, "trials_completed") - number(runs, "trials_duplicate")
    return dominance.remarks(runs, named, distinct)


def _outcome(
    scope: str,
    name: str,
    testbeds: Sequence[_Testbed],
    both: Sequence[str],
    known: Sequence[str],
    bests: str,
    resamples: int,
) -> Outcome:
    """both: treatments that work on every platform, which are tested; known: and infeasible ones,
    which may be the best of another platform."""
    logs = [each.logs(both) for each in testbeds]
    values = np.concatenate(logs)
    codes = np.repeat(np.arange(len(logs)), [len(each) for each in logs])
    blocks = min(map(len, logs))
    tested = interaction(values, codes, resamples)
    if math.isnan(tested.p):
        return Outcome(name, undecided="all values are equal", words=bests, blocks=blocks)
    test = TestResult(
        f"{scope}: interaction testbed × treatment on log energy per completed trial",
        tested.statistic,
        tested.p,
        math.nan,
        explained_interaction(values, codes),
        math.nan,
        math.nan,
        blocks,
        "share of variance within blocks",
    )
    size, where = _penalty(testbeds, known, resamples)
    said = f"{scope}: energy with another platform's best treatment ÷ with one's own"
    words = (
        f"{bests} Taking the other platform's best costs {text(size.ratio)} times the energy "
        f"({text(size.low)}–{text(size.high)}) where it matters most ({where})."
    )
    more = (size.result(said, blocks),)
    return Outcome(name, "", test, blocks, SIGNS, len(testbeds), size, words, more)


def _one_testbed_each(
    runs: pd.DataFrame, platforms: Mapping[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """Of testbeds that are scalings of one platform only the one with the most runs."""
    counts = runs["testbed"].value_counts()
    by_platform: dict[str, list[str]] = {}
    for testbed in sorted(counts.index, key=lambda name: (-counts[name], name)):
        by_platform.setdefault(platforms.get(testbed, testbed), []).append(testbed)
    left_out = sorted(name for names in by_platform.values() for name in names[1:])
    kept = runs[~runs["testbed"].isin(left_out)]
    if not left_out:
        return kept, []
    return kept, [f"Left out as another scaling of the same machine: {', '.join(left_out)}."]


def _penalty(
    testbeds: Sequence[_Testbed], treatments: Sequence[str], resamples: int
) -> tuple[Ratio, str]:
    """The greatest price of a platform's best treatment on another one, over all pairs, and where
    that is; how much it varies over blocks is what a ratio of two treatments does there."""
    logs = [each.logs(treatments) for each in testbeds]
    drawn = [each[intervals.resampled(len(each), resamples)].mean(axis=1) for each in logs]
    found = []
    sample = np.full(resamples, -np.inf)
    for a, b in itertools.permutations(range(len(testbeds)), 2):
        theirs, own = logs[a].mean(axis=0), logs[b].mean(axis=0)
        best, mine = int(np.argmin(theirs)), int(np.argmin(own))
        price = float(own[best] - own[mine])
        sample = np.maximum(sample, _price(drawn[a], drawn[b]))
        spread = _noise(logs[b], mine)
        where = f"{testbeds[a].name}'s best on {testbeds[b].name}"
        found.append((price, where, spread))
    price, where, spread = max(found, key=lambda one: one[0])
    blocks = min(map(len, logs))
    return Ratio.resampled(math.exp(price), np.exp(sample), blocks, spread), where


def _price(theirs: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(k,) for log energies (k, treatments): own ones at their best treatment − own least."""
    at_theirs = np.take_along_axis(own, np.argmin(theirs, axis=1)[:, None], 1)[:, 0]
    return at_theirs - own.min(axis=1)


def _noise(logs: np.ndarray, best: int) -> float:
    """In the middle of all treatments, each against the best; logs (blocks, treatments)."""
    finite = np.isfinite(logs).all(axis=0) & (np.arange(logs.shape[1]) != best)
    away = logs[:, finite] - logs[:, [best]]
    return float(np.median(np.std(away, axis=0, ddof=1))) if finite.any() else math.nan


def _best_words(
    testbeds: Sequence[_Testbed], order: Sequence[str], unit: str, resamples: int
) -> str:
    parts = []
    for each in testbeds:
        own = [name for name in order if name in each.here.levels]
        if not own:
            parts.append(f"{each.name}: none is feasible")
            continue
        logs = each.logs(own)
        best = int(np.argmin(logs.mean(axis=0)))
        drawn = logs[intervals.resampled(len(logs), resamples)].mean(axis=1)
        share = float((np.argmin(drawn, axis=1) == best).mean())
        said = with_unit(own[best], unit)
        parts.append(f"{each.name}: {said} (best in {share:.0%} of bootstrap samples)")
    return f"Best treatment: {'; '.join(parts)}."
