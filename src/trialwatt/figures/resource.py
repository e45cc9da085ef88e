"""What a treatment of the workers does to energy, cost and time (R-Node, R-MEM, R-CPU, R-ACL)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn.objects as so
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.groups import Group, groups
from trialwatt.figures.notes import note
from trialwatt.figures.panels import Panel, bars_said, joined, points
from trialwatt.figures.style import (
    BASELINE,
    DASHES,
    MUTED,
    PAGE_IN,
    blank,
    footnote,
    heading,
    legend_entry,
    nothing,
    plot,
    styled,
)
from trialwatt.figures.suts import mark
from trialwatt.metrics.dictionary import shown_in
from trialwatt.records.outcome import FAILED

RING = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgewidth": 1.1}
CROSS = {"marker": "x", "markersize": 4.5}
HOLE = {"marker": "$?$", "markersize": 6, "markeredgewidth": 0.2}
PANEL_PT = 200
"""Width of a panel's data, in points, roughly."""


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
    axis = _with_unavailable(treatments.axis(runs), unavailable)
    found = groups(runs)
    placed = _placed(runs, found, axis, converged)
    panels = []
    for column in shown_in("resource"):
        values = quantity.column(runs, column.name)
        scale = quantity.of_column(column.name, values, runs)
        label = f"{column.label} ({quantity.head(column.name, scale, runs)})"
        frame = _marked(points(placed, values * scale.factor))
        panels.append(Panel(column.heading, label, frame))
    figure = blank(PAGE_IN, 5.2)
    _draw(figure, panels, axis)
    for axes, panel in zip(figure.axes, panels, strict=True):
        axes.set_ylabel(panel.label, visible=True)
        _finish(axes, axis, runs, panel.frame["value"].max())
    for axes in figure.axes[-2:]:
        axes.set_xlabel(axis.label)
    heading(figure, experiment, _handles(runs, found, axis, panels), columns=7)
    ends = [(group.name, end) for group in found if (end := sweep_of(group, converged))]
    footnote(figure, _note(runs, axis, panels, ends) + absences(runs, unavailable))
    return figure


def _placed(
    runs: pd.DataFrame, found: list[Group], axis: treatments.Axis, converged: Sequence[Mapping]
) -> pd.DataFrame:
    """On the index of runs, where each is drawn (x) and how its group looks.

    place: of the median, beside those of other groups; beside: of the repetition, so that no
    median hides it. is_step, never, failed: whether its treatment is the converged step of its
    group, has no completed run as it is infeasible, and has a failed one.
    """
    at = treatments.key(runs).map(axis.positions).astype(float)
    point = axis.span / PANEL_PT
    slot = min(9 * point, 0.8 * axis.gap / len(found))
    pieces = []
    for number, group in enumerate(found):
        here, status = at[group.runs.index], group.runs["status"]
        has = {
            each: (status == each).groupby(here).transform("any")
            for each in ("completed", "infeasible", FAILED)
        }
        place = here + (number - (len(found) - 1) / 2) * slot
        piece = pd.DataFrame({"sut": group.sut, "status": status, "place": place})
        pieces.append(
            piece.assign(
                group=number,
                beside=place + min(4.5 * point, 0.6 * slot),
                is_step=here == _step(sweep_of(group, converged), axis),
                never=has["infeasible"] & ~has["completed"],
                failed=has[FAILED],
                **_looks(group),
            )
        )
    return pd.concat(pieces)


def _marked(frame: pd.DataFrame) -> pd.DataFrame:
    """With the heights of what is drawn once per place: ring, cross and question mark.

    Medians come first, from left to right, so that a line over them breaks only where one lacks.
    """
    once, top = frame["n"].notna(), frame["value"].max()
    low, above = pd.Series(0.0, frame.index), 0.05 * top if top > 0 else 0.05
    return frame.assign(
        ring=frame["median"].where(frame["is_step"]),
        cross=low.where((once & frame["never"]).to_numpy()),
        hole=(low + above).where((once & frame["failed"]).to_numpy()),
        repeated=~once,
    ).sort_values(["repeated", "place"], kind="stable")


