"""How the treatments of an experiment are named and placed on an axis."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import pandas as pd

from trialwatt.figures.quantity import column, spread

LOG_FROM = 16
"""Treatments that span a factor of this or more are spaced by their logarithm."""
MAX_TICKS = 9


@dataclass(frozen=True)
class Axis:
    """The treatments of one experiment, in order.

    positions: place on a linear axis per treatment key; ticks: text per key, physical allotment
    included where it differs; names: the same for a table's or a bar's row.
    """

    title: str
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
    def span(self) -> float:
        """Distance from the first to the last treatment, with room at the sides."""
        places = self.positions.values()
        return max(places) - min(places) + 2 * self.margin

    @property
    def margin(self) -> float:
        """Room beside the first and the last treatment."""
        places = self.positions.values()
        return max(0.5 * self.gap, 0.05 * (max(places) - min(places)))


@dataclass(frozen=True)
class _Kind:
    title: str
    column: str
    unit: str
    label: str


_KINDS = {
    "r-node": _Kind("R-Node: number of workers", "wn", "workers", "workers ({cores} each)"),
    "r-mem": _Kind(
        "R-MEM: memory per worker",
        "wmem_mb",
        "MB",
        "memory per worker (MB; {wn} workers, {cores} each)",
    ),
    "r-cpu": _Kind(
        "R-CPU: vCPU per worker",
        "wcpu",
        "vCPU",
        "vCPU per worker, physical cores in brackets ({wn} workers)",
    ),
    "r-acl": _Kind(
        "R-ACL: accelerator per worker",
        "accelerator",
        "",
        "accelerator per worker ({wn} workers, {cores} each)",
    ),
}


def titled(experiment: str) -> str:
    """Title of an experiment that we know, else its identifier."""
    if experiment in _KINDS:
        return _KINDS[experiment].title
    return "Baseline" if experiment == "baseline" else experiment


def key(runs: pd.DataFrame) -> pd.Series:
    """What a treatment is known by: its value if it is a number, else its label."""
    value = column(runs, "treatment_value").astype(object)
    return value.where(value.notna(), runs["treatment"].astype(str))


def axis(runs: pd.DataFrame, experiment: str) -> Axis:
    """The axis for these runs (of one experiment)."""
    kind = _KINDS.get(experiment) or _guess(runs, experiment)
    keys = key(runs)
    numbers = sorted({k for k in keys if isinstance(k, float)})
    words = list(dict.fromkeys(k for k in keys if not isinstance(k, float)))
    if words:
        positions = {k: float(i) for i, k in enumerate([*numbers, *words])}
    elif numbers[0] > 0 and numbers[-1] / numbers[0] >= LOG_FROM:
        positions = {k: math.log2(k) for k in numbers}
    else:
        positions = {k: k for k in numbers}

    cores = column(runs, "cpu_physical")
    ticks, names = {}, {}
    for k in positions:
        text = f"{k:g}" if isinstance(k, float) else k
        ticks[k] = text
        unit = kind.unit.removesuffix("s") if k == 1 else kind.unit
        names[k] = f"{text} {unit}" if unit and isinstance(k, float) else text
        if kind.column == "wcpu":
            ticks[k] = f"{text}\n({spread(cores[keys == k])})"
            names[k] = f"{text} vCPU ({spread(cores[keys == k])} core)"
    each = spread(cores)
    label = kind.label.format(
        cores=f"{each} core" if each in ("1",) or each.startswith("0") else f"{each} cores",
        wn=spread(column(runs, "wn")),
    )
    return Axis(kind.title, label, list(positions), positions, ticks, names)


def shown_ticks(these: Axis) -> list:
    """The treatments that get a tick label: all, or an even choice where they are many."""
    every = math.ceil(len(these.keys) / MAX_TICKS)
    return these.keys[::every]


def _guess(runs: pd.DataFrame, experiment: str) -> _Kind:
    """For an experiment of the user's own: what varies in it decides."""
    varied = [kind for kind in _KINDS.values() if _varies(runs, kind.column)]
    if len(varied) == 1:
        return _Kind(titled(experiment), varied[0].column, varied[0].unit, varied[0].label)
    return _Kind(titled(experiment), "treatment", "", "treatment ({wn} workers, {cores} each)")


def _varies(runs: pd.DataFrame, name: str) -> bool:
    return name in runs and runs[name].nunique() > 1


def sentence_of_n(counts: list[int]) -> str:
    """`n = 3`, or `n = 2–3` where it differs."""
    known = sorted({int(count) for count in counts})
    if not known:
        return "n = 0"
    return f"n = {known[0]}" if len(known) == 1 else f"n = {known[0]}–{known[-1]}"
