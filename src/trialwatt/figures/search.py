"""What a search strategy does to time, cost and energy (S-Sam, S-Pru, S-Phi, S-Dur)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from trialwatt.analysis.intervals import Summary
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.notes import conditions
from trialwatt.figures.rows import Row, bars_said, canvas, dots, legend_of, medians, rows, small
from trialwatt.figures.style import (
    PAGE_IN,
    footnote,
    heading,
    nothing,
    styled,
)
from trialwatt.figures.suts import mark
from trialwatt.metrics.dictionary import shown_in

_TO_GOAL = "energy_to_goal_kwh"
CENSORED = {
    "marker": ">",
    "markersize": 3.2,
    "markerfacecolor": "none",
    "markeredgewidth": 0.6,
    "linestyle": "none",
}


@styled
def search(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Figure:
    """Panels of JCT, OC, job energy, and energy to the goal where there is one.

    A row per SUT and treatment: median of the completed runs, its bar, all repetitions. A run
    that did not reach the goal is right-censored: an open arrow at what it had spent by its end.
    """
    title = f"{experiment}, time, cost and energy"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    has_goal = quantity.column(runs, "goal_target").notna().any()
    panels = [one for one in shown_in("search") if has_goal or one.name != _TO_GOAL]
    found = rows(runs, treatments.axis(runs))
    figure, drawn = canvas(PAGE_IN, found, len(panels))
    summaries, censored = [], False
    for axes, column in zip(drawn, panels, strict=True):
        name = column.name
        values = quantity.column(runs, name)
        whole = quantity.column(runs, "job_energy_kwh")
        scale = quantity.of_column(name, whole if name == _TO_GOAL else values, runs)
        if name == _TO_GOAL:
            said = _to_goal(axes, found, runs, values * scale.factor, whole * scale.factor)
            summaries += said
            censored = _missed(runs).any()
        else:
            summaries += dots(axes, found, runs, values * scale.factor)
        axes.set_title(column.short)
        axes.set_xlabel(f"{column.label}\n({quantity.head(name, scale, runs)})")
        axes.set_xlim(left=0)
    handles = legend_of(runs, [row.sut for row in found])
    if censored:
        handles.append(Line2D([], [], color="#444444", label="goal not reached", **CENSORED))
    heading(figure, title, handles, columns=7)
    absent = absences(runs, unavailable)
    footnote(figure, _note(runs, summaries, has_goal) + absent)
    return figure


def _missed(runs: pd.DataFrame) -> pd.Series:
    """Runs that are right-censored: those that have a goal and did not reach it."""
    if "goal_censored" not in runs:
        return pd.Series(False, index=runs.index)
    censored = runs["goal_censored"].map(lambda value: value is True or value == True)  # noqa: E712
    return censored & runs["status"].isin(["completed", "deadline"])


def _to_goal(
    axes: Axes, found: list[Row], runs: pd.DataFrame, values: pd.Series, spent: pd.Series
) -> list:
    """Like the other panels where every run reached the goal; else medians that allow for it.

    With censored runs in the minority the median is that of all, the censored ones counted as
    larger than any that reached it; otherwise it is not known and none is drawn.
    """
    missed = _missed(runs)
    clean = [row for row in found if not missed[row.runs].any()]
    summaries = dots(axes, clean, runs, values)
    for row in found:
        if not missed[row.runs].any():
            continue
        done = row.runs[runs["status"][row.runs] == "completed"]
        late = row.runs[missed[row.runs]]
        reached = values[done].dropna().sort_values()
        below = {"markeredgecolor": mark(row.sut).colour, "zorder": 4}
        axes.plot(spent[late], [row.place + 0.24] * len(late), **CENSORED, **below)
        small(axes, row.sut, [(x, row.place) for x in reached], filled=True)
        count = len(reached) + len(late)
        middle = [(count - 1) // 2, count // 2]
        if middle[1] < len(reached):
            value = reached.iloc[middle].mean()
            medians(axes, row.sut, [(row.place, Summary(value, value, value, "none", count))])
    return summaries


def _note(runs: pd.DataFrame, summaries: list, has_goal: bool) -> str:
    bars = bars_said(summaries)
    said = [f"Large: median; small below it: every repetition{'; ' + bars if bars else ''}."]
    budgets = quantity.column(runs, "budget")
    if budgets.notna().any():
        said.append(f"Budget: {quantity.spread(budgets)} trials.")
    if has_goal:
        target = quantity.spread(quantity.column(runs, "goal_target"))
        said.append(
            f"Goal tg: score of {target}; a run that did not reach it counts as more than any "
            "that did, and a median that would be among those is not drawn."
        )
    return " ".join(said) + "\n" + conditions(runs)
