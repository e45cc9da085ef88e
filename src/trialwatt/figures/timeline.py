"""One run as its workers lived it: trials, their steps, how they ended, and when nothing ran."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd
import seaborn.objects as so
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from trialwatt.figures.style import (
    OUTCOMES,
    PAGE_IN,
    blank,
    footnote,
    heading,
    nothing,
    plot,
    styled,
)

# How much of the outcome's colour a step shows; the rest is white.
_SHADES = {"import": 0.2, "load": 0.4, "train": 1.0, "validate": 0.7}
_SHADE_WORDS = {
    "import": "palest: import",
    "load": "pale: load",
    "train": "full: train",
    "validate": "medium: validate",
}
_IDLE = {"facecolor": "#F4F4F4", "edgecolor": "#C4C4C4", "hatch": "//////", "linewidth": 0}
_RASTER_FROM = 5000
_MAX_LABELS = 16


@styled
def timeline(panels: Mapping[str, pd.DataFrame], note: str = "", experiment: str = "") -> Figure:
    """A panel per run, all on one time axis; the title says of which experiment.

    panels: title → what trialwatt.metrics.timeline gives for a run: a row per step of a trial,
    columns worker, trial, step (import, load, train, validate), start_s, end_s, outcome.
    """
    panels = {title: events for title, events in panels.items() if len(events)}
    if not panels:
        return nothing("Timeline", "no run of this experiment has a trial on record.")
    lanes = {title: _workers(events) for title, events in panels.items()}
    heights = [max(2, min(len(workers), 24)) for workers in lanes.values()]
    figure = blank(PAGE_IN, 1.35 + 0.2 * sum(heights) + 0.3 * len(panels))
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)
    end = max(float(events["end_s"].max()) for events in panels.values())
    outcomes: set[str] = set()
    steps: set[str] = set()
    for axes, (title, events) in zip(grid[:, 0], panels.items(), strict=True):
        _lanes(axes, events, lanes[title])
        axes.set_title(title)
        axes.set_xlim(min(0.0, float(events["start_s"].min())), end * 1.01)
        outcomes |= set(events["outcome"].dropna())
        steps |= set(events["step"])
    grid[-1, 0].set_xlabel("time since the start of the trials step (s)")
    title = f"{experiment}: workers over time" if experiment else ""
    heading(figure, title, _handles(outcomes, steps), columns=9)
    if note:
        footnote(figure, note)
    return figure


def _workers(events: pd.DataFrame) -> list[str]:
    """In natural order: worker-2 before worker-10."""
    pieces = re.compile(r"(\d+)")
    return sorted(
        events["worker"].astype(str).unique(),
        key=lambda name: [int(p) if p.isdigit() else p for p in pieces.split(name)],
    )


def _lanes(axes: Axes, events: pd.DataFrame, workers: list[str]) -> None:
    lane = {worker: index for index, worker in enumerate(workers)}
    begin = min(0.0, float(events["start_s"].min()))
    end = float(events["end_s"].max())
    axes.barh(list(lane.values()), end - begin, left=begin, height=0.8, zorder=0.5, **_IDLE)

    looks = zip(events["outcome"].fillna("unknown"), events["step"], strict=True)
    frame = events.assign(
        lane=events["worker"].astype(str).map(lane),
        sut="",
        colour=[_shade(str(outcome), str(step)) for outcome, step in looks],
    )
    starts = frame.loc[frame.groupby("trial")["start_s"].idxmin()]
    drawing = plot(frame, x="end_s", y="lane", color="colour")
    bars = so.Bars(width=0.8, alpha=1, edgewidth=0)
    drawing = drawing.add(bars, orient="y", legend=False, baseline="start_s")
    drawing.label(x="", y="").on(axes).plot()
    axes.collections[-1].set_rasterized(len(events) > _RASTER_FROM)
    if len(events) <= _RASTER_FROM:  # a thin line tells two trials in a row apart
        low, high = starts["lane"] - 0.4, starts["lane"] + 0.4
        axes.vlines(starts["start_s"], low, high, colors="white", linewidth=0.7, zorder=3)
    every = -(-len(workers) // _MAX_LABELS)
    axes.set_yticks(range(0, len(workers), every), workers[::every])
    axes.set_ylim(len(workers) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    axes.label_outer()


def _shade(outcome: str, step: str) -> str:
    share = _SHADES.get(step, 1.0)
    return to_hex([1 - share * (1 - part) for part in to_rgb(OUTCOMES.get(outcome, "#999999"))])


def _handles(outcomes: set[str], steps: set[str]) -> list[Patch]:
    known = [name for name in OUTCOMES if name in outcomes]
    handles = [
        Patch(facecolor=_shade(name, "train"), label=name)
        for name in [*known, *sorted(outcomes - OUTCOMES.keys())]
    ]
    for step, words in _SHADE_WORDS.items():
        if step in steps:
            handles.append(Patch(facecolor=_shade("", step), label=words))
    handles.append(Patch(label="idle", **_IDLE))
    return handles
