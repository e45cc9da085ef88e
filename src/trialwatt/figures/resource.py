"""What a treatment of the workers does to energy, cost and time (R-Node, R-MEM, R-CPU, R-ACL)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation, Transform

from trialwatt.analysis.intervals import Summary, summary
from trialwatt.figures import quantity, treatments
from trialwatt.figures.notes import conditions
from trialwatt.figures.style import (
    MUTED,
    PAGE_IN,
    blank,
    footnote,
    heading,
    in_order,
    mark,
    nothing,
    styled,
)

PANEL_PT = 200
"""Width of a panel's data, in points, roughly."""
PANELS = (
    ("ept_kwh", "EPT: energy per completed trial", "energy per trial"),
    ("twh_kwh", "TWH: energy attributed to a trial", "energy per trial"),
    ("oc", "OC: job cost", "cost per job"),
    ("jct_ms", "JCT: job completion time", "time per job"),
)


@styled
def resource(runs: pd.DataFrame, experiment: str) -> Figure:
    """Four panels, EPT, TWH, OC and JCT against the treatment, a line per SUT.

    runs: the runs table of this experiment. Medians are over completed runs; a run that ended by
    its deadline is shown hollow, a treatment without a completed trial as a cross on the axis.
    """
    if runs.empty:
        return nothing(treatments.titled(experiment), "this experiment has no runs yet.")
    axis = treatments.axis(runs, experiment)
    groups = list(_groups(runs))
    figure = blank(PAGE_IN, 5.2)
    slot = min(9.0, 0.8 * axis.gap / axis.span * PANEL_PT / len(groups))
    kinds: dict[str, list[int]] = {}
    for axes, (name, title, what) in zip(
        figure.subplots(2, 2, sharex=True).flat, PANELS, strict=True
    ):
        scale = _scale(runs, name)
        axes.set_title(title)
        modelled = name.endswith("_kwh") and quantity.is_modelled(runs["energy_method"])
        axes.set_ylabel(f"{what} ({scale.unit}{', modelled' if modelled else ''})")
        for index, (sut, testbed, group) in enumerate(groups):
            shift, style = (index - (len(groups) - 1) / 2) * slot, _line(testbed, runs)
            beside = _moved(axes, shift), _moved(axes, shift + min(4.5, 0.6 * slot))
            for found in _curve(axes, group, name, scale.factor, axis, sut, style, beside):
                kinds.setdefault(found.kind, []).append(found.n)
        highest = (quantity.column(runs, name) * scale.factor).max()
        _finish(axes, axis, runs, highest if highest > 0 else 1.0)
        if not math.isfinite(highest):
            axes.set_yticks([])
            middle = {"ha": "center", "va": "center", "transform": axes.transAxes}
            axes.text(0.5, 0.5, "not on record", color=MUTED, **middle)
    for axes in figure.axes[2:]:
        axes.set_xlabel(axis.label)
    heading(figure, axis.title, _handles(runs, groups, axis), columns=7)
    footnote(figure, _note(runs, kinds))
    return figure


