"""How the treatments of an experiment are named and placed on an axis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from trialwatt.analysis.columns import unit, varied, with_unit
from trialwatt.config.factors import FACTORS, factor
from trialwatt.figures.quantity import column, spread

LOG_FROM = 16
"""Treatments that span a factor of this or more are spaced by their logarithm."""
LOG_GAP = 5
"""So are those with one gap that is larger than another by this factor: a sweep's steps and, far
from them, the baseline."""
MAX_TICKS = 9


@dataclass(frozen=True)
class Axis:
    """The treatments of one experiment, in order.

    positions: place on a linear axis per treatment key; ticks: text per key, physical allotment
    included where it differs; names: the same for a table's or a bar's row.
    """

    label: str
    keys: list
    positions: dict
    ticks: dict
    names: dict

    @property
    def gap(self) -> float:
        """Smallest distance between two treatments."""
        places = sorted(self.positions.values())
        return min((b - a for a, b in itertools.pairwise(places)), default=1.0)

    @property
    def is_words(self) -> bool:
        """Whether treatments are words, between which there is nothing for a line to say."""
        return not any(isinstance(k, float) for k in self.keys)

    @property
    def span(self) -> float:
        """Distance from the first to the last treatment, with room at the sides."""
        places = self.positions.values()
        return max(places) - min(places) + 2 * self.margin

    @property
    def margin(self) -> float:
        """Room beside the first and the last treatment."""
        places = self.positions.values()
        return max(0.7 * self.gap, 0.05 * (max(places) - min(places)))


def key(runs: pd.DataFrame) -> pd.Series:
    """What a treatment is known by: its value if that is a number of its own, else its label."""
    value, label = column(runs, "treatment_value"), runs["treatment"].astype(str)
    if (label.groupby(value).nunique() > 1).any():
        return label
    return value.astype(object).where(value.notna(), label)


def sampler_differs_within(runs: pd.DataFrame) -> bool:
    """Whether samplers differ within a treatment, so that the treatment does not tell them."""
    if "sampler" not in runs:
        return False
    return bool((runs["sampler"].groupby(key(runs)).nunique() > 1).any())


def axis(runs: pd.DataFrame) -> Axis:
    """The axis for these runs (of one experiment), by what it varies."""
    factors = [factor(name) for name in varied(runs)]
    one, counted_in = factors[0] if len(factors) == 1 else None, unit(runs)
    keys = key(runs)
    numbers = sorted({k for k in keys if isinstance(k, float)})
    words = list(dict.fromkeys(k for k in keys if not isinstance(k, float)))
    spoken = {k: f"{k:g}" for k in numbers} | {k: short(k) for k in words}
    if one == FACTORS["space"] and words:
        words, spoken = _sizes(runs, keys)
        numbers = []
    if words:
        # Whatever stands for "no strategy" goes first, so that the others follow what they change.
        words.sort(key=lambda k: spoken[k] != "none")
        positions = {k: float(i) for i, k in enumerate([*numbers, *words])}
    elif _is_spread(numbers):
        positions = {k: math.log2(k) for k in numbers}
    else:
        positions = {k: k for k in numbers}

    cores = column(runs, "cpu_physical")
    ticks, names = {}, {}
    for k in positions:
        ticks[k] = names[k] = spoken[k]
        if isinstance(k, float):
            names[k] = with_unit(spoken[k], counted_in)
        if one == FACTORS["workers.cpu"]:
            physical = spread(cores[keys == k])
            ticks[k] = f"{physical}\n({spoken[k]})"
            names[k] = f"{spoken[k]} vCPU ({physical} core)"
    each = spread(cores)
    several = " and ".join(each.short for each in factors) or "treatment"
    written = (one.label if one else "") or f"{several} ({{wn}} workers, {{cores}} each)"
    label = written.format(
        cores=f"{each} core" if each in ("1",) or each.startswith("0") else f"{each} cores",
        wn=spread(column(runs, "wn")),
    )
    return Axis(label, list(positions), positions, ticks, names)


def _is_spread(numbers: list[float]) -> bool:
    """Whether these rising numbers are spaced by their logarithm."""
    gaps = [b - a for a, b in itertools.pairwise(numbers)]
    if not gaps or numbers[0] <= 0:
        return False
    return numbers[-1] / numbers[0] >= LOG_FROM or max(gaps) >= LOG_GAP * min(gaps)


def short(label: str) -> str:
    """A treatment's label without the key that all of them share: `tpe` of `search.sampler=tpe`.

    Of several keys each keeps its last part: `sampler=tpe, budget=48`.
    """
    parts = label.split(", ")
    if len(parts) == 1:
        return label.split("=", 1)[-1]
    return ", ".join(
        f"{name.rsplit('.', 1)[-1]}={value}" if value else part
        for part in parts
        for name, _, value in [part.partition("=")]
    )


def _sizes(runs: pd.DataFrame, keys: pd.Series) -> tuple[list, dict]:
    """Spaces way by way, then by size: their keys in that order, and how they are called.

    What a way sets beside the space stands in its label: without a budget of its own a search
    has that of the whole space. The sampler is named unless groups are told apart by it.
    """
    several = "sampler" in runs and runs["sampler"].nunique() > 1
    named = several and not sampler_differs_within(runs)
    found = {}
    for k in keys.unique():
        here = runs[keys == k]
        way = {
            name.rsplit(".", 1)[-1]: value
            for name, _, value in (part.partition("=") for part in str(k).split(", "))
            if value and name != "space"
        }
        way.pop("sampler", None)
        samplers = "/".join(sorted(here["sampler"].dropna().unique())) if several else ""
        said = [samplers] if named else []
        said += [f"{name} {value}" for name, value in way.items()]
        found[k] = (len(way), said, column(here, "pS").min(), samplers)
    order = sorted(found, key=lambda k: (*found[k], str(k)))
    words = {k: ", ".join([f"{found[k][2]:g} points", *found[k][1]]) for k in order}
    if len({(words[k], found[k][3]) for k in order}) < len(order):  # what else differs
        words = {k: f"{word} ({short(str(k))})" for k, word in words.items()}
    return order, words


def shown_ticks(these: Axis) -> list:
    """The treatments that get a tick label: all, or an even choice where they are many."""
    every = math.ceil(len(these.keys) / MAX_TICKS)
    return these.keys[::every]


def with_more(these: Axis, names: Iterable[str], ticks: dict[str, str]) -> Axis:
    """The axis with further treatments at its end, for which there are no runs."""
    last = max(these.positions.values())
    more = {name: last + index for index, name in enumerate(names, start=1)}
    return Axis(
        these.label,
        [*these.keys, *more],
        these.positions | more,
        these.ticks | {name: ticks[name] for name in more},
        these.names | {name: ticks[name] for name in more},
    )


def sentence_of_n(counts: list[int]) -> str:
    """`n = 3`, or `n = 2–3` where it differs."""
    known = sorted({int(count) for count in counts})
    if not known:
        return "n = 0"
    return f"n = {known[0]}" if len(known) == 1 else f"n = {known[0]}–{known[-1]}"