def _draw(figure: Figure, panels: Sequence[Panel], axis: treatments.Axis) -> None:
    """Every repetition, its group's medians with their bars, and the marks of places."""
    over = {"clip_on": False, "zorder": 5}
    small = so.Dot(pointsize=2.6, edgewidth=0.4, alpha=0.6)
    large = so.Dot(pointsize=4, artist_kws={"zorder": 4})
    looks = {"color": "face", "edgecolor": "edge", "marker": "sut"}
    layers = (
        (small, "beside", "value", {"marker": "sut", "fill": "completed"}),
        (so.Range(linewidth=0.8), "place", "low", {"ymin": "low", "ymax": "high"}),
        (so.Path(), "place", "median", {"linestyle": "dashes", "group": "group"}),
        (large, "place", "median", looks),
        (so.Dot(pointsize=9, fill=False, edgewidth=1.1), "place", "ring", {}),
        (so.Dot(marker="x", pointsize=4.5, artist_kws=over), "place", "cross", {}),
        (so.Dot(marker="$?$", pointsize=6, artist_kws=over), "place", "hole", {}),
    )
    frame = joined(panels)
    drawing = plot(frame, color="colour").facet("panel", wrap=2).share(y=False)
    for marks, x, y, mapped in layers:
        is_drawn = not (axis.is_words and "linestyle" in mapped)  # nothing lies between words
        if is_drawn and frame[y].notna().any():
            drawing = drawing.add(marks, orient="x", legend=False, x=x, y=y, **mapped)
    drawing.scale(edgecolor=None).label(x="", y="", title=str).on(figure).plot()


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


def _looks(group: Group) -> dict[str, str]:
    """White inside where a SUT stands for itself again, with another sampler or testbed."""
    colour = mark(group.sut).colour
    face, edge = ("white", colour) if group.order else (colour, "white")
    return {"colour": colour, "face": face, "edge": edge, "dashes": group.dashes}


def _finish(axes: Axes, axis: treatments.Axis, runs: pd.DataFrame, highest: float) -> None:
    shown = treatments.shown_ticks(axis)
    axes.set_xticks([axis.positions[k] for k in shown], [axis.ticks[k] for k in shown])
    axes.tick_params(labelbottom=True)
    places = sorted(axis.positions.values())
    axes.set_xlim(places[0] - axis.margin, places[-1] + axis.margin)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, 1.08 * highest if highest > 0 else 1.08)
    for place in _baselines(axis, runs):
        axes.axvline(place, zorder=0, **BASELINE)
    if math.isnan(highest):
        axes.set_yticks([])
        middle = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, "not on record", color=MUTED, **middle)


def _baselines(axis: treatments.Axis, runs: pd.DataFrame) -> list[float]:
    if "is_baseline" not in runs or len(axis.keys) < 2:
        return []
    keys = treatments.key(runs)[runs["is_baseline"].fillna(False).astype(bool)]
    return sorted({axis.positions[key] for key in keys})


def _handles(
    runs: pd.DataFrame, found: list[Group], axis: treatments.Axis, panels: Sequence[Panel]
) -> list[Line2D]:
    handles = [
        legend_entry(
            group.name,
            color=mark(group.sut).colour,
            marker=mark(group.sut).marker,
            markersize=5,
            markerfacecolor=_looks(group)["face"],
            linestyle=DASHES[group.dashes],
        )
        for group in found
    ]
    hollow = {"marker": "o", "markerfacecolor": "none", "markersize": 3}
    shown = runs["status"].eq
    rings = any(panel.frame["ring"].notna().any() for panel in panels)
    marks = (
        (rings, "converged step", RING),
        (shown("infeasible").any(), "infeasible", CROSS),
        (shown(FAILED).any(), "failed: not known", HOLE),
        (shown("deadline").any(), "ended by deadline", hollow),
        (bool(_baselines(axis, runs)), "baseline", BASELINE),
    )
    return handles + [
        legend_entry(words, **{"color": MUTED} | look)
        for is_there, words, look in marks
        if is_there
    ]


def _note(
    runs: pd.DataFrame,
    axis: treatments.Axis,
    panels: Sequence[Panel],
    ends: Sequence[tuple[str, Mapping]],
) -> str:
    """ends: name of a group and how its sweep ended."""
    middle = "Large" if axis.is_words else "Line"
    lines = [
        f"{middle}: median; points beside it: every repetition{bars_said(panels)}. "
        "TWH: over all started trials.",
    ]
    not_converged = [
        f"{name}: {end['state']}" + (f" ({end['reason']})" if end.get("reason") else "")
        for name, end in ends
        if end.get("converged_value") is None
    ]
    if not_converged:
        lines.insert(1, f"No converged step. {'; '.join(not_converged)}.")
    if any(end.get("demonstration") for _, end in ends):
        lines.insert(1, "Ends of sweeps are demonstration only: fewer than five blocks.")
    scouted = [f"{name}: {_scouted(end['scouted'])}" for name, end in ends if end.get("scouted")]
    if scouted:
        lines.insert(1, f"JCT of single runs that scouted, not counted: {'; '.join(scouted)}.")
    return note(runs, "\n".join([*lines, ""]))


def _scouted(runs: Sequence[tuple[float, float | None]]) -> str:
    """runs: treatment and JCT (ms), None where it did not complete."""
    told = ("none" if ms is None else f"{ms / 1e3:.3g} s" for _, ms in runs)
    return ", ".join(f"{value:g}: {one}" for (value, _), one in zip(runs, told, strict=True))
