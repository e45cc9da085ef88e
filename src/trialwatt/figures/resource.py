"""What a treatment of the workers does to energy, cost and time (R-Node, R-MEM, R-CPU, R-ACL)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation, Transform

from trialwatt.analysis.intervals import Summary, summary
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.groups import Group, groups
from trialwatt.figures.notes import conditions
from trialwatt.figures.panels import bars_said
from trialwatt.figures.style import (
    BASELINE,
    MUTED,
    PAGE_IN,
    blank,
    footnote,
    heading,
    nothing,
    styled,
)
from trialwatt.figures.suts import mark
from trialwatt.records.outcome import FAILED

DASHES = ("-", "--", "-.", ":")
RING = {
    "marker": "o",
    "markersize": 9,
    "markerfacecolor": "none",
    "markeredgewidth": 1.1,
    "linestyle": "none",
}
CROSS = {"marker": "x", "markersize": 4.5, "linestyle": "none"}
HOLE = {"marker": "$?$", "markersize": 6, "linestyle": "none", "markeredgewidth": 0.2}
PANEL_PT = 200
"""Width of a panel's data, in points, roughly."""
PANELS = (
    ("ept_kwh", "EPT: energy per completed trial", "energy per trial"),
    ("twh_kwh", "TWH: energy attributed to a trial", "energy per trial"),
    ("oc", "OC: job cost", "cost per job"),
    ("jct_ms", "JCT: job completion time", "time per job"),
)


@styled
def resource(
    runs: pd.DataFrame,
    experiment: str,
    converged: Sequence[Mapping] = (),
    unavailable: Sequence[Mapping] = (),
) -> Figure:
    """Four panels, EPT, TWH, OC and JCT against the treatment, a line per SUT.

    runs: the runs table of this experiment. converged, unavailable: the entries of
    convergence.json and unavailable.json. Medians are over completed runs; a run that ended by
    its deadline is shown hollow, a treatment without a completed trial as a cross on the axis, one
    with failed runs as a question mark there, the converged step in a ring.
    """
    if runs.empty:
        return nothing(experiment, no_runs(unavailable))
    axis = treatments.axis(runs)
    axis = _with_unavailable(axis, unavailable)
    found = groups(runs)
    figure = blank(PAGE_IN, 5.2)
    slot = min(9.0, 0.8 * axis.gap / axis.span * PANEL_PT / len(found))
    summaries: list[Summary] = []
    rings = False
    for axes, (name, title, what) in zip(
        figure.subplots(2, 2, sharex=True).flat, PANELS, strict=True
    ):
        scale = quantity.of_column(name, quantity.column(runs, name), runs)
        axes.set_title(title)
        axes.set_ylabel(f"{what} ({quantity.head(name, scale, runs)})")
        for index, group in enumerate(found):
            shift = (index - (len(found) - 1) / 2) * slot
            beside = (
                _moved(axes, shift),
                _moved(axes, shift + min(4.5, 0.6 * slot)),
                _moved(axes, shift, up=HOLE["markersize"]),
            )
            step = _step(sweep_of(group, converged), axis)
            curve = _curve(axes, group, name, scale.factor, axis, beside)
            summaries += curve.values()
            if step in curve:
                rings = True
                _ring(axes, step, curve[step].median, group.sut, beside[0])
        highest = (quantity.column(runs, name) * scale.factor).max()
        _finish(axes, axis, runs, highest if highest > 0 else 1.0)
        if not math.isfinite(highest):
            axes.set_yticks([])
            middle = {"ha": "center", "va": "center", "transform": axes.transAxes}
            axes.text(0.5, 0.5, "not on record", color=MUTED, **middle)
    for axes in figure.axes[2:]:
        axes.set_xlabel(axis.label)
    heading(figure, experiment, _handles(runs, found, axis, rings), columns=7)
    ends = [(group.name, sweep_of(group, converged)) for group in found]
    absent = absences(runs, unavailable)
    footnote(figure, _note(runs, axis, summaries, [e for e in ends if e[1]]) + absent)
    return figure


def _with_unavailable(axis: treatments.Axis, unavailable: Sequence[Mapping]) -> treatments.Axis:
    """Where treatments are words, those that nobody could run get a place of their own."""
    shown = {*axis.ticks.values(), *map(str, axis.keys)}
    labels = [entry["treatment"] for entry in unavailable if entry["treatment"]]
    more = {name: treatments.short(name) for name in dict.fromkeys(labels)}
    more = {name: text for name, text in more.items() if not {name, text} & shown}
    if not axis.is_words or not more:
        return axis
    return treatments.with_more(axis, more, {k: f"{v}\n(not available)" for k, v in more.items()})


def sweep_of(group: Group, converged: Sequence[Mapping]) -> Mapping | None:
    """How the sweep of these runs ended; None where they are of none."""
    samplers = set(group.runs["sampler"].dropna()) if "sampler" in group.runs else set()
    for sweep in converged:
        here = sweep["sut"] == group.sut and sweep["testbed"] == group.testbed
        if here and sweep["sampler"] in samplers:
            return sweep
    return None


def _step(state: Mapping | None, axis: treatments.Axis) -> float | None:
    """Place of the converged step of a SUT, None where there is none."""
    value = (state or {}).get("converged_value")
    if value is None:
        return None
    if isinstance(value, str):
        found = [k for k in axis.keys if value in (k, treatments.short(str(k)))]
        return axis.positions[found[0]] if found else None
    return axis.positions.get(float(value))


