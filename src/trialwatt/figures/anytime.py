"""The anytime curve: the best score so far against what had been spent by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn.objects as so
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from trialwatt.analysis.columns import varied
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.goal import Goal, goal_of
from trialwatt.figures.groups import groups
from trialwatt.figures.notes import note
from trialwatt.figures.style import (
    DASHES,
    LINES,
    MUTED,
    PAGE_IN,
    STEPWISE,
    blank,
    footnote,
    heading,
    legend_entry,
    nothing,
    plot,
    styled,
)
from trialwatt.figures.suts import mark
from trialwatt.metrics.dictionary import metric

GOAL = {"color": "black", "linewidth": 0.8, "linestyle": (0, (4, 2))}
_SPENT = ("time_ms", "job_energy_kwh", "oc")


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
    title = f"{experiment}: best score so far"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    absent = absences(runs, unavailable)
    if curves.empty:
        return nothing(title, "no trial of it was completed with a score.", absent)
    shown = runs[runs["folder"].isin(curves["folder"])]
    lines = line_of_each(shown)
    heads = list(dict.fromkeys(lines["head"]))
    scales = {column: quantity.of_column(column, curves[column], runs) for column in _SPENT}
    goal = goal_of(shown)
    figure = blank(PAGE_IN, 1.5 + (1.55 if len(heads) > 1 else 2.2) * len(heads))
    _draw(figure, _tidy(lines, curves, scales, goal.sign), lines)
    targets = quantity.column(shown, "goal_target").dropna()
    begin, end = _ends(curves["score"], _first(curves), targets, goal.sign)
    grid = np.reshape(figure.axes, (len(heads), len(_SPENT)))
    for line, head in zip(grid, heads, strict=True):
        for axes in line:
            axes.set_title(head if axes is line[0] else "")
            for target in targets.unique():
                axes.axhline(target, zorder=1, **GOAL)
        line[0].set_ylabel(f"best {goal.score} so far")
    least = 1e-9 * max(1, abs(end))
    grid[0, 0].set_ylim(
        *sorted([begin - 0.03 * (end - begin), end + 0.05 * (end - begin) + goal.sign * least])
    )
    for axes, column in zip(grid[-1], _SPENT, strict=True):
        axes.set_xlim(left=0)  # the panels of a column share it
        axes.set_xlabel(f"{metric(column).title} ({quantity.head(column, scales[column], runs)})")
        if curves[column].isna().all():
            middle = {"ha": "center", "va": "center", "transform": axes.transAxes}
            axes.text(0.5, 0.5, "not on record", color=MUTED, **middle)
    heading(figure, title, _handles(shown, lines), columns=8)
    counts = lines.groupby(["head", "name"]).size().tolist()
    footnote(figure, _note(shown, curves, begin, goal, counts) + absent)
    return figure


def _tidy(
    lines: pd.DataFrame, curves: pd.DataFrame, scales: Mapping[str, quantity.Scale], sign: int
) -> pd.DataFrame:
    """The corners of each repetition, with a gap after it, and those of the medians: head and
    name, column, what was spent of it by then (scaled), score or median."""
    of_curve = ["head", "name", "colour", "dashes", "column"]
    each = lines.merge(curves, on="folder").melt(
        [*of_curve[:4], "folder", "score"], list(scales), "column", "spent"
    )
    each["spent"] *= each["column"].map({name: scale.factor for name, scale in scales.items()})
    known = each["spent"].notna().groupby([each[key] for key in (*of_curve, "folder")])
    each = each[known.transform("all")]
    last = each.drop_duplicates([*of_curve, "folder"], keep="last").assign(score=np.nan)
    medians = [
        median_curve(here, sign).assign(**dict(zip(of_curve, key, strict=True)))
        for key, here in each.groupby(of_curve, sort=False)
    ]
    gapped = pd.concat([each, last]).sort_index(kind="stable")
    return pd.concat([gapped, *medians], ignore_index=True).assign(sut="")


def _draw(figure: Figure, frame: pd.DataFrame, lines: pd.DataFrame) -> None:
    """A row of panels per head, a column per what was spent; each repetition, and the medians."""
    heads = list(dict.fromkeys(lines["head"]))
    each = so.Path(linewidth=0.5, alpha=0.3, artist_kws=STEPWISE | {"zorder": 2})
    median = so.Path(linewidth=1.4, artist_kws=STEPWISE)
    (
        plot(frame, x="spent", color="colour", linestyle="dashes")
        .facet("column", "head", order={"col": list(_SPENT), "row": heads})
        .share(x="col")
        .add(each, y="score", legend=False)
        .add(median, y="median", legend=False)
        .label(x="", y="")
        .on(figure)
        .plot()
    )


def _handles(runs: pd.DataFrame, lines: pd.DataFrame) -> list[Line2D]:
    order = list(treatments.axis(runs).names.values())
    named = lines.drop_duplicates("name").set_index("name")
    handles = [
        legend_entry(
            name, linewidth=1.4, color=named.colour[name], linestyle=DASHES[named.dashes[name]]
        )
        for name in dict.fromkeys([*order, *named.index])
        if name in named.index
    ]
    if quantity.column(runs, "goal_target").notna().any():
        handles.append(legend_entry("goal tg", **GOAL))
    return handles


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


def median_curve(curves: pd.DataFrame, sign: int = 1) -> pd.DataFrame:
    """Median best-so-far over repetitions, as a step function: its corners, `spent` and `median`.

    curves: the corners of each repetition: folder, spent, score, in their order. sign: of the goal,
    −1 where less is better. A repetition counts as worse than any score before its first one, and
    keeps its best after its last, so that the median begins where more than half of them have a
    score.
    """
    best = curves.pivot_table("score", "spent", "folder", aggfunc="last").ffill()
    middle = best.fillna(-sign * np.inf).median(axis=1)
    return middle[np.isfinite(middle)].rename("median").reset_index()


def line_of_each(runs: pd.DataFrame) -> pd.DataFrame:
    """Of each run the line that it is a repetition of: folder, head (of its row of panels), name,
    colour and dashes. With one treatment a line per SUT, else one per treatment."""
    axis, keys = treatments.axis(runs), treatments.key(runs)
    names = list(dict.fromkeys(axis.names.values()))
    found = []
    for group in groups(runs):
        here = group.runs[["folder"]].assign(name=keys.map(axis.names), head=group.name)
        order = here["name"].map(names.index)
        looks = [LINES[number % len(LINES)] for number in order]
        if len(axis.keys) == 1:
            here = here.assign(name=group.name, head=names[0] if varied(runs) else "")
            looks = [(mark(group.sut).colour, group.dashes)] * len(here)
        here["colour"], here["dashes"] = (list(part) for part in zip(*looks, strict=True))
        found.append(here.iloc[order.argsort(kind="stable")])
    return pd.concat(found)


def _first(curves: pd.DataFrame) -> float:
    """The median first score."""
    return float(curves.groupby("folder")["score"].first().median())


def _ends(scores: pd.Series, first: float, targets: pd.Series, sign: int) -> tuple[float, float]:
    """The ends of the axis of scores, the worse one and the better one.

    It begins at the median first score, so that the approach to the best shows.
    """
    better = sign * pd.concat([scores, targets]).astype(float)
    return sign * min([sign * first, *(sign * targets)]), sign * better.max()


def _note(
    runs: pd.DataFrame, curves: pd.DataFrame, begin: float, goal: Goal, counts: list[int]
) -> str:
    said = [
        "Thick: median over repetitions, from where more than half have a score; "
        f"faint: each repetition ({treatments.sentence_of_n(counts)}). "
        f"{goal.said}: validation split, known when its trial ends.",
        "Energy and cost: the whole job's since deploy.",
    ]
    if (goal.sign * curves["score"]).min() < goal.sign * begin:
        said.append("The axis begins at the median first score, or at a worse goal.")
    reached = runs.get("goal_censored")
    if reached is not None and reached.notna().any():
        missed = int(reached.dropna().astype(bool).sum())
        said.append(f"Goal not reached: {missed} of {len(runs)} runs.")
    return note(runs, " ".join(said) + "\n")
