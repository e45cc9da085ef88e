"""Score against energy: which runs and trials are beaten by no other in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn.objects as so
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.groups import groups
from trialwatt.figures.notes import conditions
from trialwatt.figures.panels import legend_of
from trialwatt.figures.style import (
    PAGE_IN,
    STEPWISE,
    blank,
    footnote,
    heading,
    legend_entry,
    nothing,
    plot,
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
    title = f"{experiment}: score against energy"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    absent = absences(runs, unavailable)
    shown = runs[runs["status"].isin(["completed", "deadline"])]
    energy, score = (quantity.column(shown, n) for n in ("job_energy_kwh", "best_score"))
    if not (energy.notna() & score.notna()).any():
        return nothing(title, f"no run has both an energy and a score on record. {absent}")
    mine = trials[trials["folder"].isin(shown["folder"])] if len(trials) else shown.iloc[:0]
    cost, value = (quantity.column(mine, n) for n in ("energy_kwh", "score"))
    best = front(energy, score)
    every = _points(shown, energy, score, pointsize=4, alpha=0.65)
    each = _points(mine, cost, value, pointsize=2.2, alpha=0.3)
    fronts = [every.loc[best].assign(colour="black")]
    fronts += [
        each.loc[front(of_sut["energy"], of_sut["score"])] for _, of_sut in each.groupby("sut")
    ]
    titles = (f"runs (n = {len(every)})", f"trials (n = {len(mine)})")
    figure = blank(PAGE_IN, 3.9)
    _draw(figure, every, each, fronts, titles)
    for axes, values, what, of in zip(
        figure.axes, (energy, cost), ("job", "trial"), ("best ", ""), strict=True
    ):
        unit = quantity.head("job_energy_kwh", quantity.energy(values), shown)
        axes.set(xlabel=f"energy per {what} ({unit})", ylabel=f"{of}validation score")
        axes.yaxis.label.set_visible(True)
        _spread(axes, values)
    handles = legend_of(shown, in_order(shown["sut"]))
    handles.append(legend_entry("front of all runs", color="black", linestyle="-", linewidth=1))
    heading(figure, title, handles, columns=7)
    footnote(figure, f"{_winners(shown, best)}\n{conditions(shown)}{absent}")
    return figure


def _points(table: pd.DataFrame, energy: pd.Series, score: pd.Series, **look) -> pd.DataFrame:
    """A line per run or trial that has both: energy (scaled), score, and how it looks."""
    frame = pd.DataFrame({"energy": energy * quantity.energy(energy).factor, "score": score})
    sut = table["sut"].astype(str)
    colour = sut.map(lambda name: mark(name).colour)
    completed = table["status"] != "deadline" if "status" in table else True
    frame = frame.assign(sut=sut, colour=colour, completed=completed, **look)
    frame["alpha"] = frame["alpha"].where(frame["completed"], 1.0)
    return frame.dropna(subset=["energy", "score"])


def _draw(
    figure: Figure,
    every: pd.DataFrame,
    each: pd.DataFrame,
    fronts: Sequence[pd.DataFrame],
    titles: tuple[str, str],
) -> None:
    """Two panels: all points, and the fronts as steps; a front of one point is a circle."""
    whole, *of_suts = (
        best.rename(columns={"score": "best" if len(best) > 1 else "alone"}) for best in fronts
    )
    runs, trials = pd.concat([every, whole]), pd.concat([each, *of_suts])
    pieces = zip((runs, trials), titles, strict=True)
    frame = pd.concat([piece.assign(panel=title) for piece, title in pieces], ignore_index=True)
    look = {"marker": "sut", "fill": "completed", "pointsize": "pointsize", "alpha": "alpha"}
    dots = so.Dot(edgewidth=0.4, artist_kws={"rasterized": len(frame) > _RASTER_FROM})
    drawing = plot(frame, x="energy", color="colour").facet("panel", order=titles)
    drawing = drawing.share(x=False, y=False).scale(pointsize=None, alpha=None)
    drawing = drawing.add(dots, y="score", legend=False, **look)
    if "best" in frame:
        drawing = drawing.add(so.Line(linewidth=1, artist_kws=STEPWISE), y="best", legend=False)
    if "alone" in frame:
        drawing = drawing.add(so.Dot(pointsize=7, fill=False, edgewidth=1), y="alone", legend=False)
    drawing.label(x="", y="", title=str).on(figure).plot()


def _spread(axes: Axes, energy: pd.Series) -> None:
    """A logarithmic axis where energies are far apart, else one from zero."""
    known = energy[energy > 0]
    if known.empty or known.max() / known.min() < _LOG_FROM:
        axes.set_xlim(left=0)
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def front(energy: pd.Series, score: pd.Series) -> pd.Index:
    """Those that none other beats with less (or as much) energy and a higher score, by energy.

    Of several with the same energy and score the first is kept; missing values are not counted.
    """
    table = pd.DataFrame({"energy": energy, "score": score}).dropna()
    table = table.sort_values(["energy", "score"], ascending=[True, False], kind="stable")
    before = table["score"].cummax().shift(fill_value=-np.inf)
    return table.index[table["score"] > before]


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
