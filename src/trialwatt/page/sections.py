"""One experiment of the page: its axis, groups, medians, tables, and what is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from trialwatt.analysis.columns import flag
from trialwatt.analysis.intervals import summary
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import grouped
from trialwatt.figures.goal import goal_of
from trialwatt.figures.groups import Group, groups
from trialwatt.figures.notes import conditions
from trialwatt.figures.waste import DEFINITION
from trialwatt.metrics.columns import Column
from trialwatt.metrics.dictionary import metric, shown_in
from trialwatt.page.runs import rounded, values
from trialwatt.page.tables import tables
from trialwatt.records.outcome import COMPLETED
from trialwatt.summary.experiment import ExperimentSummary

_CURVES = ("job_energy_kwh", "time_ms", "oc")
"""What had been spent by then, in the order in which the curves of page.runs have it."""


_WASTE = ("wtt_share", "wte_share", "wtc_share")


def panels() -> list[Column]:
    """What is plotted against the treatment: as in the figure of resources, then by choice."""
    return [*shown_in("resource"), *shown_in("page")]


def section(
    summary: ExperimentSummary, numbers: Mapping[str, int], curves: Mapping[str, list]
) -> dict:
    """Everything of one experiment but the runs themselves, as plain data.

    numbers: folder → the run's number on the page. curves: folder → its anytime curve.
    """
    found = {
        "id": summary.id,
        "title": summary.title,
        "heading": summary.heading,
        "lead": summary.lead,
        "not_shown": summary.not_shown,
        "absent": summary.absent,
        "gaps": [
            {"sut": each.sut, "names": list(each.treatments), "reason": each.reason}
            for each in grouped(summary.unavailable)
        ],
        "sweeps": summary.ended,
    }
    runs = summary.runs
    if runs.empty:
        return found | {"runs": [], "tables": []}
    axis, keys = treatments.axis(runs), treatments.key(runs)
    members = _groups(runs)
    points, cells = [], []
    for number, group in enumerate(members):
        for place, key in enumerate(axis.keys):
            here = group.runs[keys[group.runs.index] == key]
            if not len(here):
                continue
            points += [[numbers[folder], number, place] for folder in here["folder"]]
            done = here[here["status"] == COMPLETED]
            cells.append([number, place, [_spread(done, one.name) for one in panels()]])
    wanted = runs["folder"] if "anytime" in summary.figures else ()
    shown = [curves[folder] for folder in wanted if folder in curves]
    baseline = flag(runs, "is_baseline") == 1
    return found | {
        "conditions": conditions(runs),
        "axis": {
            "label": axis.label,
            "words": axis.is_words,
            "keys": [[axis.names[k], axis.ticks[k], axis.positions[k]] for k in axis.keys],
            "margin": axis.margin,
            "baseline": sorted({axis.keys.index(k) for k in keys[baseline]}),
        },
        "groups": [
            {
                "name": group.name,
                "sut": group.sut,
                "testbed": group.testbed,
                "order": group.order,
                "method": quantity.methods(group.runs["energy_method"]),
            }
            for group in members
        ],
        "runs": points,
        "cells": cells,
        "at_once": len(shown_in("resource")),
        "panels": {one.name: _scale(one, runs) for one in panels()},
        "waste": DEFINITION if "waste" in summary.figures else "",
        "waste_heads": {column.made_of: column.label for column in map(metric, _WASTE)},
        "curves": _curve_scales(shown, runs) if shown else None,
        "converged": _converged(members, summary.ends, axis),
        "tables": tables(summary),
    }


def _groups(runs: pd.DataFrame) -> list[Group]:
    """As everywhere, and apart by energy method, so that a filter never splits a median."""
    found = []
    for group in groups(runs):
        method = group.runs["energy_method"].map(lambda text: quantity.methods([text]))
        kinds = sorted(set(method))
        for kind in kinds:
            name = f"{group.name}, {kind}" if len(kinds) > 1 else group.name
            found.append(group._replace(name=name, runs=group.runs[method == kind]))
    return found


def _spread(done: pd.DataFrame, measure: str) -> list | None:
    found = summary(quantity.column(done, measure))
    if found.kind == "none":
        return None
    return [rounded(value) for value in (found.median, found.low, found.high)]


def _scale(column: Column, runs: pd.DataFrame) -> dict:
    """title, unit in brackets, factor to it, and where the value stands among the run's."""
    scale = quantity.of_column(column.name, quantity.column(runs, column.name), runs)
    return {
        "title": column.heading,
        "unit": scale.unit,
        "head": _head(column.name, scale, runs),
        "factor": scale.factor,
        "value": values().index(column.name),
        "energy": column.from_energy,
    }


def _head(measure: str, scale: quantity.Scale, runs: pd.DataFrame) -> str:
    """As everywhere; where only a part is modelled, each method is named."""
    head = quantity.head(measure, scale, runs)
    return head.replace("modelled", quantity.methods(runs["energy_method"]))


def _curve_scales(shown: Sequence[list], runs: pd.DataFrame) -> dict:
    columns = [[v for curve in shown for v in curve[place] if v is not None] for place in range(4)]
    first = sorted(curve[3][0] for curve in shown if curve[3])
    targets, goal = quantity.column(runs, "goal_target").dropna().unique(), goal_of(runs)
    axes = []
    for place, measure in enumerate(_CURVES):
        scale = quantity.of_column(measure, columns[place], runs)
        head = _head(measure, scale, runs)
        title = metric(measure).title
        axes.append({"title": title, "unit": scale.unit, "head": head, "factor": scale.factor})
    return {
        "axes": axes,
        "first": first[len(first) // 2] if first else None,
        "score": goal.score,
        "sign": goal.sign,
        "goals": sorted(float(target) for target in targets),
    }


def _converged(
    members: Sequence[Group], sweeps: Sequence[Mapping], axis: treatments.Axis
) -> list[list[int]]:
    """Which cells are the converged step of their sweep: [group, key]."""
    found = []
    for number, group in enumerate(members):
        samplers = set(group.runs["sampler"].dropna())
        for sweep in sweeps:
            mine = sweep["sut"] == group.sut and sweep["testbed"] == group.testbed
            value = sweep.get("converged_value")
            if mine and sweep["sampler"] in samplers and value in axis.keys:
                found.append([number, axis.keys.index(value)])
    return found
