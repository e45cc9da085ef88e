"""The first sentence of an experiment's section: its question answered, or what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from trialwatt.analysis.columns import varied
from trialwatt.analysis.convergence import COVERAGE, REPETITIONS
from trialwatt.analysis.paired import fewest_blocks
from trialwatt.config.factors import tells_cost
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import grouped, no_runs
from trialwatt.figures.notes import caveat, count_flagged, why_flagged
from trialwatt.metrics.dictionary import metric
from trialwatt.records.outcome import COMPLETED
from trialwatt.summary.costs import answer
from trialwatt.summary.findings import energy_said, listed, named, nothing_compared, ratios, who_of

_UNKNOWN = {"not converged": "not reached", "infeasible": "not there"}
"""How the state of a sweep is called in a sentence about its knee."""


def lead(
    runs: pd.DataFrame,
    table: pd.DataFrame,
    best: pd.DataFrame,
    ends: Sequence[Mapping[str, Any]],
    unavailable: Sequence[Mapping[str, Any]],
) -> str:
    """It begins with the flagged runs, if any, and compares nothing of fewer than five blocks.

    runs: the runs table; table, best: of figures.tables.results_table and figures.best.best_table;
    ends, unavailable: as in metrics.experiment_notes.
    """
    if runs.empty:
        return _sentence(no_runs(unavailable))
    flagged = [caveat(runs)] if caveat(runs) else []
    if flagged and count_flagged(runs) == len(runs):
        flagged.append(f"All are, for: {why_flagged(runs)}.")
    return " ".join([*flagged, _answer(runs, table, best, ends, unavailable)])


def _answer(
    runs: pd.DataFrame,
    table: pd.DataFrame,
    best: pd.DataFrame,
    ends: Sequence[Mapping[str, Any]],
    unavailable: Sequence[Mapping[str, Any]],
) -> str:
    done = runs[runs["status"] == COMPLETED]
    if done.empty:
        return "Nothing is known: no run of this experiment was completed."
    keys = varied(runs)
    if keys and treatments.key(done).nunique() < 2:
        only = named(treatments.axis(done).names[treatments.key(done).iloc[0]])
        lacking = ", ".join(name for each in grouped(unavailable) for name in each.treatments)
        more = f" (not available: {lacking})" if lacking else ""
        return f"Nothing is compared: all completed runs are under one treatment, {only}{more}."
    blocks = fewest_blocks(runs)
    if blocks < REPETITIONS:
        return f"{nothing_compared(blocks)} (on {_testbeds(done)})."
    if tells_cost(keys):
        return f"With {blocks} blocks on {_testbeds(done)}, {answer(done)}."
    told = best[best["n"] > 0].to_dict("records")
    found = [*_knees(ends, done), *(_least(told, table) if keys else _costs(told, table, done))]
    return f"With {blocks} blocks on {_testbeds(done)}, {'; '.join(found)}."


def _knees(ends: Sequence[Mapping[str, Any]], runs: pd.DataFrame) -> list[str]:
    """Where each sweep has its knee, or why that is not known."""
    names = treatments.axis(runs).names
    several = [key for key in ("sampler", "testbed") if len({end[key] for end in ends}) > 1]
    said = []
    for end in ends:
        more = "; ".join(end[key] for key in several)
        who = f"{end['sut']} ({more})" if more else end["sut"]
        value, low, high = (end.get(name) for name in ("converged_value", "low", "high"))
        if value is None:
            why = f": {end['reason']}" if end.get("reason") else ""
            said.append(f"the knee of {who} is {_UNKNOWN.get(end['state'], end['state'])}{why}")
            continue
        between = ""
        if low is not None and not end.get("demonstration"):
            between = f" ({100 * COVERAGE:.0f} % interval {low:g} to {high:g})"
        said.append(f"the knee of {who} is at {names.get(value, f'{value:g}')}{between}")
    return said


def _least(told: Sequence[Mapping[str, Any]], table: pd.DataFrame) -> list[str]:
    """Under which treatment each SUT needs the least, of those that ran several."""
    several = [row for row in told if row["treatments"] > 1]
    if not several:
        return ["no system under test completed more than one treatment"]
    first, *others = [
        f"for {who_of(row, table)} under {named(row['best_treatment'])}, at {energy_said(row)}"
        f"{_second(row)}"
        for row in several
    ]
    return [f"{metric(several[0]['measure']).title} is least {first}", *others]


def _second(row: Mapping[str, Any]) -> str:
    """What the least cannot be told from: its spread overlaps, or jobs that missed the goal leave
    it open."""
    second, overlaps = row["second_treatment"], row["overlaps"]
    if not isinstance(second, str) or overlaps is False:
        return ""
    how = "not clear of" if overlaps is True else "not known to be clear of"
    return f", {how} {named(second)}"


def _costs(told: Sequence[Mapping[str, Any]], table: pd.DataFrame, done: pd.DataFrame) -> list[str]:
    """What each SUT needs, and how many times what a job without a framework needs."""
    said = []
    if told:
        each = [f"{energy_said(row)} for {who_of(row, table)}" for row in told]
        said.append(f"{metric(told[0]['measure']).title} is {listed(each)}")
    said += [
        f"a job of {sut} ({sampler}) needs {quantity.number(energy)} times the energy of one "
        "without a framework that has the same sampler"
        for sut, sampler, energy, _ in ratios(done)
    ]
    return said or ["no energy is on record"]


def _testbeds(runs: pd.DataFrame) -> str:
    return listed(sorted(runs["testbed"].astype(str).unique()))


def _sentence(words: str) -> str:
    """As a sentence of its own."""
    return f"{words[:1].upper()}{words[1:]}"
