"""What `trialwatt estimate` says of searches on a trial table."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import typer

from trialwatt.replay.estimate import (
    Effort,
    Estimate,
    Estimates,
    Ratio,
    each_wanted,
    estimates,
    ratio,
)
from trialwatt.replay.laws import laws_of
from trialwatt.replay.run import Wanted
from trialwatt.replay.strategies import Choice
from trialwatt.replay.table import TrialTable, load

ENDS = (0.05, 0.5, 0.95)
H_PER_MS = 1 / 3.6e6
_Columns = dict[str, Callable[[pd.DataFrame], "pd.Series[float]"]]


def _columns(currency: str, energy: str, time_ms: str, cost: str) -> _Columns:
    """Heading → its value of each search."""
    return {
        "kWh": lambda rows: rows[energy],
        "gCO2eq": lambda rows: rows[energy] * rows["carbon_g"] / rows["job_energy_kwh"],
        currency: lambda rows: rows[cost],
        "hours": lambda rows: rows[time_ms] * H_PER_MS,
    }


def table_estimate(
    file: Path,
    base: Wanted,
    chosen: Sequence[Choice],
    costs: Path | None,
    flagged: bool,
    effort: Effort,
) -> str:
    """What a search by each of these strategies will take, and which needs least to the goal."""
    table = load(file)
    table.check(flagged=flagged)
    laws, notes = None, list[str]()
    wanted = each_wanted(base, chosen)
    if costs is not None:
        prunes = any(one.strategy.prunes for _, one in wanted)
        laws, notes = laws_of(costs, table.facts, table.workload, base.workers, prunes=prunes)
    found = estimates(table, wanted, laws, effort, _Progress())
    return "\n".join([*told(found, table), *(f"note: {note}" for note in notes)])


def told(found: Estimates, table: TrialTable) -> list[str]:
    """The table of the strategies, the least energy to the goal first, and what it says."""
    first = found.found[0].replay
    facts, currency = table.facts, table.facts.context.currency
    goal, target = first.config.workload.goal, first.scoring.target
    has_goal = not math.isnan(target)
    ratios = [ratio(one, found.found[0]) for one in found.found]
    lines = [
        f"estimated by replay, of {len(table.phis)} φ × {len(table.seeds)} seeds measured on "
        f"{table.config.testbed_name}; workers: {first.costs.workers}; energy {facts.methods}",
    ]
    if has_goal:
        lines += [
            f"until {goal.score} is {target:.4g}: median (90 % of the searches)",
            *_table(found.found, ratios, _to_goal(currency)),
        ]
    lines += [
        "whole search: median (90 % of the searches)",
        *_table(found.found, None if has_goal else ratios, _whole(currency)),
        *_verdict(found.found, ratios, has_goal),
    ]
    few = [one for one in found.found if len(one.searches) < _most(found.found)]
    if few:
        lines.append(
            "fewer searches, for they take long to replay: "
            + ", ".join(f"{one.choice} ({len(one.searches)})" for one in few)
        )
    bare = [str(one.choice) for one in found.found if not one.replay.costs.framework_known]
    if bare:
        lines.append(f"what the framework itself takes is not counted (--cost): {', '.join(bare)}")
    if any(one.flags for one in facts.sources):
        lines.append("the table is made of flagged runs")
    lines += [f"not estimated: {choice}: {why}" for choice, why in found.left_out.items()]
    return lines


def _most(found: Sequence[Estimate]) -> int:
    return max(len(one.searches) for one in found)


def _to_goal(currency: str) -> _Columns:
    return _columns(currency, "energy_to_goal_kwh", "time_to_goal_ms", "cost_to_goal")


def _whole(currency: str) -> _Columns:
    return _columns(currency, "job_energy_kwh", "jct_ms", "oc")


def _table(
    found: Sequence[Estimate], ratios: Sequence[Ratio] | None, columns: _Columns
) -> list[str]:
    head = ["strategy", "searches", *columns]
    if ratios is not None:
        head[2:2] = ["reached", "÷ least (95 %)"]
    rows = [head]
    for place, one in enumerate(found):
        row = [str(one.choice), str(len(one.searches))]
        if ratios is not None:
            row.append(f"{one.searches['goal_reached'].mean():.0%}")
            row.append("1" if not place else said(ratios[place]))
        rows.append(row + [_spread(own(one.searches)) for own in columns.values()])
    return in_columns(rows)


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def said(found: Ratio) -> str:
    """`1.24 (1.1–1.4)`"""
    return f"{number(found.value, 3)} ({number(found.low, 3)}–{number(found.high, 3)})"


def _spread(values: pd.Series[float]) -> str:
    """`median (low–high)`; a search that missed the goal is infinitely far from it."""
    known = values.to_numpy(float, na_value=math.nan)
    known = np.where(np.isnan(known), math.inf, known)
    # of the searches themselves: between a number and infinity there is nothing
    low, middle, high = np.quantile(known, ENDS, method="inverted_cdf")
    return f"{number(middle)} ({number(low)}–{number(high)})"


def number(value: float, digits: int = 3) -> str:
    """So many digits of it, or ∞."""
    return f"{value:.{digits}g}" if math.isfinite(value) else "∞"


def _verdict(found: Sequence[Estimate], ratios: Sequence[Ratio], has_goal: bool) -> list[str]:
    least = found[0]
    what = "energy for each goal reached" if has_goal else "energy of a whole search"
    if has_goal and math.isinf(least.per_goal_kwh):
        return ["no search of any strategy reached the goal: none needs least"]
    lines = [f"least {what}: {least.choice}, {number(least.per_goal_kwh)} kWh"]
    if len(found) < 2:
        return lines
    second, far = found[1], ratios[1]
    compared = f"{said(far)} times as much, in {far.searches} searches paired by measured seed"
    if least.choice.sut != second.choice.sut:
        compared += "; how badly the frameworks' cost is known is not in this interval"
    if far.is_told_apart:
        return [*lines, f"told apart from the second, {second.choice}: that takes {compared}"]
    alike = [
        str(one.choice)
        for one, its in zip(found[1:], ratios[1:], strict=True)
        if not its.is_told_apart
    ]
    return [
        *lines,
        f"not told apart from the second, {second.choice}: that takes {compared}",
        f"not told apart from the least: {', '.join(alike)}",
    ]


class _Progress:
    """Says which strategy is searched, and how long the others may take."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def __call__(self, place: int, of: int, choice: Choice, searches: int) -> None:
        lasted, done = time.monotonic() - self._begun, place - 1
        left = f", about {lasted / done * (of - done):.0f} s left" if done else ""
        typer.echo(f"{place} of {of}: {choice}, {searches} searches{left}", err=True)
