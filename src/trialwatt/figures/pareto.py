"""Score against energy: which runs and trials are beaten by no other in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.groups import groups
from trialwatt.figures.notes import conditions
from trialwatt.figures.style import (
    MUTED,
    PAGE_IN,
    blank,
    footnote,
    heading,
    nothing,
    styled,
)
from trialwatt.figures.suts import in_order, mark

_RASTER_FROM = 2000
_LOG_FROM = 16
_MOST_NAMES = 8


@styled
def pareto(
    runs: pd.DataFrame,
    trials: pd.DataFrame,
    experiment: str,
    unavailable: Sequence[Mapping] = (),
) -> Figure:
    """Left: a point per run, job energy against best score; right: the same of each trial.

    The front is the points that no other beats in both; of runs the line is that of all SUTs, of
    trials there is one per SUT. Runs ended by their deadline are hollow.
    """
    title = f"{experiment}, score against energy"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    absent = absences(runs, unavailable)
    shown = runs[runs["status"].isin(["completed", "deadline"])]
    energy, score = (quantity.column(shown, n) for n in ("job_energy_kwh", "best_score"))
    if not (energy.notna() & score.notna()).any():
        return nothing(title, f"no run has both an energy and a score on record. {absent}")
    figure = blank(PAGE_IN, 3.9)
    left, right = figure.subplots(1, 2)
    scale = quantity.energy(energy)
    for group in groups(shown):
        members = group.runs.index
        for status, filled in (("completed", True), ("deadline", False)):
            these = members[shown["status"][members] == status]
            _points(left, energy[these] * scale.factor, score[these], group.sut, 4, filled)
    best = front(energy, score)
    _line(left, energy[best] * scale.factor, score[best], "black")
    left.set_title(f"runs (n = {int((energy.notna() & score.notna()).sum())})")
    left.set_ylabel("best validation score")
    left.set_xlabel(f"energy per job ({quantity.head('job_energy_kwh', scale, shown)})")

    mine = trials[trials["folder"].isin(shown["folder"])] if len(trials) else trials
    if len(mine):
        cost, value = (quantity.column(mine, n) for n in ("energy_kwh", "score"))
        scale = quantity.energy(cost)
        for sut in in_order(mine["sut"]):
            these = mine.index[(mine["sut"] == sut) & cost.notna() & value.notna()]
            _points(right, cost[these] * scale.factor, value[these], sut, 2.2, True, len(mine))
        for sut in in_order(mine["sut"]):
            these = mine.index[mine["sut"] == sut]
            best_trials = front(cost[these], value[these])
            _line(right, cost[best_trials] * scale.factor, value[best_trials], mark(sut).colour)
        right.set_xlabel(f"energy per trial ({quantity.head('job_energy_kwh', scale, shown)})")
    right.set_title(f"trials (n = {len(mine)})")
    right.set_ylabel("validation score")
    for axes, values in ((left, energy), (right, quantity.column(mine, "energy_kwh"))):
        known = values[values > 0]
        if len(known) and known.max() / known.min() >= _LOG_FROM:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_xlim(left=0)
    heading(figure, title, _handles(shown), columns=7)
    footnote(figure, f"{_winners(shown, best)}\n{conditions(shown)}{absent}")
    return figure


def front(energy: pd.Series, score: pd.Series) -> pd.Index:
    """Those that none other beats with less (or as much) energy and a higher score, by energy.

    Of several with the same energy and score the first is kept; missing values are not counted.
    """
    table = pd.DataFrame({"energy": energy, "score": score}).dropna()
    table = table.sort_values(["energy", "score"], ascending=[True, False], kind="stable")
    before = table["score"].cummax().shift(fill_value=-np.inf)
    return table.index[table["score"] > before]


def _points(
    axes: Axes, x: pd.Series, y: pd.Series, sut: str, size: float, filled: bool, many: int = 0
) -> None:
    colour, marker = mark(sut)
    axes.plot(
        x,
        y,
        linestyle="none",
        marker=marker,
        markersize=size,
        markerfacecolor=colour if filled else "none",
        markeredgecolor=colour,
        markeredgewidth=0.4,
        alpha=(0.65 if size > 3 else 0.3) if filled else 1,
        rasterized=many > _RASTER_FROM,
    )


def _line(axes: Axes, x: pd.Series, y: pd.Series, colour: str) -> None:
    alone = {"marker": "o", "markersize": 7, "markerfacecolor": "none"} if len(x) == 1 else {}
    axes.plot(x, y, color=colour, linewidth=1, drawstyle="steps-post", zorder=5, **alone)


def _handles(runs: pd.DataFrame) -> list[Line2D]:
    handles = [
        Line2D([], [], color=mark(sut).colour, marker=mark(sut).marker, linestyle="none", label=sut)
        for sut in in_order(runs["sut"])
    ]
    handles.append(Line2D([], [], color="black", linewidth=1, label="front of all runs"))
    if (runs["status"] == "deadline").any():
        hollow = {"marker": "o", "markerfacecolor": "none", "markersize": 3}
        handles.append(
            Line2D([], [], color=MUTED, linestyle="none", label="ended by deadline", **hollow)
        )
    return handles


def _winners(runs: pd.DataFrame, best: pd.Index) -> str:
    """Who stands on the front of runs, by energy."""
    axis, keys = treatments.axis(runs), treatments.key(runs)
    names = {
        index: f"{group.name}, {axis.names[keys[index]]}"
        for group in groups(runs)
        for index in group.runs.index
    }
    order = list(dict.fromkeys(names[index] for index in best))
    more = f" and {len(order) - _MOST_NAMES} more" if len(order) > _MOST_NAMES else ""
    return (
        f"On the front of runs, by energy: {'; '.join(order[:_MOST_NAMES])}{more}. Coloured lines: "
        "the front of each SUT's trials. Score: validation split."
    )
