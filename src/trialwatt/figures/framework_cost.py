"""What a framework costs: its law, and how long trials must last for it to be little."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialwatt.analysis.framework_cost import JOBS, SHARE, TRIAL, Law, in_job
from trialwatt.figures import quantity
from trialwatt.figures.absent import absences
from trialwatt.figures.cost_table import laws_in_order, named
from trialwatt.figures.notes import note
from trialwatt.figures.style import (
    BASELINE,
    PAGE_IN,
    blank,
    footnote,
    heading,
    legend_entry,
    nothing,
    styled,
)
from trialwatt.figures.suts import in_order, mark

_SHOWN = ("energy", "time")
"""The cost is in the table: it is the time of what is reserved × a price."""
_ROW_IN = 2.1
_IN_JOB = (0, (4, 1.5))


@styled
def framework_cost(
    runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()
) -> Figure:
    """A row for energy and one for time: differences with their law, and the share of a trial."""
    title = f"{experiment}: what a framework costs"
    found = [law for law in laws_in_order(runs) if law.quantity.name in _SHOWN]
    absent = absences(runs, unavailable)
    if not found:
        why = "no SUT ran two numbers of trials in the same blocks as the control."
        return nothing(title, why, absent)
    rows = [name for name in _SHOWN if any(law.quantity.name == name for law in found)]
    figure = blank(PAGE_IN, _ROW_IN * len(rows) + 1.2)
    panels = figure.subplots(len(rows), 2, squeeze=False)
    for (left, right), name in zip(panels, rows, strict=True):
        mine = [law for law in found if law.quantity.name == name]
        _differences(left, mine)
        _shares(right, mine)
    heading(figure, title, _legend(found), columns=5)
    footnote(figure, _note(found, runs) + absent)
    return figure


def _differences(axes: Axes, found: Sequence[Law]) -> None:
    """Each block's difference from the control, and the law without reports."""
    most = max(law.points["trials"].max() for law in found)
    trials = np.array([0.0, 1.08 * most])
    shortest = min(law.points["epochs"].min() for law in found)
    for place, law in enumerate(found):
        look, points = mark(law.sut), law.points
        aside = (place - (len(found) - 1) / 2) * 0.012 * most
        axes.plot(trials, law.cost(trials), color=look.colour, linewidth=1.2)
        for filled, here in points.groupby(points["epochs"] == shortest):
            axes.plot(
                here["trials"] + aside + (0.0 if filled else 0.02 * most),
                here["difference"],
                linestyle="none",
                marker=look.marker,
                markersize=3.5,
                markeredgewidth=0.8,
                color=look.colour,
                markerfacecolor=look.colour if filled else "white",
            )
    axes.axhline(0, zorder=0, **BASELINE)
    axes.set(xlim=(0, None), xlabel="trials of the job", ylabel=f"added {_of_energy(found[0])}")
    axes.set_title(f"{_said(found[0])} added to a job of {found[0].control}")


def _shares(axes: Axes, found: Sequence[Law]) -> None:
    """The law as a share of what the trials take, against how long each of these lasts."""
    lengths = np.geomspace(*_reach(found), 100)
    for place, law in enumerate(found):
        look = mark(law.sut)
        for dashes, extra in (("-", 0.0), (_IN_JOB, law.terms["job"].value / JOBS[0])):
            share = (law.terms["trial"].value + extra) / (law.plain_rate * lengths)
            if share[0] > 0:  # a logarithm shows nothing else; the note says what is missing
                axes.plot(lengths, 100 * share, color=look.colour, linestyle=dashes, linewidth=1.2)
        at, *ends = law.break_even[TRIAL]
        axes.plot(
            np.clip(ends, lengths[0], lengths[-1]),
            [100 * SHARE] * 2,
            color=look.colour,
            linewidth=3.5,
            alpha=0.3,
            solid_capstyle="butt",
        )
        if 0 < at < math.inf:
            axes.plot(at, 100 * SHARE, look.marker, color=look.colour, markersize=4.5)
            axes.annotate(
                f"{quantity.number(at)} s",
                (at, 100 * SHARE),
                xytext=(4, 4 + 8 * place),
                textcoords="offset points",
                color=look.colour,
                fontsize=7,
            )
    axes.axhline(100 * SHARE, zorder=0, **BASELINE)
    axes.set(xscale="log", yscale="log", ylim=(0.5, None), xlim=(lengths[0], lengths[-1]))
    axes.set(xlabel=f"a trial of {found[0].control} lasts (s)", ylabel="% of what the trials take")
    for one in (axes.xaxis, axes.yaxis):
        one.set_major_formatter("{x:g}")
    axes.set_title(f"{_said(found[0])} as a share of the trials'")


def _reach(found: Sequence[Law]) -> tuple[float, float]:
    """The lengths to be shown: the measured ones and all that are broken even at."""
    even = [
        length
        for law in found
        for name in (TRIAL, in_job(JOBS[0]))
        for length in law.break_even[name]
    ]
    lasted = [law.epoch_s * law.points["epochs"].max() for law in found]
    known = [value for value in (*even, *lasted) if 0 < value < math.inf]
    return min([*known, 1.0]) / 3, max([*known, 10.0]) * 3


def _of_energy(law: Law) -> str:
    return named(law).replace("job energy", "energy")


def _said(law: Law) -> str:
    return named(law).partition(" (")[0].removeprefix("job ").capitalize().replace("Jct", "JCT")


def _legend(found: Sequence[Law]) -> list:
    suts = in_order(law.sut for law in found)
    several = max(law.points["epochs"].nunique() for law in found) > 1
    handles = [
        legend_entry(sut, linestyle="-", marker=mark(sut).marker, color=mark(sut).colour)
        for sut in suts
    ]
    if several:
        handles.append(
            legend_entry("longer trials", marker="o", color="#333333", markerfacecolor="white")
        )
    handles.append(legend_entry("a trial alone", linestyle="-", color="#333333"))
    dashed = f"with its part of a {in_job(JOBS[0])}"
    return [*handles, legend_entry(dashed, linestyle=_IN_JOB, color="#333333")]


def _note(found: Sequence[Law], runs: pd.DataFrame) -> str:
    control = found[0].control
    blocks = min(law.blocks for law in found)
    compared = all(law.compared for law in found)
    few = "" if compared else ", a demonstration"
    spread = "95 % interval" if compared else "range of the blocks' own"
    said = (
        f"Left: a job − that of {control} in the same block with equal trials, a point for each "
        f"block (n = {blocks}{few}); the line is the fitted law, without reports. Right: what the "
        f"law says of a trial ÷ what a trial of {control} takes; marked is where it falls below "
        f"{100 * SHARE:g} %, with the {spread} as a bar; all spreads stand in the table. "
    )
    free = dict.fromkeys(
        f"{law.sut} ({_said(law)})" for law in found if law.break_even[TRIAL].value == 0
    )
    if free:
        said += f"No cost per trial was found, so no line: {', '.join(free)}. "
    return note(runs, f"{said}\nJCT begins after deployment. ")
