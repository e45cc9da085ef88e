"""Which hyperparameters won: those of the best trial of each run, among what it could choose."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from trialwatt.analysis.winners import spaces, spelled, winning_values
from trialwatt.config.models import Choices, Range, Space
from trialwatt.figures import treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.goal import goal_of
from trialwatt.figures.notes import place
from trialwatt.figures.panels import became, label_rows, legend_of, rows, say
from trialwatt.figures.style import PAGE_IN, blank, footnote, heading, nothing, styled
from trialwatt.figures.suts import mark
from trialwatt.figures.treatments import LOG_FROM

OFFERED = "#BBBBBB"
_ACROSS = 4
"""Panels in a line."""
_PANEL_PT = 330
"""Width of all panels of a line together, in points, roughly."""


class Scale(NamedTuple):
    """The axis of one hyperparameter.

    words: its values in order where they are no numbers, which then stand at 0, 1, …; choices: the
    numbers among which it is chosen, rising; log: spaced by their logarithm.
    """

    words: list[str]
    choices: list[float]
    low: float
    high: float
    log: bool

    def at(self, value: object) -> float:
        """Where a value stands."""
        return float(self.words.index(spelled(value))) if self.words else float(value)  # type: ignore[arg-type]


@styled
def winners(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Figure:
    """A panel per hyperparameter that could be chosen: a dot per run at the value that won.

    A row per SUT and treatment, with what its search space offered in grey. The axis is
    logarithmic where the space is, or its choices span a factor of LOG_FROM. Runs that do not tell
    the φ of their best trial (failed, or older) are counted below.
    """
    title = f"{experiment}: hyperparameters that won"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    won, absent = winning_values(runs), absences(runs, unavailable)
    if won.empty:
        return nothing(title, "the φ of the best trial is not on record.", absent)
    offered = spaces(runs["space"]) if "space" in runs else []
    scales = {name: scale(name, offered, here) for name, here in won.groupby("name")["value"]}
    chosen = {name: one for name, one in scales.items() if len(one.choices) != 1}
    if not chosen:
        return nothing(title, f"the search had nothing to choose. {_fixed(scales)}", absent)
    values = {name: set(map(spelled, won.loc[won["name"] == name, "value"])) for name in chosen}
    if len(runs) > 1 and all(len(each) == 1 for each in values.values()):
        same = ", ".join(f"{name} {min(each)}" for name, each in values.items())
        return nothing(title, f"the same values won in every run: {same}.", absent)
    found = rows(runs, treatments.axis(runs))
    figure, panels = _canvas(found, len(chosen))
    for axes, (name, one) in zip(panels, chosen.items(), strict=True):
        _offers(axes, found, runs, name, one)
        _dots(axes, found, won[won["name"] == name], one)
        _finish(axes, name, one, min(len(chosen), _ACROSS))
    told = found["place"].isin(found.loc[won["run"], "place"])
    say(panels[0], became(found[~told]).replace("", "unknown"))
    heading(figure, title, legend_of(runs.iloc[:0], found["sut"]), columns=7)
    footnote(figure, _note(runs, won, found, scales) + absent)
    return figure


def scale(name: str, offered: Sequence[Space], won: pd.Series) -> Scale:
    """Of a hyperparameter, from all search spaces that have it, and from the values that won."""
    axes = [space[name] for space in offered if name in space]
    ranges = [axis for axis in axes if isinstance(axis, Range)]
    listed = [v for axis in axes if isinstance(axis, Choices) for v in axis.choices]
    listed += [] if ranges else list(won)
    if any(isinstance(value, bool | str) for value in [*listed, *won]):
        words = list(dict.fromkeys(map(spelled, [*listed, *won])))
        return Scale(words, [float(i) for i in range(len(words))], 0, len(words) - 1, False)
    numbers = sorted({float(value) for value in listed})
    ends = [*numbers, *map(float, won), *(e for axis in ranges for e in (axis.low, axis.high))]
    low, high = min(ends), max(ends)
    log = all(axis.log for axis in ranges) if ranges else high >= LOG_FROM * low
    return Scale([], [] if ranges else numbers, low, high, log and low > 0)


def _canvas(found: pd.DataFrame, count: int) -> tuple[Figure, list[Axes]]:
    """Panels that share their rows, at most _ACROSS in a line."""
    across, row = min(count, _ACROSS), found.drop_duplicates("place")
    lines = -(-count // across)
    height = max(0.8, 0.19 * len(row) + 0.08 * row["sut"].nunique()) + 0.65
    figure = blank(PAGE_IN, 1.1 + lines * height)
    grid = figure.subplots(lines, across, sharey=True, squeeze=False)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    label_rows(grid[0, 0], row)
    return figure, list(grid.flat[:count])


def _offers(axes: Axes, found: pd.DataFrame, runs: pd.DataFrame, name: str, one: Scale) -> None:
    """What each row's own search space offered: a line over a range, a tick at each choice."""
    for row, here in found.groupby("place"):
        texts = runs.loc[here.index, "space"] if "space" in runs else ()
        for axis in (space[name] for space in spaces(texts) if name in space):
            if isinstance(axis, Range):
                axes.hlines(row, axis.low, axis.high, color=OFFERED, linewidth=0.8, zorder=1)
                continue
            at = [one.at(value) for value in axis.choices]
            axes.vlines(at, row - 0.36, row + 0.36, color=OFFERED, linewidth=0.8)


