"""Replayed searches at equal score: the energy until scores were reached that shares of the grid
have."""

from __future__ import annotations

import itertools
import math

import pandas as pd
from matplotlib.figure import Figure

from trialwatt.analysis.intervals import summary
from trialwatt.analysis.replayed import STRATEGY, at_scores
from trialwatt.figures import quantity, treatments
from trialwatt.figures.goal import goal_of
from trialwatt.figures.notes import room_in
from trialwatt.figures.style import (
    DASHES,
    LINES,
    PAGE_IN,
    blank,
    footnote,
    heading,
    legend_entry,
    nothing,
    styled,
)
from trialwatt.figures.suts import in_order
from trialwatt.figures.tablefiles import Table
from trialwatt.figures.tables import cell
from trialwatt.replay.experiment import ReplayedExperiment

_BEYOND = 1e300
"""kWh, in place of what a seed would need that missed the score."""
_COLUMNS = ["sut", "testbed", "treatment", "target"]
_POINTS = {"linewidth": 1.2, "marker": "o", "markersize": 3, "capsize": 2}
_SAID = (
    "Energy of the job until a completed trial had the score; of each measured seed the median of "
    "its searches by Kaplan and Meier, of the seeds the median with its interval of 95 % (below "
    "six seeds the range). A seed whose searches mostly missed the score counts as more than any "
    "other; where most seeds did, nothing is shown, and an interval may have no upper end."
)


def equal_score_table(replayed: ReplayedExperiment) -> pd.DataFrame:
    """A row per strategy and target: energy_kwh, low_kwh, high_kwh over the measured seeds, all NaN
    where most seeds' searches missed it, the last infinite where too many did; seeds, and reached:
    in how many most searches reached it."""
    found = []
    each = at_scores(replayed.searches, replayed.attained)
    for keys, rows in each.groupby([STRATEGY, *_COLUMNS], sort=True):
        known = summary(rows["energy_kwh"].fillna(_BEYOND))
        reached = int(rows["energy_kwh"].notna().sum())
        row = dict(zip([STRATEGY, *_COLUMNS], keys, strict=True))
        high = known.high if known.high < _BEYOND else math.inf
        ends = {"energy_kwh": known.median, "low_kwh": known.low, "high_kwh": high}
        if 2 * reached <= len(rows):
            ends = dict.fromkeys(ends, math.nan)
        found.append(row | ends | {"reached": reached, "seeds": len(rows)})
    return pd.DataFrame(found)


def equal_score(replayed: ReplayedExperiment, cells: pd.DataFrame, title: str, note: str) -> Table:
    """The table of `equal_score_table`, a row per strategy and a column per score.

    cells: its searches in the shape of a runs table.
    """
    tidy = equal_score_table(replayed)
    scale = quantity.energy(tidy["energy_kwh"])
    keys = [STRATEGY, "sut", "treatment"]
    shown = tidy.assign(cell=[_cell(row, scale.factor) for row in tidy.to_dict("records")])
    wide = shown.pivot(index=keys, columns="target", values="cell").reset_index()
    wide = wide.drop(columns=STRATEGY).rename(columns={"sut": "SUT"})
    wide["treatment"] = wide["treatment"].map(treatments.short)
    wide.columns = [quantity.number(c) if isinstance(c, float) else str(c) for c in wide.columns]
    said = f"In {_head(cells, scale)}, until {goal_of(cells).score} was as good. "
    return Table(f"{title}: energy at equal score", tidy, wide, f"{said}{_SAID}\n{note}")


@styled
def equal_score_figure(
    replayed: ReplayedExperiment, cells: pd.DataFrame, title: str, note: str
) -> Figure:
    """A panel per SUT, a line per strategy: energy against the score that was reached."""
    title = f"{title}: energy at equal score"
    tidy = equal_score_table(replayed)
    known = tidy.dropna(subset="energy_kwh")
    if known.empty:
        return nothing(title, "no strategy reached any of the scores in most of its searches.")
    scale = quantity.energy(known["energy_kwh"])
    highest = known[["energy_kwh", "high_kwh"]].replace(math.inf, math.nan).max(axis=None)
    top = 1.1 * highest * scale.factor
    names = list(dict.fromkeys(tidy["treatment"]))
    looks = {
        name: {"color": colour, "linestyle": DASHES[dashes]}
        for name, (colour, dashes) in zip(names, itertools.cycle(LINES), strict=False)
    }
    step = 0.006 * (known["target"].max() - known["target"].min())  # so that bars do not overlap
    figure, suts = blank(PAGE_IN, 2.7 + room_in(cells)), in_order(tidy["sut"])
    first = None
    for place, sut in enumerate(suts):
        axes = first = figure.add_subplot(1, len(suts), place + 1, sharex=first, sharey=first)
        own = known[known["sut"] == sut]
        for aside, (name, rows) in enumerate(own.groupby("treatment", sort=False)):
            energy = rows["energy_kwh"] * scale.factor
            ends = [
                energy - rows["low_kwh"] * scale.factor,
                (rows["high_kwh"] * scale.factor).clip(upper=top) - energy,
            ]
            axes.errorbar(
                rows["target"] + aside * step, energy, ends, **looks[str(name)], **_POINTS
            )
        axes.set(title=sut, xlabel=goal_of(cells).said, ylim=(0, top))
        if not place:
            axes.set_ylabel(f"replayed energy\n({_head(cells, scale)})")
    handles = [legend_entry(treatments.short(name), **look) for name, look in looks.items()]
    heading(figure, title, handles, columns=5)
    footnote(figure, f"{_SAID}\n{note}")
    return figure


def _head(cells: pd.DataFrame, scale: quantity.Scale) -> str:
    return quantity.head("energy_to_goal_kwh", scale, cells)


def _cell(row: dict, factor: float) -> str:
    if pd.isna(row["energy_kwh"]):
        return f"missed ({row['reached']} of {row['seeds']} seeds)"
    found = cell(row["energy_kwh"], row["low_kwh"], row["high_kwh"], factor)
    return found.replace("––)", "–missed)")
