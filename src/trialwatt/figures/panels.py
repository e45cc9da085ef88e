"""Panels side by side that share their rows, one per group and treatment.

A figure makes a tidy frame of each panel, by `points` or `bars`; `draw` maps its columns to marks.
The figures that have many treatments share these rows, so that one finds the same run in the same
place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
import seaborn.objects as so
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from trialwatt.analysis.intervals import Summary, summary
from trialwatt.figures import treatments
from trialwatt.figures.groups import groups
from trialwatt.figures.style import MUTED, PAGE_IN, blank, legend_entry, plot
from trialwatt.figures.suts import mark

DOT = {"marker": "o", "markersize": 2.2, "markeredgewidth": 0.5}
DOT |= {"markerfacecolor": "white", "markeredgecolor": "black"}
"""How one repetition looks on a bar."""
CENSORED = {"marker": ">", "markersize": 3.2, "markeredgewidth": 0.6, "markerfacecolor": "none"}
_BELOW, _ABOVE = so.Shift(y=0.24), so.Shift(y=-0.1)


def _layers() -> dict[str, tuple[list, dict]]:
    """Column of x → a mark with its moves, and what else is mapped to it, from the back."""
    colour = {"color": "colour"}
    of_sut = colour | {"marker": "sut"}
    small = so.Dot(pointsize=2.4, edgewidth=0.4, alpha=0.6)
    large = so.Dot(pointsize=4, edgecolor="white", artist_kws={"zorder": 4})
    on_bar = so.Dot(pointsize=2.2, color="white", edgecolor="black")
    arrow = so.Dot(marker=">", pointsize=3.2, fill=False, edgewidth=0.6)
    words = so.Text(halign="left", valign="center", fontsize=6, color=MUTED)
    bar = so.Bars(width=0.78, alpha=1, edgewidth=0)
    return {
        "width": ([bar, so.Stack()], colour),
        "value": ([small, _BELOW], of_sut | {"fill": "completed"}),
        "late": ([arrow, _BELOW], colour),
        "low": ([so.Range(linewidth=0.8), _ABOVE], colour | {"xmin": "low", "xmax": "high"}),
        "median": ([large, _ABOVE], of_sut),
        "total": ([on_bar], {}),
        "end": ([words], {"text": "amount"}),
    }


class Panel(NamedTuple):
    """title and label: above and below it; frame: of `points` or `bars`."""

    title: str
    label: str
    frame: pd.DataFrame
    from_zero: bool = True


def rows(runs: pd.DataFrame, axis: treatments.Axis) -> pd.DataFrame:
    """On the index of runs: sut, its colour, status, and the label and place (y) of its row."""
    if runs.empty:
        return pd.DataFrame(columns=["sut", "status", "group", "label", "colour", "step", "place"])
    keys = treatments.key(runs)
    found = pd.concat(
        group.runs[["sut", "status"]].assign(group=number, label=f"{group.name}, ")
        for number, group in enumerate(groups(runs))
    )
    found["label"] += keys.map(axis.names)
    found["colour"] = [mark(sut).colour for sut in found["sut"]]
    return placed(found.assign(step=keys.map({k: n for n, k in enumerate(axis.keys)})))


def placed(found: pd.DataFrame) -> pd.DataFrame:
    """Rows from the top, group by group with a gap between them."""
    gaps = 0.5 * (found["group"].rank(method="dense") - 1)
    return found.assign(place=found.groupby(["group", "step"]).ngroup() + gaps)


def points(
    found: pd.DataFrame, values: pd.Series, middles: Mapping[float, Summary] | None = None
) -> pd.DataFrame:
    """A line per repetition, and one per row: the median of its completed runs with its bar.

    found: of `rows`, or a table with sut, status and place; values: scaled, on its index. Runs
    ended by their deadline are hollow; a row without a median says what became of it. middles:
    place → what is drawn as the median there, instead of that of the completed.
    """
    each = found.assign(value=values, completed=found["status"] == "completed")
    row = found.drop_duplicates("place")
    done = each["value"].where(each["completed"]).groupby(each["place"])
    known = {place: summary(here) for place, here in done} | dict(middles or {})
    spread = pd.DataFrame([known[place] for place in row["place"]], row.index, Summary._fields)
    shown = each[each["status"].isin(["completed", "deadline"])]
    said = row["place"].map(became(found)).where(spread["n"] == 0)
    return pd.concat([shown, row.join(spread).assign(said=said)])


def bars(found: pd.DataFrame, parts: pd.DataFrame, looks: Mapping[str, str]) -> pd.DataFrame:
    """A line per part of a row: its mean over completed runs; and one per run: its total.

    parts: scaled, on the index of found, a column per part in their order; looks: part → colour.
    """
    done = found[found["status"] == "completed"]
    row = found.drop_duplicates("place").set_index("place", drop=False)
    means = parts.loc[done.index].groupby(done["place"]).mean().reindex(row.index)
    widths = means.melt(var_name="part", value_name="width", ignore_index=False)
    widths = row[["sut", "place"]].join(widths)[lambda piece: piece["width"] > 0]
    totals = done.assign(total=parts.sum(axis=1, min_count=1))
    said = became(found).replace("", "ended by deadline").where(means.isna().all(axis=1))
    colours = widths["part"].map(looks)
    return pd.concat([widths.assign(colour=colours), totals, row.assign(said=said)])


def joined(panels: Iterable[Panel]) -> pd.DataFrame:
    """The frames of all panels as one, each line with its panel's title."""
    frames = [panel.frame.assign(panel=panel.title) for panel in panels]
    return pd.concat(frames, ignore_index=True)