def _dots(axes: Axes, found: pd.DataFrame, won: pd.DataFrame, one: Scale) -> None:
    """A dot for each run, those of a row one under another so that none hides behind another."""
    at = won.set_index("run")["value"].map(one.at)
    shown = found[found.index.isin(at.index)].assign(value=at)
    in_row = shown.groupby("place")["place"]
    last = in_row.transform("size") - 1
    step = (0.66 / last.clip(lower=1)).clip(upper=0.24)
    suts = shown["sut"].unique()
    seaborn.scatterplot(
        shown.assign(place=shown["place"] + (in_row.cumcount() - last / 2) * step),
        x="value",
        y="place",
        hue="sut",
        style="sut",
        palette={sut: mark(sut).colour for sut in suts},
        markers={sut: mark(sut).marker for sut in suts},
        s=11,
        linewidth=0.2,
        legend=False,
        ax=axes,
        zorder=3,
    )


def _finish(axes: Axes, name: str, one: Scale, across: int) -> None:
    axes.set_title(textwrap.fill(_plain(name), 84 // across))
    axes.set(xlabel="log axis" if one.log else "", ylabel="")
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)
    if one.log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_minor_locator(NullLocator())
    room = 0.08
    if one.log:
        ratio = (one.high / one.low) ** room
        axes.set_xlim(one.low / ratio, one.high * ratio)
    else:
        aside = max(room * (one.high - one.low), 0.4 if one.words else 0)
        axes.set_xlim(one.low - aside, one.high + aside)
    if one.choices:
        ticks = [_plain(word) for word in one.words] or [_short(value) for value in one.choices]
        axes.set_xticks(one.choices, ticks)
        if 4.4 * len("  ".join(ticks)) > _PANEL_PT / across:
            axes.tick_params(axis="x", labelrotation=90)
    elif not one.log:
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _plain(text: str) -> str:
    """Words of the user's as they are, none of them a formula."""
    return text.replace("$", r"\$")


def _short(value: float) -> str:
    """`1e-4` of 0.0001; as it is where that is as short."""
    power = f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    plain = f"{value:g}"
    return power if float(power) == value and len(power) < len(plain) else plain


def _fixed(scales: Mapping[str, Scale]) -> str:
    """The hyperparameters that have one value in all runs; empty where there are none."""
    same = {
        name: one.words[0] if one.words else _short(one.choices[0])
        for name, one in scales.items()
        if len(one.choices) == 1
    }
    said = ", ".join(f"{name} {value}" for name, value in same.items())
    return f"Nothing to choose: {said}." if said else ""


def _note(
    runs: pd.DataFrame, won: pd.DataFrame, found: pd.DataFrame, scales: Mapping[str, Scale]
) -> str:
    known = set(won["run"])
    counts = found[found.index.isin(known)].groupby("place").size().tolist()
    unknown, goal = len(runs) - len(known), goal_of(runs)
    said = [
        f"A dot: the value in the best trial of one run ({treatments.sentence_of_n(counts)} in a "
        "row), one under another. Grey: what the search could choose from. Best: the "
        f"{goal.best} validation {goal.score}; values as the search space has them."
    ]
    late = int((runs.loc[list(known), "status"] == "deadline").sum())
    said += [f"Ended by their deadline: {late}, with their best until then."] if late else []
    said += [f"Unknown in {unknown} of {len(runs)} runs."] if unknown else []
    return " ".join([*said, _plain(_fixed(scales))]).strip() + f"\n{place(runs)}"