def _ring(axes: Axes, place: float, value: float, sut: str, moved: Transform) -> None:
    axes.plot([place], [value], color=mark(sut).colour, transform=moved, zorder=6, **RING)


def _moved(axes: Axes, points: float, up: float = 0) -> Transform:
    """Data coordinates, moved to the side, so that one SUT's marks do not hide another's."""
    return axes.transData + ScaledTranslation(points / 72, up / 72, axes.figure.dpi_scale_trans)


def _face(group: Group, colour: str) -> str:
    """White where a SUT stands for itself again, with another sampler or testbed."""
    return "white" if group.order else colour


def _curve(
    axes: Axes,
    group: Group,
    name: str,
    factor: float,
    axis: treatments.Axis,
    beside: tuple[Transform, Transform, Transform],
) -> dict[float, Summary]:
    """Draw one group's median line, bars and points; returns the summary of each place.

    beside: where the line and bars are, where the points, so that no median hides them, and
    where the marks of failed runs.
    """
    colour, marker = mark(group.sut)
    on_line, aside, above = beside
    runs = group.runs
    places = treatments.key(runs).map(axis.positions).astype(float)
    values = quantity.column(runs, name) * factor
    done, late = runs["status"] == "completed", runs["status"] == "deadline"
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
    never = runs["status"].eq("infeasible").groupby(places).any()
    crosses = [place for place in found if never[place] and not done[places == place].any()]
    holes = sorted(set(places[runs["status"] == FAILED]))
    for at, how, moved in ((crosses, CROSS, on_line), (holes, HOLE, above)):
        if at:
            zero = [0] * len(at)
            axes.plot(at, zero, color=colour, clip_on=False, transform=moved, zorder=5, **how)

    known = {place: each for place, each in found.items() if each.n}
    if not known:
        return {}
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
    axes.plot(  # over all places, so that the line breaks where one has no median
        list(found),
        [each.median for each in found.values()],
        color=colour,
        linestyle="none" if axis.is_words else DASHES[group.order % len(DASHES)],
        linewidth=1.2,
        marker=marker,
        markersize=4,
        markerfacecolor=_face(group, colour),
        markeredgecolor=colour if group.order else "white",
        markeredgewidth=0.5,
        zorder=4,
        transform=on_line,
    )
    return known


def _finish(axes: Axes, axis: treatments.Axis, runs: pd.DataFrame, top: float) -> None:
    shown = treatments.shown_ticks(axis)
    axes.set_xticks([axis.positions[k] for k in shown], [axis.ticks[k] for k in shown])
    axes.tick_params(labelbottom=True)
    places = sorted(axis.positions.values())
    axes.set_xlim(places[0] - axis.margin, places[-1] + axis.margin)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, top * 1.08)
    for place in _baselines(axis, runs):
        axes.axvline(place, zorder=0, **BASELINE)


def _baselines(axis: treatments.Axis, runs: pd.DataFrame) -> list[float]:
    if "is_baseline" not in runs or len(axis.keys) < 2:
        return []
    keys = treatments.key(runs)[runs["is_baseline"].fillna(False).astype(bool)]
    return sorted({axis.positions[key] for key in keys})


def _handles(
    runs: pd.DataFrame, found: list[Group], axis: treatments.Axis, rings: bool
) -> list[Line2D]:
    handles = []
    for group in found:
        colour, marker = mark(group.sut)
        handles.append(
            Line2D(
                [],
                [],
                color=colour,
                marker=marker,
                markersize=5,
                markerfacecolor=_face(group, colour),
                linestyle=DASHES[group.order % len(DASHES)],
                linewidth=1.2,
                label=group.name,
            )
        )
    plain = {"color": MUTED, "linestyle": "none"}
    if rings:
        handles.append(Line2D([], [], color=MUTED, label="converged step", **RING))
    if (runs["status"] == "infeasible").any():
        handles.append(Line2D([], [], label="infeasible", **CROSS, color=MUTED))
    if (runs["status"] == FAILED).any():
        handles.append(Line2D([], [], label="failed: not known", **HOLE, color=MUTED))
    if (runs["status"] == "deadline").any():
        hollow = {"marker": "o", "markerfacecolor": "none", "markersize": 3}
        handles.append(Line2D([], [], label="ended by deadline", **hollow, **plain))
    if _baselines(axis, runs):
        handles.append(Line2D([], [], label="baseline", **BASELINE))
    return handles


def _note(
    runs: pd.DataFrame,
    axis: treatments.Axis,
    summaries: list[Summary],
    ends: Sequence[tuple[str, Mapping]],
) -> str:
    """ends: name of a group and how its sweep ended."""
    bars = bars_said([pd.DataFrame(summaries, columns=Summary._fields)])
    middle = "Large" if axis.is_words else "Line"
    lines = [
        f"{middle}: median; points beside it: every repetition{bars}. "
        "TWH: over all started trials.",
        conditions(runs),
    ]
    not_converged = [
        f"{name}: {end['state']}" + (f" ({end['reason']})" if end.get("reason") else "")
        for name, end in ends
        if end.get("converged_value") is None
    ]
    if not_converged:
        lines.insert(1, f"No converged step. {'; '.join(not_converged)}.")
    if any(end.get("demonstration") for _, end in ends):
        lines.insert(1, "Ends of sweeps are demonstration only: fewer than five repetitions.")
    return "\n".join(lines)
