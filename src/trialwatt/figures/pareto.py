"""Score against energy: which treatments are beaten by no other in both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn.objects as so
from matplotlib.figure import Figure

from trialwatt.analysis.blocks import block_of
from trialwatt.analysis.convergence import REPETITIONS
from trialwatt.analysis.evidence import ALPHA
from trialwatt.analysis.hypotheses import RESAMPLES
from trialwatt.analysis.paired import fewest_blocks, paired
from trialwatt.analysis.permutation import between_levels, huber_scores
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.goal import Goal, goal_of
from trialwatt.figures.groups import groups
from trialwatt.figures.notes import note
from trialwatt.figures.panels import legend_of
from trialwatt.figures.style import (
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
from trialwatt.records.outcome import COMPLETED

_MOST_NAMES = 8


@styled
def pareto(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Figure:
    """A point per SUT and treatment, median job energy against median best score, with the ranges
    over its completed runs; the front is the points that no other beats in both.

    Nothing is drawn for fewer than five blocks, nor where scores do not differ between the points
    within blocks (p from 5 % on): such a front is one of seeds.
    """
    title = f"{experiment}: score against energy"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    absent = absences(runs, unavailable)
    done = runs[runs["status"] == COMPLETED]
    each = _each(done)
    if each.empty:
        return nothing(title, "no run has both an energy and a score on record.", absent)
    blocks = fewest_blocks(done)
    if blocks < REPETITIONS:
        why = f"a front of treatments takes {REPETITIONS} blocks, and there are {blocks}."
        return nothing(title, why, absent)
    p = chance(each["score"], each["name"], each["block"])
    if not p < ALPHA:
        said = f" (p = {quantity.number(p)})" if p == p else ""
        why = (
            "within a block the scores of treatments differ by no more than chance would have it"
            f"{said}: a front would be one of seeds."
        )
        return nothing(title, why, absent)
    points, goal = _points(each), goal_of(done)
    best = points.loc[front(points["energy"], points["score"], goal.sign)]
    scale = quantity.energy(points["energy"])
    figure = blank(PAGE_IN, 3.9)
    _draw(figure, points, best, scale.factor)
    (axes,) = figure.axes
    unit = quantity.head("job_energy_kwh", scale, done)
    axes.set(xlabel=f"energy per job ({unit})", ylabel=f"best validation {goal.score}")
    axes.set_xlim(left=0)
    line = legend_entry("front", color="black", linestyle="-")
    heading(figure, title, [*legend_of(done, each["sut"]), line], columns=7)
    footnote(figure, note(done, _note(best, each, goal)) + absent)
    return figure


def _each(done: pd.DataFrame) -> pd.DataFrame:
    """A line per completed run that has both: energy (kWh), score, block, sut, point's name."""
    axis, keys = treatments.axis(done), treatments.key(done)
    frame = pd.DataFrame(
        {
            "energy": quantity.column(done, "job_energy_kwh"),
            "score": quantity.column(done, "best_score"),
            "block": block_of(done),
            "sut": done["sut"].astype(str),
        }
    )
    names = {i: group.name for group in groups(done) for i in group.runs.index}
    named = [f"{names[i]}, {axis.names[key]}" for i, key in keys.items()]
    return frame.assign(name=named).dropna(subset=["energy", "score"])


def chance(scores: pd.Series, points: pd.Series, blocks: pd.Series) -> float:
    """p of the permutation test within blocks that scores differ between points; NaN where all of
    a block are equal, or no block has all points."""
    whole = paired(scores, pd.Series(False, scores.index), points, blocks)
    return between_levels(huber_scores(whole.values), RESAMPLES).p if whole.blocks else math.nan


def _points(each: pd.DataFrame) -> pd.DataFrame:
    """A line per point: medians and ends of the ranges."""
    both = each.groupby("name", sort=False)[["energy", "score"]]
    low, high = both.min().add_suffix("_low"), both.max().add_suffix("_high")
    suts = each.groupby("name", sort=False)["sut"].first()
    colours = suts.map(lambda sut: mark(sut).colour).rename("colour")
    return pd.concat([both.median(), low, high, suts, colours], axis=1).reset_index()


def _draw(figure: Figure, points: pd.DataFrame, best: pd.DataFrame, factor: float) -> None:
    """Points with both ranges, and the front as steps."""
    scaled = points.assign(
        **{name: points[name] * factor for name in ("energy", "energy_low", "energy_high")},
        front=best["score"],
    ).sort_values("energy", kind="stable")
    drawing = plot(scaled, x="energy", y="score", color="colour")
    across, up = {"ymin": "score_low", "ymax": "score_high"}, {"xmin": "energy_low"}
    thin = so.Range(linewidth=0.8)
    drawing = drawing.add(thin, legend=False, orient="x", **across)
    drawing = drawing.add(thin, legend=False, orient="y", **up, xmax="energy_high")
    line = so.Line(linewidth=1, color="black", artist_kws=STEPWISE)
    drawing = drawing.add(line, y="front", color=None, legend=False)
    large = so.Dot(pointsize=4.5, edgecolor="white", artist_kws={"zorder": 4})
    drawing = drawing.add(large, marker="sut", legend=False)
    drawing.label(x="", y="").on(figure).plot()


def front(energy: pd.Series, score: pd.Series, sign: int = 1) -> pd.Index:
    """Those that none other beats with less (or as much) energy and a better score, by energy.

    sign: of the goal, −1 where a lower score is better. Of several with the same energy and score
    the first is kept; missing values are not counted.
    """
    table = pd.DataFrame({"energy": energy, "score": sign * score}).dropna()
    table = table.sort_values(["energy", "score"], ascending=[True, False], kind="stable")
    before = table["score"].cummax().shift(fill_value=-np.inf)
    return table.index[table["score"] > before]


def _note(best: pd.DataFrame, each: pd.DataFrame, goal: Goal) -> str:
    """Who stands on the front, by energy, and what is drawn."""
    names = list(best["name"])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    counts = list(each.groupby("name").size())
    return (
        f"On the front, by energy: {'; '.join(names[:_MOST_NAMES])}{more}. Points: medians; bars: "
        f"smallest to largest value ({treatments.sentence_of_n(counts)}). {goal.said}: validation "
        "split.\n"
    )