def _groups(runs: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(SUT, testbed, its runs) in the order of the legend."""
    for sut in in_order(runs["sut"]):
        of_sut = runs[runs["sut"] == sut]
        for testbed in sorted(of_sut["testbed"].unique()):
            yield sut, testbed, of_sut[of_sut["testbed"] == testbed]


def _line(testbed: str, runs: pd.DataFrame) -> str:
    names = sorted(runs["testbed"].unique())
    return ("-", "--", "-.", ":")[names.index(testbed) % 4]


def _scale(runs: pd.DataFrame, name: str) -> quantity.Scale:
    values = quantity.column(runs, name)
    if name.endswith("_kwh"):
        return quantity.energy(values)
    if name.endswith("_ms"):
        return quantity.duration(values)
    currency = runs["currency"].dropna() if "currency" in runs else []
    return quantity.money(values, currency.iloc[0] if len(currency) else "currency unknown")


def _moved(axes: Axes, points: float) -> Transform:
    """Data coordinates, moved to the side, so that one SUT's marks do not hide another's."""
    return axes.transData + ScaledTranslation(points / 72, 0, axes.figure.dpi_scale_trans)


def _curve(
    axes: Axes,
    group: pd.DataFrame,
    name: str,
    factor: float,
    axis: treatments.Axis,
    sut: str,
    style: str,
    beside: tuple[Transform, Transform],
) -> list[Summary]:
    """Draw one SUT's median line, bars and points; returns the summary of each treatment.

    beside: where the line and bars are, and where the points, so that no median hides them.
    """
    colour, marker = mark(sut)
    on_line, aside = beside
    places = treatments.key(group).map(axis.positions).astype(float)
    values = quantity.column(group, name) * factor
    done, late = group["status"] == "completed", group["status"] == "deadline"
    for rows, face in ((done, colour), (late, "none")):
        axes.plot(
            places[rows],
            values[rows],
            linestyle="none",
            marker=marker,
            markersize=2.6,
            markerfacecolor=face,
            markeredgecolor=colour,
            markeredgewidth=0.4,
            alpha=0.6 if rows is done else 1,
            transform=aside,
        )
    found = {place: summary(values[done & (places == place)]) for place in sorted(places.unique())}
    never = group["status"].eq("infeasible").groupby(places).any()
    crosses = [place for place in found if never[place] and not done[places == place].any()]
    if crosses:
        cross = {"marker": "x", "markersize": 4.5, "linestyle": "none", "zorder": 5}
        zero = [0] * len(crosses)
        axes.plot(crosses, zero, color=colour, clip_on=False, transform=on_line, **cross)

    known = {place: each for place, each in found.items() if each.n}
    if not known:
        return []
    medians = [each.median for each in known.values()]
    axes.errorbar(
        list(known),
        medians,
        [
            [each.median - each.low for each in known.values()],
            [each.high - each.median for each in known.values()],
        ],
        fmt="none",
        ecolor=colour,
        elinewidth=0.8,
        capsize=2,
        capthick=0.8,
        transform=on_line,
    )
    axes.plot(
        list(known),
        medians,
        color=colour,
        linestyle=style,
        linewidth=1.2,
        marker=marker,
        markersize=4,
        markeredgecolor="white",
        markeredgewidth=0.5,
        zorder=4,
        transform=on_line,
    )
    return list(known.values())


def _finish(axes: Axes, axis: treatments.Axis, runs: pd.DataFrame, top: float) -> None:
    shown = treatments.shown_ticks(axis)
    axes.set_xticks([axis.positions[k] for k in shown], [axis.ticks[k] for k in shown])
    axes.tick_params(labelbottom=True)
    places = sorted(axis.positions.values())
    axes.set_xlim(places[0] - axis.margin, places[-1] + axis.margin)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, top * 1.08)
    for place in _baselines(axis, runs):
        axes.axvline(place, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)


def _baselines(axis: treatments.Axis, runs: pd.DataFrame) -> list[float]:
    if "is_baseline" not in runs or len(axis.keys) < 2:
        return []
    keys = treatments.key(runs)[runs["is_baseline"].fillna(False).astype(bool)]
    return sorted({axis.positions[key] for key in keys})


def _handles(runs: pd.DataFrame, groups: list, axis: treatments.Axis) -> list[Line2D]:
    several = runs["testbed"].nunique() > 1
    samplers = runs["sampler"].nunique() > 1 if "sampler" in runs else False
    handles = []
    for sut, testbed, group in groups:
        extra = [", ".join(sorted(group["sampler"].dropna().unique()))] if samplers else []
        extra += [testbed] if several else []
        colour, marker = mark(sut)
        handles.append(
            Line2D(
                [],
                [],
                color=colour,
                marker=marker,
                markersize=5,
                linestyle=_line(testbed, runs),
                linewidth=1.2,
                label=f"{sut} ({'; '.join(extra)})" if extra else sut,
            )
        )
    plain = {"color": MUTED, "linestyle": "none"}
    if (runs["status"] == "infeasible").any():
        handles.append(Line2D([], [], marker="x", label="infeasible", **plain))
    if (runs["status"] == "deadline").any():
        hollow = {"marker": "o", "markerfacecolor": "none", "markersize": 3}
        handles.append(Line2D([], [], label="ended by deadline", **hollow, **plain))
    if _baselines(axis, runs):
        handles.append(
            Line2D([], [], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)), label="baseline")
        )
    return handles


def _note(runs: pd.DataFrame, kinds: dict[str, list[int]]) -> str:
    words = {
        "range": "bars: smallest to largest value ({n})",
        "bootstrap": "bars: 95 % bootstrap interval of the median ({n})",
    }
    bars = [
        words[kind].format(n=treatments.sentence_of_n(counts))
        for kind, counts in sorted(kinds.items())
    ]
    return (
        f"Line: median; points beside it: every repetition{''.join('; ' + bar for bar in bars)}. "
        "TWH: over all started trials.\n" + conditions(runs)
    )