def draw(found: pd.DataFrame, panels: Sequence[Panel], extra_in: float = 1.75) -> Figure:
    """The panels, with labels of rows at the first; extra_in: height beside the rows."""
    row = found.drop_duplicates("place")
    lines = max(0.8, 0.17 * len(row) + 0.08 * row["sut"].nunique())
    figure = blank(PAGE_IN, extra_in + lines)
    frame = joined(panels)
    drawing = plot(frame, y="place").facet("panel", order=[panel.title for panel in panels])
    for column, (marks, mapped) in _layers().items():
        if column in frame and frame[column].notna().any():
            drawing = drawing.add(*marks, orient="y", legend=False, x=column, **mapped)
    drawing.share(x=False).label(x="", y="", title=str).on(figure).plot()
    for axes, panel in zip(figure.axes, panels, strict=True):
        axes.set_xlabel(panel.label)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        ticks = MaxNLocator(7 if len(panels) < 3 else 4, steps=[1, 2, 2.5, 5, 10])
        axes.xaxis.set_major_locator(ticks)
        if panel.from_zero:
            axes.set_xlim(left=0)
        say(axes, panel.frame.dropna(subset="said").set_index("place")["said"])
    label_rows(figure.axes[0], row)
    return figure


def label_rows(axes: Axes, row: pd.DataFrame) -> None:
    """The labels of the rows, from the top; row: a line per place."""
    axes.set_yticks(row["place"], row["label"])
    axes.set_ylim(row["place"].max() + 0.7, -0.7)


def points_said(panels: Iterable[Panel]) -> str:
    """What the points of these panels are, and what their bars."""
    return f"Large: median; small below it: every repetition{bars_said(panels)}."


def bars_said(panels: Iterable[Panel]) -> str:
    """What the bars of the medians are, after a semicolon; empty where there are none."""
    words = {
        "interval": "; bars: 95 % interval of the median ({n})",
        "range": "; bars: smallest to largest value ({n})",
    }
    every = pd.concat([panel.frame.reindex(columns=["kind", "n"]) for panel in panels])
    counts = {kind: every.loc[every["kind"] == kind, "n"].tolist() for kind in words}
    return "".join(
        words[kind].format(n=treatments.sentence_of_n(known))
        for kind, known in counts.items()
        if known
    )


def say(axes: Axes, words: pd.Series) -> None:
    """Words (by place) in the rows where there is nothing to draw."""
    look = {"va": "center", "color": MUTED, "fontsize": 6.5}
    for place, said in words.items():
        axes.text(0.02, place, said, transform=axes.get_yaxis_transform(), **look)


def became(found: pd.DataFrame) -> pd.Series:
    """Of each row, by place, why it has no median; empty where hollow points show it."""
    return found.groupby("place")["status"].agg(what_became)


def what_became(statuses: Iterable[str]) -> str:
    """Why a row has no median; empty where hollow points show it."""
    words = list(dict.fromkeys(statuses))
    if "completed" in words:
        return "not on record"
    return "" if set(words) == {"deadline"} else ", ".join(words)


def legend_of(runs: pd.DataFrame, suts: Iterable[str]) -> list[Line2D]:
    """A mark per SUT, and hollow where runs were ended by their deadline."""
    handles = [
        legend_entry(sut, color=mark(sut).colour, marker=mark(sut).marker)
        for sut in dict.fromkeys(suts)
    ]
    if (runs["status"] == "deadline").any():
        hollow = {"marker": "o", "markerfacecolor": "none", "markersize": 3}
        handles.append(legend_entry("ended by deadline", color=MUTED, **hollow))
    return handles
