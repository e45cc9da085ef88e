"""Figures of one script: the best score so far against what was spent, and energy by trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from trialwatt.figures.style import (
    OUTCOMES,
    PAGE_IN,
    blank,
    footnote,
    heading,
    legend_entry,
    look,
    nothing,
    styled,
)
from trialwatt.measure.result import Result, TrialResult
from trialwatt.metrics.readings import percent

_TITLE = "Best score so far"
_BY_TRIAL = "Energy by trial"


@styled
def anytime(result: Result, maximize: bool = True) -> Figure:
    """Best score of the trials that had completed, against time and energy of the whole block.

    maximize: whether a higher score is better.
    """
    scored = sorted(
        (t for t in result.trials if t.outcome == "completed" and t.score is not None),
        key=lambda trial: trial.end_s,
    )
    if not scored:
        return nothing(_TITLE, "no trial completed with a score.")
    scores = np.array([t.score for t in scored], float)
    best = (np.maximum if maximize else np.minimum).accumulate(scores)
    figure: Figure = blank(PAGE_IN, 2.6)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, spent, end, label in (
        (panels[0], [t.end_s for t in scored], result.seconds, "time (s)"),
        (panels[1], [t.until_j for t in scored], result.energy_j, f"energy (J{_modelled(result)})"),
    ):
        axes.plot([*spent, end], [*best, best[-1]], drawstyle="steps-post", color="#332288")
        axes.plot(spent, scores, ".", color=OUTCOMES["completed"])
        axes.set_xlabel(label)
        axes.set_xlim(left=0)
    panels[0].set_ylabel("score")
    line = {"color": "#332288", "linestyle": "-"}
    dot = {"color": OUTCOMES["completed"], "marker": "."}
    handles = [legend_entry("best so far", **line), legend_entry("a completed trial", **dot)]
    heading(figure, _TITLE, handles, columns=2)
    footnote(figure, _note(result))
    return figure


@styled
def energy_by_trial(result: Result) -> Figure:
    """A bar per trial, in the order in which they began: static energy below, dynamic above."""
    if not result.trials:
        return nothing(_BY_TRIAL, "the block had no trial.")
    figure: Figure = blank(PAGE_IN, 2.8)
    axes = figure.subplots()
    numbers = np.arange(len(result.trials))
    static = np.array([t.static_j for t in result.trials])
    whole = np.array([t.energy_j for t in result.trials])
    colours = [OUTCOMES.get(_class(t), "#999999") for t in result.trials]
    axes.bar(numbers, static, color=colours, alpha=0.5)
    axes.bar(numbers, whole - static, bottom=static, color=colours)
    axes.set_xlabel("trial")
    axes.set_ylabel(f"energy (J{_modelled(result)})")
    axes.locator_params(axis="x", integer=True)
    classes = dict.fromkeys(map(_class, result.trials))
    handles = [Patch(color=OUTCOMES.get(name, "#999999"), label=name) for name in classes]
    heading(figure, _BY_TRIAL, handles, columns=5)
    footnote(figure, "Pale: static energy, by time; full: dynamic, by CPU time. " + _note(result))
    return figure


def save(figure: Figure, path: str | Path) -> None:
    """Write it as a PNG, SVG or PDF, by the name of the file; matplotlib's settings of the user's
    own, by which a figure's savefig would draw, have no say in it."""
    with look():
        figure.savefig(path)


def _class(trial: TrialResult) -> str:
    return trial.waste or trial.outcome


def _modelled(result: Result) -> str:
    return ", modelled" if result.method == "modelled" else ""


def _note(result: Result) -> str:
    said = "modelled, not measured" if result.method == "modelled" else result.method
    parts = [
        f"Energy: {said} (meter {result.meters}, domains {', '.join(result.domains)}, "
        f"gaps {percent(result.gap_share)} % of the time).",
        *(f"{note[0].upper()}{note[1:]}." for note in result.notes),
    ]
    return " ".join(parts)
