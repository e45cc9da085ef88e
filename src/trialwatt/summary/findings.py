"""What an experiment shows, in sentences that are computed from its table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from trialwatt.analysis.columns import varied
from trialwatt.analysis.convergence import REPETITIONS
from trialwatt.analysis.correlations import rank_correlations
from trialwatt.analysis.paired import fewest_blocks
from trialwatt.config.factors import tells_cost
from trialwatt.figures import quantity, treatments
from trialwatt.figures.groups import groups
from trialwatt.figures.notes import caveat
from trialwatt.figures.overhead import against_control
from trialwatt.metrics.dictionary import metric
from trialwatt.records.outcome import COMPLETED, FAILED

_LEAST = 1.0
"""Percentage points below which two medians are called equal in words."""
_MOST_PAIRS = 3

_CLEAR = {True: "overlaps", False: "is clear of"}
"""What is said of two spreads; of those that leave it open, _OPEN."""
_OPEN = "is not known to be clear of"


def findings(
    runs: pd.DataFrame, table: pd.DataFrame, best: pd.DataFrame, frameworks: bool = False
) -> list[str]:
    """Items, "who: what" each: the least energy, what it means for time and waste, and what goes
    with what.

    table, best: of figures.tables.results_table and figures.best.best_table. frameworks: whether
    to compare each with the control, which every experiment could, since each contains the
    baseline. Medians throughout; no sentence claims a difference to be more than what these runs
    show. Of fewer than REPETITIONS blocks there is none, for summary.lead says so.
    """
    if not compares(runs):
        return []
    alike = "budget" not in runs or runs["budget"].nunique() <= 1
    said = [_best(row, table, alike) for row in best.to_dict("records") if row.get("n")]
    if any(table.get("wte_kwh_median", pd.Series(dtype=float)) > 0):
        said += _waste(runs)
    said += _framework(runs) if frameworks else []
    said += _correlated(runs)
    ended = _ended(table)
    return [*said, *([ended] if ended else [])]


def compares(runs: pd.DataFrame) -> bool:
    """Whether these runs are of as many blocks as a sentence of comparison needs."""
    return len(runs) > 0 and fewest_blocks(runs) >= REPETITIONS


def _best(row: Mapping[str, Any], table: pd.DataFrame, alike: bool) -> str:
    """alike: whether all jobs have as many trials, so that their times compare."""
    name, value = metric(row["measure"]).title, energy_said(row)
    who, count = who_of(row, table), f"n = {int(row['n'])}"
    if row["treatments"] < 2:
        return f"{who}: {name} is {value}, {count}, under {named(row['best_treatment'])}."
    said = f"{who}: {name} is least under {named(row['best_treatment'])}: {value}, {count}"
    saved = 100 * row["saved_share"]
    if row["median_kwh"] == row["baseline_median_kwh"]:
        said += ", which is the baseline"
    elif saved >= _LEAST:
        said += f", {quantity.number(saved)} % less than under the baseline"
    elif not math.isnan(saved):
        said += ", about as under the baseline"
    said += _time(row, table) if alike else ""
    if isinstance(row.get("second_treatment"), str):
        said += (
            f"; its spread {_CLEAR.get(row['overlaps'], _OPEN)} that of the second best, "
            f"{named(row['second_treatment'])}"
        )
    return f"{said}."


def energy_said(row: Mapping[str, Any]) -> str:
    """The least energy of a row of the table of best treatments, with its unit."""
    scale = quantity.energy([row["median_kwh"]])
    modelled = " (modelled)" if quantity.is_modelled([row["energy_method"]]) else ""
    return f"{quantity.number(row['median_kwh'] * scale.factor)} {scale.unit}{modelled}"


def named(treatment: object) -> str:
    """A treatment in a sentence: a bare number would be taken for a value."""
    bare = str(treatment).replace(".", "").isdigit()
    return f"treatment {treatment}" if bare else str(treatment)


def who_of(row: Mapping[str, Any], table: pd.DataFrame) -> str:
    """Its SUT, with sampler and testbed where the table has several."""
    own = table[(table["sut"] == row["sut"]) & (table["runs"] > 0)]
    several = own["sampler"].nunique() > 1 and row.get("sampler")
    place = table.loc[table["runs"] > 0, "testbed"].nunique() > 1
    sampler = f" ({row['sampler']})" if several else ""
    testbed = f" on {row['testbed']}" if place else ""
    return f"{row['sut']}{sampler}{testbed}"


def _time(row: Mapping[str, Any], table: pd.DataFrame) -> str:
    """The shortest job beside it, where another treatment has it."""
    own = table[
        (table["sut"] == row["sut"])
        & (table["testbed"] == row["testbed"])
        & ((table["sampler"] == row["sampler"]) | (not row["sampler"]))
    ]
    own = own[own["jct_ms_median"].notna()]
    here = own[own["treatment"] == row["best_treatment"]]
    if len(own) < 2 or here.empty:
        return ""
    first = own.loc[own["jct_ms_median"].idxmin()]
    scale = quantity.duration([here["jct_ms_median"].iloc[0]])
    mine, least = (
        quantity.number(value * scale.factor)
        for value in (here["jct_ms_median"].iloc[0], first["jct_ms_median"])
    )
    if first["treatment"] == row["best_treatment"]:
        return f"; it is also the fastest (JCT {mine} {scale.unit})"
    return f"; the fastest is {named(first['treatment'])} (JCT {least} {scale.unit}, here {mine})"


def nothing_compared(blocks: int) -> str:
    """Why so few blocks carry no comparison, without a full stop."""
    return f"Nothing is compared: there are {blocks} of the {REPETITIONS} blocks that it takes"


def _waste(runs: pd.DataFrame) -> list[str]:
    """Per SUT, sampler and testbed where the largest share of job energy is wasted.

    Told apart as in the figures: the median of two samplers would be that of neither.
    """
    if "wte_share" not in runs:
        return []
    done = runs[runs["status"] == "completed"].copy()
    done["_key"] = treatments.key(done)
    axis = treatments.axis(runs)
    said = []
    for group in groups(done):
        shares = group.runs.groupby("_key")["wte_share"].median().dropna()
        if shares.empty or shares.max() <= 0:
            continue
        most, none = shares.idxmax(), int((shares == 0).sum())
        sentence = (
            f"{group.name}: the wasted share of job energy is largest under "
            f"{named(axis.names.get(most, most))} ({quantity.number(100 * shares[most])} %)"
        )
        if none > 1:
            sentence += f", and 0 under {none} of {len(shares)} treatments"
        elif len(shares) > 1:
            least = shares.idxmin()
            sentence += (
                f" and smallest under {named(axis.names.get(least, least))} "
                f"({quantity.number(100 * shares[least])} %)"
            )
        said.append(f"{sentence}.")
    return said


def ratios(runs: pd.DataFrame) -> list[tuple[str, str, float, float]]:
    """SUT, sampler, energy and time of a job under the baseline ÷ the control's with the same
    sampler: medians of the ratios of each block, as figures.overhead shows them.

    None of an experiment that tells what frameworks cost as a law: its jobs are short on purpose.
    """
    if runs.empty or tells_cost(varied(runs)):
        return []
    done = runs[(runs["status"] == COMPLETED) & runs["is_baseline"].fillna(False).astype(bool)]
    each = [against_control(done, name) for name in ("job_energy_kwh", "jct_ms")]
    found = pd.concat(each, axis=1, keys=["energy", "time"]).dropna()
    who = done.loc[found.index, ["sut", "sampler"]]
    medians = found.groupby([who["sut"], who["sampler"]]).median()
    return [(sut, sampler, *row) for (sut, sampler), *row in medians.itertuples()]


def headline(runs: pd.DataFrame) -> str:
    """What the frameworks themselves cost, one sentence; empty where there is no control."""
    found = ratios(runs)
    if not found or not compares(runs):
        return ""
    energies = listed([quantity.number(energy) for _, _, energy, _ in found])
    before = f"{caveat(runs)} " if caveat(runs) else ""
    return (
        f"{before}Under the baseline a job of {listed([sut for sut, *_ in found])} needs "
        f"{energies} times the energy ({quantity.methods(runs['energy_method'])}) of one without "
        "a framework that has the same sampler."
    )


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _framework(runs: pd.DataFrame) -> list[str]:
    return [
        f"{sut}: under the baseline ({sampler}) it needs {quantity.number(energy)} times the "
        f"energy and {quantity.number(time)} times the time of the framework-free control."
        for sut, sampler, energy, time in ratios(runs)
    ]


def _correlated(runs: pd.DataFrame) -> list[str]:
    """The settings that go with an impact: pairs that no power model makes, and whose correlation
    holds after correction for all pairs; the strongest of each SUT and testbed."""
    pairs = rank_correlations(runs)
    settings = (pairs["x_group"] == "configuration") & (pairs["y_group"] == "impact")
    held = pairs[settings & pairs["significant"]]
    held = held.assign(size=held["rho"].abs()).sort_values("size", ascending=False, kind="stable")
    said = []
    several = runs["testbed"].nunique() > 1
    for (sut, testbed), own in held.groupby(["sut", "testbed"]):
        told = [
            f"{metric(x).title} and {metric(y).title} (ρ = {rho:.2f}, n = {int(n)})"
            for x, y, rho, n in own[["x", "y", "rho", "n"]].head(_MOST_PAIRS).values
        ]
        who = f"{sut} on {testbed}" if several else sut
        said.append(f"{who}: over its configurations these go together: {listed(told)}.")
    return said


def _ended(table: pd.DataFrame) -> str:
    words = {"infeasible": "infeasible", "deadline": "ended by the deadline", FAILED: "failed"}
    said = [f"{int(table[name].sum())} {word}" for name, word in words.items() if table[name].sum()]
    return f"Of the runs {', '.join(said)}." if said else ""
