"""The anytime curve: the best score so far against what had been spent by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from trialwatt.analysis.columns import varied
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
    line_look,
    nothing,
    styled,
)
from trialwatt.figures.suts import mark
from trialwatt.metrics.dictionary import metric

GOAL = {"color": "black", "linewidth": 0.8, "linestyle": (0, (4, 2))}
_SPENT = ("time_ms", "job_energy_kwh", "oc")


class _Curve(NamedTuple):
    """name: its line in the legend; look: of the line; runs: its repetitions."""

    name: str
    look: dict
    runs: pd.DataFrame


@styled
def anytime(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    experiment: str,
    unavailable: Sequence[Mapping] = (),
) -> Figure:
    """Best-so-far score against time, energy and cost, a row of panels per SUT and testbed.

    curves: of trialwatt.figures.anytime.priced. Thick: median over repetitions; faint: each of
    them. With one treatment all SUTs share one row.
    """
    title = f"{experiment}, best score so far"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    absent = absences(runs, unavailable)
    if curves.empty:
        return nothing(title, f"no trial of it was completed with a score. {absent}")
    shown = runs[runs["folder"].isin(curves["folder"])]
    panels = _panels(shown)
    figure = blank(PAGE_IN, 1.5 + (1.55 if len(panels) > 1 else 2.2) * len(panels))
    grid = figure.subplots(len(panels), 3, squeeze=False, sharey=True, sharex="col")
    scales = {column: quantity.of_column(column, curves[column], runs) for column in _SPENT}
    by_folder = dict(tuple(curves.groupby("folder")))
    low = _lowest(curves)
    for line, (head, members) in zip(grid, panels.items(), strict=True):
        for axes, column in zip(line, _SPENT, strict=True):
            for curve in members:
                pieces = [by_folder[folder] for folder in curve.runs["folder"]]
                _draw(axes, pieces, column, scales[column].factor, curve.look)
            targets = quantity.column(shown, "goal_target").dropna().unique()
            for target in targets:
                axes.axhline(target, zorder=1, **GOAL)
        line[0].set_title(head)
        line[0].set_ylabel("best score so far")
    known = curves["score"]
    top = max([known.max(), *quantity.column(shown, "goal_target").dropna()])
    grid[0, 0].set_ylim(low - 0.03 * (top - low), top + 0.05 * (top - low) + 1e-9)
    for axes, column in zip(grid[-1], _SPENT, strict=True):
        axes.set_xlim(left=0)  # the panels of a column share it
        unit = quantity.head(column, scales[column], runs)
        axes.set_xlabel(f"{metric(column).title} ({unit})")
        if curves[column].isna().all():
            middle = {"ha": "center", "va": "center", "transform": axes.transAxes}
            axes.text(0.5, 0.5, "not on record", color=MUTED, **middle)
    handles = {
        curve.name: Line2D([], [], linewidth=1.4, label=curve.name, **curve.look)
        for members in panels.values()
        for curve in members
    }
    order = list(treatments.axis(shown).names.values())
    lines = [handles[name] for name in dict.fromkeys([*order, *handles]) if name in handles]
    if quantity.column(shown, "goal_target").notna().any():
        lines.append(Line2D([], [], label="goal tg", **GOAL))
    heading(figure, title, lines, columns=8)
    counts = [len(curve.runs) for members in panels.values() for curve in members]
    footnote(figure, _note(shown, curves, low, counts) + absent)
    return figure


def priced(curve: pd.DataFrame, run: pd.Series, trials: pd.DataFrame) -> pd.DataFrame:
    """What metrics.series.anytime gives for a run, with `oc`: the job's cost so far.

    A worker's price per ms is that of its trials; what the job costs beyond its workers is spread
    over the time for which services are reserved. Exact where services are alike or live equally
    long; its last value is at most the run's OC.
    """
    duration, cost = (quantity.column(trials, name) for name in ("duration_ms", "cost"))
    known = duration.notna() & cost.notna() & (duration > 0)
    rate = cost[known].sum() / duration[known].sum() if known.any() else np.nan
    whole_workers, whole_services = (
        curve[f"{kind}_ms_of_job"].iloc[0] if len(curve) else np.nan
        for kind in ("workers", "services")
    )
    beyond = run["oc"] - rate * whole_workers
    service_rate = beyond / whole_services if whole_services > 0 else 0.0
    oc = rate * curve["workers_ms"] + service_rate * curve["services_ms"]
    return curve.assign(oc=oc, folder=run["folder"])


def median_curve(x: list[np.ndarray], score: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Median best-so-far over repetitions, as a step function: its corners.

    A repetition counts as worse than any score before its first one, and keeps its best after its
    last, so that the median begins where more than half of them have a score.
    """
    corners = np.unique(np.concatenate(x)) if x else np.empty(0)
    values = np.full((len(x), len(corners)), -np.inf)
    for row, at, best in zip(values, x, score, strict=True):
        place = np.searchsorted(at, corners, side="right") - 1
        row[place >= 0] = best[place[place >= 0]]
    if not len(values):
        return corners, corners
    low, high = (np.sort(values, axis=0)[[(len(x) - 1) // 2, len(x) // 2]]).astype(float)
    with np.errstate(invalid="ignore"):
        middle = np.where(np.isfinite(low), (low + high) / 2, np.nan)
    begun = np.isfinite(middle)
    return corners[begun], middle[begun]


def _panels(runs: pd.DataFrame) -> dict[str, list[_Curve]]:
    axis, keys = treatments.axis(runs), treatments.key(runs)
    found = groups(runs)
    if len(axis.keys) == 1:
        dashes = ("-", "--", "-.", ":")
        curves = [
            _Curve(
                group.name,
                {"color": mark(group.sut).colour, "linestyle": dashes[group.order % len(dashes)]},
                group.runs,
            )
            for group in found
        ]
        return {axis.names[axis.keys[0]] if varied(runs) else "": curves}
    names = list(dict.fromkeys(axis.names[key] for key in axis.keys))
    looks = {name: line_look(index) for index, name in enumerate(names)}
    panels = {}
    for group in found:
        panels[group.name] = [
            _Curve(axis.names[key], looks[axis.names[key]], here)
            for key in axis.keys
            if len(here := group.runs[keys[group.runs.index] == key])
        ]
    return panels


def _draw(axes: Axes, pieces: list[pd.DataFrame], column: str, factor: float, look: dict) -> None:
    known = [piece for piece in pieces if piece[column].notna().all()]
    xs = [piece[column].to_numpy() * factor for piece in known]
    scores = [piece["score"].to_numpy() for piece in known]
    faint = {"drawstyle": "steps-post", "linewidth": 0.5, "alpha": 0.3} | look
    axes.plot(_gapped(xs), _gapped(scores), **faint)  # one artist: it is drawn much faster
    x, middle = median_curve(xs, scores)
    axes.plot(x, middle, drawstyle="steps-post", linewidth=1.4, zorder=3, **look)


def _gapped(pieces: list[np.ndarray]) -> np.ndarray:
    """One after the other, with a gap after each."""
    return np.concatenate([part for piece in pieces for part in (piece, [np.nan])] or [[]])


def _lowest(curves: pd.DataFrame) -> float:
    """Where the axis begins: at the median first score, so that the approach to the best shows."""
    return float(curves.groupby("folder")["score"].first().median())


def _note(runs: pd.DataFrame, curves: pd.DataFrame, low: float, counts: list[int]) -> str:
    said = [
        "Thick: median over repetitions, from where more than half have a score; "
        f"faint: each repetition ({treatments.sentence_of_n(counts)}). "
        "Score: validation split, known when its trial ends.",
        "Energy and cost: the whole job's since deploy.",
    ]
    if curves["score"].min() < low:
        said.append("The score axis begins at the median first score.")
    reached = runs.get("goal_censored")
    if reached is not None and reached.notna().any():
        missed = int(reached.dropna().astype(bool).sum())
        said.append(f"Goal not reached: {missed} of {len(runs)} runs.")
    return " ".join(said) + "\n" + conditions(runs)
