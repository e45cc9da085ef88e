"""A row per group and treatment, and what may stand in it: bars with dots, or a median with a bar.

The figures that have many treatments share these rows, so that one finds the same run in the same
place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from trialwatt.analysis.intervals import Summary, summary
from trialwatt.figures import treatments
from trialwatt.figures.groups import groups
from trialwatt.figures.style import MUTED, blank
from trialwatt.figures.suts import mark

DOT = {
    "marker": "o",
    "markersize": 2.2,
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "markeredgewidth": 0.5,
    "linestyle": "none",
}
"""How one repetition looks on a bar."""


class Row(NamedTuple):
    """place: its y; runs: the index of its runs in the table."""

    place: float
    label: str
    sut: str
    runs: pd.Index


def rows(runs: pd.DataFrame, axis: treatments.Axis) -> list[Row]:
    """The rows of these runs, group by group with a gap between them."""
    keys = treatments.key(runs)
    found, place = [], 0.0
    for group in groups(runs):
        for key in axis.keys:
            members = group.runs.index[keys[group.runs.index] == key]
            if not len(members):
                continue
            found.append(Row(place, f"{group.name}, {axis.names[key]}", group.sut, members))
            place += 1
        place += 0.5
    return found


def closed_up(found: list[Row]) -> list[Row]:
    """The same rows without the places of those that were left out."""
    places, before, place = [], None, -1.0
    for row in found:
        place += 1 if before in (None, row.sut) else 1.5
        places.append(row._replace(place=place))
        before = row.sut
    return places


def canvas(width_in: float, found: list[Row], panels: int, extra_in: float = 1.75):
    """A figure with panels side by side that share the rows; returns it and the panels."""
    lines = max(0.8, 0.17 * len(found) + 0.08 * len({row.sut for row in found}))
    figure = blank(width_in, extra_in + lines)
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for each in axes:
        each.grid(visible=False, axis="y")
        each.tick_params(axis="y", length=0)
        each.xaxis.set_major_locator(MaxNLocator(7 if panels < 3 else 4, steps=[1, 2, 2.5, 5, 10]))
    axes[0].set_yticks([row.place for row in found], [row.label for row in found])
    axes[0].set_ylim(max(row.place for row in found) + 0.7, -0.7)
    return figure, axes


def dots(axes: Axes, found: list[Row], runs: pd.DataFrame, values: pd.Series) -> list[Summary]:
    """Per row the median of the completed runs, its bar, and all points under it.

    values: scaled, on the index of runs. Runs ended by their deadline are hollow; a row without a
    completed run says what became of it, one without values that they are not on record.
    """
    status, known, summaries = dict(runs["status"]), dict(values), []
    for sut in dict.fromkeys(row.sut for row in found):
        mine = [row for row in found if row.sut == sut]
        for kind, filled in (("completed", True), ("deadline", False)):
            at = [(known[i], row.place) for row in mine for i in row.runs if status[i] == kind]
            small(axes, sut, at, filled)
        of_row = [
            (row, summary(known[i] for i in row.runs if status[i] == "completed")) for row in mine
        ]
        medians(axes, sut, [(row.place, here) for row, here in of_row if here.n])
        for row, here in of_row:
            if here.n == 0:
                _say(axes, row, [status[i] for i in row.runs])
        summaries += [here for _, here in of_row if here.n]
    return summaries


def bars(axes: Axes, pieces: Iterable[tuple[float, float, float]], **look) -> None:
    """Bars of one look, each a (place of its row, left end, width); one artist, as it is drawn
    much faster than one for each."""
    boxes(
        axes,
        [
            ((left, y - 0.39), (left, y + 0.39), (left + width, y + 0.39), (left + width, y - 0.39))
            for y, left, width in pieces
        ],
        **look,
    )


def boxes(axes: Axes, corners: list[tuple], **look) -> None:
    """Boxes of one look, each with its four corners; a hatch is one artist over all of them."""
    if not corners:
        return
    hatch = look.pop("hatch", "")
    common = {"linewidth": 0, "zorder": 1} | look
    axes.add_collection(PolyCollection(corners, **common))
    if hatch:
        whole = Path.make_compound_path(*(Path([*box, box[0]], closed=True) for box in corners))
        over = common | {"facecolor": "none", "hatch": hatch}
        axes.add_patch(PathPatch(whole, **over))


def small(axes: Axes, sut: str, points: list[tuple[float, float]], filled: bool) -> None:
    """Repetitions, each a (value, place of its row), under the median of their row."""
    colour, marker = mark(sut)
    axes.plot(
        [x for x, _ in points],
        [place + 0.24 for _, place in points],
        linestyle="none",
        marker=marker,
        markersize=2.4,
        markerfacecolor=colour if filled else "none",
        markeredgecolor=colour,
        markeredgewidth=0.4,
        alpha=0.6 if filled else 1,
    )


def medians(axes: Axes, sut: str, found: list[tuple[float, Summary]]) -> None:
    """Medians with their bars, each a (place of its row, summary)."""
    if not found:
        return
    colour, marker = mark(sut)
    axes.errorbar(
        [here.median for _, here in found],
        [place - 0.1 for place, _ in found],
        xerr=[
            [here.median - here.low for _, here in found],
            [here.high - here.median for _, here in found],
        ],
        color=colour,
        linestyle="none",
        marker=marker,
        markersize=4,
        markeredgecolor="white",
        markeredgewidth=0.5,
        elinewidth=0.8,
        capsize=1.6,
        capthick=0.8,
        zorder=4,
    )


def _say(axes: Axes, row: Row, statuses: Iterable[str]) -> None:
    said = what_became(statuses)
    if not said:
        return
    axes.text(
        0.02,
        row.place,
        said,
        transform=axes.get_yaxis_transform(),
        va="center",
        fontsize=6.5,
        color=MUTED,
    )


def what_became(statuses: Iterable[str]) -> str:
    """Why a row has no median; empty where hollow points show it."""
    words = list(dict.fromkeys(statuses))
    if "completed" in words:
        return "not on record"
    return "" if set(words) == {"deadline"} else ", ".join(words)


def legend_of(runs: pd.DataFrame, suts: Iterable[str]) -> list[Line2D]:
    """Handles: a mark per SUT, and hollow where runs were ended by their deadline."""
    handles = []
    for sut in dict.fromkeys(suts):
        colour, marker = mark(sut)
        handles.append(
            Line2D([], [], color=colour, marker=marker, markersize=5, linestyle="none", label=sut)
        )
    if (runs["status"] == "deadline").any():
        hollow = {"marker": "o", "markerfacecolor": "none", "markersize": 3}
        handles.append(
            Line2D([], [], color=MUTED, linestyle="none", label="ended by deadline", **hollow)
        )
    return handles


def bars_said(summaries: Iterable[Summary]) -> str:
    """What the bars of these summaries are, with n; empty where there are none."""
    kinds: dict[str, list[int]] = {}
    for each in summaries:
        kinds.setdefault(each.kind, []).append(each.n)
    words = {
        "range": "bars: smallest to largest value ({n})",
        "bootstrap": "bars: 95 % bootstrap interval of the median ({n})",
    }
    return "; ".join(
        words[kind].format(n=treatments.sentence_of_n(counts))
        for kind, counts in sorted(kinds.items())
        if kind in words
    )
