"""H1: does the platform change which scaling is best in energy? (docs/analysis.md, "H1")."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from trialwatt.analysis import intervals
from trialwatt.analysis.answers import TestResult, text
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
from trialwatt.analysis.evidence import NO_RUNS, Evidence, Outcome
from trialwatt.analysis.intervals import SEED
from trialwatt.analysis.permutation import Layout
from trialwatt.config.factors import FACTORS, RESOURCE, factor, families

ENERGY = "ept_kwh"
_COLUMNS = {
    *("experiment", "varied", "sut", "sampler", "testbed", "status"),
    *("treatment", "treatment_value", ENERGY),
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


def best_treatments(runs: pd.DataFrame, resamples: int = 4999) -> pd.DataFrame:
    """The treatment with the smallest median energy per completed trial, within a testbed.

    A row per experiment, SUT, testbed and sampler: `best`, its `median_kwh`, `low`, `high` (of
    the bootstrap), `n`, `best_share` (share of bootstrap samples in which it is best), and the
    treatment that is best the next most often with its share; `shares` has all of them.
    """
    rows = []
    for key, here in groups(runs, ["experiment", "sut", "testbed", "sampler"]):
        cells = _Cells(here, resamples)
        middle = cells.medians[0]
        if not np.isfinite(middle).any():
            continue
        wins = np.bincount(_argmin(cells.drawn[0]), minlength=len(middle)) / resamples
        best = int(_argmin(middle))
        order = [i for i in np.argsort(-wins, kind="stable") if i != best and wins[i] > 0]
        low, high = intervals.interval(cells.drawn[0][best])
        rows.append(
            key
            | {
                "best": cells.treatments[best],
                "median_kwh": middle[best],
                "low": low,
                "high": high,
                "interval": intervals.kind(cells.counts[0][best]),
                "n": cells.counts[0][best],
                "best_share": wins[best],
                "next": cells.treatments[order[0]] if order else "",
                "next_share": wins[order[0]] if order else 0.0,
                "shares": {t: float(w) for t, w in zip(cells.treatments, wins, strict=True)},
                "treatments": int(np.isfinite(middle).sum()),
                "infeasible": int(np.isinf(middle).sum()),
                "energy_method": "+".join(
                    sorted(set(here.get("energy_method", pd.Series(dtype=str)).dropna()))
                ),
            }
        )
    return pd.DataFrame(rows)


class _Cells:
    """Testbed × treatment: median energies, bootstrap medians, counts.

    medians (testbeds, treatments): infinite where all runs were infeasible or ended by the
    deadline (it cannot be best), NaN where nothing is known. drawn: (testbeds, treatments,
    resamples). runs counts all rows, counts those with an energy.
    """

    def __init__(self, runs: pd.DataFrame, resamples: int):
        energy, label = number(runs, ENERGY), treatment(runs)
        energy = energy.where((energy > 0) & np.isfinite(energy) & (runs["status"] == "completed"))
        self.testbeds = sorted(runs["testbed"].unique())
        firsts = runs.loc[label.drop_duplicates().index]
        self.treatments = in_order(firsts, list(label[firsts.index]))
        shape = (len(self.testbeds), len(self.treatments))
        self.medians = np.full(shape, np.nan)
        self.drawn = np.full((*shape, resamples), np.nan)
        self.counts = np.zeros(shape, int)
        self.runs = np.zeros(shape, int)
        self.values = {}
        rows = runs["testbed"].map({name: i for i, name in enumerate(self.testbeds)}).to_numpy()
        columns = label.map({name: i for i, name in enumerate(self.treatments)}).to_numpy()
        status, energies = runs["status"].to_numpy(), energy.to_numpy()
        for place in np.ndindex(shape):
            here = (rows == place[0]) & (columns == place[1])
            values = energies[here]
            values = values[~np.isnan(values)]
            self.runs[place], self.counts[place] = here.sum(), len(values)
            if len(values):
                self.values[place] = values
                self.medians[place] = np.median(values)
            elif here.any() and np.isin(status[here], ["infeasible", "deadline"]).all():
                self.medians[place], self.drawn[place] = np.inf, np.inf
        places = list(self.values)
        known = [self.values[place] for place in places]
        drawn = intervals.medians(known, [np.zeros(len(v), bool) for v in known], resamples)
        for place, row in zip(places, drawn, strict=True):
            self.drawn[place] = row


def _scope(
    scope: str, runs: pd.DataFrame, platforms: Mapping[str, str], resamples: int
) -> Evidence:
    runs, holes = without_holes(runs)
    if runs.empty:
        return Evidence(scope, (Outcome("testbed × treatment", undecided=NO_RUNS),), 0)
    runs, remarks = _one_testbed_each(runs, platforms)
    remarks += holes
    cells = _Cells(runs, resamples)
    # A treatment that cannot work need not be tried five times.
    repetitions = int(cells.runs[cells.counts > 0].min(initial=cells.runs.max()))
    lost = int(((runs["status"] == "completed") & number(runs, ENERGY).isna()).sum())
    if lost:
        remarks.append(f"{lost} completed runs have no energy.")
    bests = _best_words(cells, unit(runs))

    def blocked(why: str) -> Evidence:
        outcome = Outcome("testbed × treatment", undecided=why, words=bests)
        return Evidence(scope, (outcome,), repetitions, remarks=tuple(remarks))

    if len(cells.testbeds) < 2:
        return blocked("one platform")
    places = list(cells.values)
    if not places:
        return blocked("no run has an energy")
    y = np.log(np.concatenate([cells.values[place] for place in places]))
    sizes = [len(cells.values[place]) for place in places]
    repeated: np.ndarray = np.repeat(np.array(places), sizes, axis=0)
    rows = np.unique(repeated[:, 0], return_inverse=True)[1]
    columns = np.unique(repeated[:, 1], return_inverse=True)[1]
    layout = Layout(rows, columns)
    if layout.df < 1:
        return blocked("fewer than two treatments were measured on two platforms")
    if layout.residual_df < 1:
        return blocked("one repetition, so that noise is not known")

    tested = layout.interaction(y - y.mean(), resamples)
    omega = float(layout.omega_squared(np.array([tested.statistic]))[0])
    low, high = intervals.interval(layout.omega_squared(layout.f(_resampled(y, layout, resamples))))
    fewest = min(len(values) for values in cells.values.values())
    test = TestResult(
        f"{scope}: interaction testbed × treatment on log energy per completed trial",
        tested.statistic,
        tested.p,
        math.nan,
        omega,
        low,
        high,
        len(y),
        "partial ω²",
        intervals.kind(fewest),
    )
    penalty, drawn, pair = _penalty(cells)
    low, high = intervals.interval(drawn)
    extra = TestResult(
        f"{scope}: energy with another platform's best treatment ÷ with one's own",
        math.nan,
        math.nan,
        math.nan,
        penalty,
        low,
        high,
        len(y),
        "ratio",
        intervals.kind(fewest),
    )
    if math.isnan(penalty):
        return blocked("no two platforms have measured the same two treatments")
    words = (
        f"{bests} Taking the other platform's best costs {text(penalty)} times the energy "
        f"({text(low)}–{text(high)}) where it matters most ({pair})."
    )
    outcome = Outcome(
        "testbed × treatment", "", test, penalty, low, high, words=words, more=(extra,)
    )
    return Evidence(scope, (outcome,), repetitions, remarks=tuple(remarks))


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


def _resampled(y: np.ndarray, layout: Layout, resamples: int) -> np.ndarray:
    """(resamples, n) y drawn anew within each cell."""
    rng = np.random.default_rng(SEED)
    drawn = np.empty((resamples, len(y)))
    for cell in np.unique(layout.cells):
        at = np.flatnonzero(layout.cells == cell)
        drawn[:, at] = np.sort(y[at])[rng.integers(len(at), size=(resamples, len(at)))]
    return drawn - y.mean()


def _penalty(cells: _Cells) -> tuple[float, np.ndarray, str]:
    """The greatest price of a platform's best treatment on another one, over all pairs.

    Only treatments that both have tried count: sweeps stop at different places. Returns the
    ratio, its bootstrap sample, and where it is greatest.
    """
    greatest, sample, where = math.nan, np.full(cells.drawn.shape[-1], np.nan), ""
    for a, b in itertools.permutations(range(len(cells.testbeds)), 2):
        both = ~np.isnan(cells.medians[[a, b]]).any(axis=0)
        if both.sum() < 2 or not np.isfinite(cells.medians[[a, b]][:, both]).any(axis=1).all():
            continue
        point = _price(cells.medians[a, both][:, None], cells.medians[b, both][:, None])[0]
        sample = np.fmax(sample, _price(cells.drawn[a, both], cells.drawn[b, both]))
        if not point <= greatest:
            greatest = float(point)
            where = f"{cells.testbeds[a]}'s best on {cells.testbeds[b]}"
    return greatest, sample, where


def _price(theirs: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(k,) for energies (treatments, k): own energy at their best treatment ÷ own least energy."""
    at_theirs = np.take_along_axis(own, _argmin(theirs)[None], 0)[0]
    return at_theirs / own.min(axis=0)


def _argmin(energies: np.ndarray) -> np.ndarray:
    return np.argmin(np.where(np.isnan(energies), np.inf, energies), axis=0)


def _best_words(cells: _Cells, unit: str) -> str:
    parts = []
    for name, middle, drawn in zip(cells.testbeds, cells.medians, cells.drawn, strict=True):
        if not np.isfinite(middle).any():
            parts.append(f"{name}: none is feasible")
            continue
        best = int(_argmin(middle))
        share = float((_argmin(drawn) == best).mean())
        said = with_unit(cells.treatments[best], unit)
        parts.append(f"{name}: {said} (best in {share:.0%} of bootstrap samples)")
    return f"Best treatment: {'; '.join(parts)}."
