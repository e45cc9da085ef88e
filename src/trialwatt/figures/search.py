"""What a search strategy does to time, cost and energy (S-Sam, S-Pru, S-Phi, S-Dur)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from trialwatt.analysis.intervals import Summary
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.goal import goal_of
from trialwatt.figures.notes import note, room_in
from trialwatt.figures.panels import CENSORED, Panel, draw, legend_of, points, points_said, rows
from trialwatt.figures.style import footnote, heading, legend_entry, nothing, styled
from trialwatt.metrics.dictionary import shown_in

_TO_GOAL = "energy_to_goal_kwh"


@styled
def search(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Figure:
    """Panels of JCT, OC, job energy, and energy to the goal where there is one.

    A row per SUT and treatment: median of the completed runs, its bar, all repetitions. A run
    that did not reach the goal is right-censored: an open arrow at what it had spent by its end.
    """
    title = f"{experiment}: time, cost and energy"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    has_goal = quantity.column(runs, "goal_target").notna().any()
    found = rows(runs, treatments.axis(runs))
    spent, missed = quantity.column(runs, "job_energy_kwh"), _missed(runs)
    panels = []
    for column in shown_in("search"):
        name, to_goal = column.name, column.name == _TO_GOAL
        if to_goal and not has_goal:
            continue
        values = quantity.column(runs, name)
        scale = quantity.of_column(name, spent if to_goal else values, runs)
        values, late = values * scale.factor, missed & to_goal
        beyond = found.assign(late=(spent * scale.factor).where(late))
        frame = pd.concat([points(found, values, _middles(found, late, values)), beyond])
        label = f"{column.label}\n({quantity.head(name, scale, runs)})"
        panels.append(Panel(column.short, label, frame))
    handles = legend_of(runs, found["sut"])
    if has_goal and missed.any():
        handles.append(legend_entry("goal not reached", color="#444444", **CENSORED))
    figure = draw(found, panels, 1.75 + room_in(runs))
    heading(figure, title, handles, columns=7)
    footnote(figure, _note(runs, panels, has_goal) + absences(runs, unavailable))
    return figure


def _missed(runs: pd.DataFrame) -> pd.Series:
    """Runs that are right-censored: those that have a goal and did not reach it."""
    if "goal_censored" not in runs:
        return pd.Series(False, index=runs.index)
    censored = runs["goal_censored"].map(lambda value: value is True or value == True)  # noqa: E712
    return censored & runs["status"].isin(["completed", "deadline"])


def _middles(found: pd.DataFrame, missed: pd.Series, values: pd.Series) -> dict[float, Summary]:
    """Place of a row with censored runs → the median that allows for them.

    It is that of all, the censored ones counted as larger than any that reached the goal; where it
    would be among those it is not known, and none is drawn.
    """
    counted = values.mask(missed, math.inf)[missed | (found["status"] == "completed")].dropna()
    of_row = counted.groupby(found["place"]).agg(["median", "max", "size"])
    return {
        place: Summary(middle, middle, middle, "none", count)
        for place, middle, largest, count in of_row.itertuples()
        if largest == math.inf
    }


def _note(runs: pd.DataFrame, panels: Sequence[Panel], has_goal: bool) -> str:
    said = [points_said(panels)]
    budgets = quantity.column(runs, "budget")
    if budgets.notna().any():
        said.append(f"Budget: {quantity.spread(budgets)} trials.")
    if has_goal:
        target = quantity.spread(quantity.column(runs, "goal_target"))
        said.append(
            f"Goal tg: {goal_of(runs).at_least(target)}; a run that did not reach it counts as "
            "more than any that did, and a median that would be among those is not drawn."
        )
    return note(runs, " ".join(said) + "\n")
