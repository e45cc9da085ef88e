"""The table of what frameworks cost: a row for each SUT and quantity of its law."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from trialwatt.analysis.framework_cost import (
    JOBS,
    REPORTING,
    SHARE,
    TERMS,
    TRIAL,
    Estimate,
    Law,
    in_job,
    laws,
)
from trialwatt.figures import quantity
from trialwatt.figures.absent import what_is_absent
from trialwatt.figures.notes import count_flagged, note
from trialwatt.figures.suts import in_order
from trialwatt.figures.tablefiles import Table
from trialwatt.metrics.dictionary import metric

_EVEN = (TRIAL, *map(in_job, JOBS), REPORTING)
_UNKNOWN = Estimate(math.nan, math.nan, math.nan)
_UNITS = {"energy": "J", "time": "s"}


def laws_in_order(runs: pd.DataFrame) -> list[Law]:
    """The laws of an experiment, SUT by SUT as everywhere."""
    found = laws(runs)
    order = in_order(law.sut for law in found)
    return sorted(found, key=lambda law: order.index(law.sut))


def costs(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Table:
    """What each SUT adds to a job of the control, to each trial and to each report.

    unavailable: what could not be run here, which the note tells.
    """
    found = laws_in_order(runs)
    tidy = pd.DataFrame([_row(law) for law in found])
    shown = pd.DataFrame([_shown(law) for law in found])
    return Table(
        f"{experiment}: what a framework costs",
        tidy,
        shown,
        _note(found, what_is_absent(runs, unavailable)),
    )


def unit_of(law: Law) -> str:
    """What its values are in: J, s or a currency."""
    return _UNITS.get(law.quantity.name) or quantity.currency(law.runs)


def scale_of(law: Law) -> quantity.Scale:
    """How its values are told: joules and seconds as they are, small sums in millionths."""
    if law.quantity.name in _UNITS:
        return quantity.Scale(1, unit_of(law))
    return quantity.money([term.value for term in law.terms.values()], unit_of(law))


def named(law: Law) -> str:
    """`JCT (s)`: the quantity, its unit, and whether it is modelled."""
    column = law.quantity.column
    return f"{metric(column).short} ({quantity.head(column, scale_of(law), law.runs)})"


def length(seconds: float) -> str:
    """A break-even length in seconds, in words where it is none."""
    if math.isinf(seconds):
        return "never"
    return "any" if seconds == 0 else quantity.number(seconds)


def _row(law: Law) -> dict:
    row = {
        "sut": law.sut,
        "testbed": law.testbed,
        "sampler": law.sampler,
        "control": law.control,
        "quantity": law.quantity.column,
        "unit": unit_of(law),
    }
    for name in TERMS:
        row |= _ends(f"per_{name}", law.terms.get(name, _UNKNOWN))
    row |= {"report_lacks": law.lacking.get("report", "")}
    row |= {"control_per_trial_s": law.plain_rate, "control_epoch_s": law.epoch_s}
    for name in _EVEN:
        known = law.break_even.get(name, _UNKNOWN)
        row |= _ends(f"break_even_{name.replace(' ', '_')}_s", known)
    return row | {
        "largest_residual": law.residual,
        "largest_difference": float(law.points["difference"].abs().max()),
        "blocks": law.blocks,
        "cells": len(law.points) // law.blocks,
        "spread": "interval" if law.compared else "range",
        "flagged": count_flagged(law.runs),
        "energy_method": quantity.methods(law.runs["energy_method"]),
    }


def _ends(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _shown(law: Law) -> dict[str, str]:
    factor = scale_of(law).factor
    row = {"SUT": law.sut, "of": named(law)}
    for name in TERMS:
        known = law.terms.get(name, _UNKNOWN)
        row[f"per {name}"] = _amounts(known, factor)
    heads = ["break-even trial (s)", *(f"in a {in_job(n)} (s)" for n in JOBS), "reporting (s)"]
    for head, name in zip(heads, _EVEN, strict=True):
        row[head] = _lengths(law.break_even.get(name, _UNKNOWN))
    row["largest residual"] = quantity.number(law.residual * factor)
    row["blocks"] = str(law.blocks)
    return row


def _amounts(known: Estimate, factor: float) -> str:
    """As a cell of the results; ends that may be negative stand apart by a word."""
    value, low, high = (quantity.number(v * factor).replace("-", "−") for v in known)
    return value if low == high else f"{value} ({low} to {high})"


def _lengths(known: Estimate) -> str:
    value, low, high = map(length, known)
    return value if low == high else f"{value} ({low}–{high})"


def _note(found: Sequence[Law], absent: Sequence[str]) -> str:
    if not found:
        return ""
    runs = pd.concat([law.runs for law in found]).drop_duplicates("folder")
    control = " or ".join(in_order(law.control for law in found))
    several = in_order(law.sut for law in found if law.lacking)
    said = (
        f"Job + trial × trials + report × reports: what a SUT adds to a job of {control} with "
        "equal trials, sampler and budget, by least squares over differences within blocks. "
        f"{spread_said(found)} Break-even: how long a trial of {control} must last for the SUT's "
        f"own cost of a trial to be below {100 * SHARE:g} % of what the trial takes; in a job of "
        "so many trials, with their part of the cost of the job; reporting, with a report after "
        "each epoch. Largest residual: of a cell's mean difference from the law. JCT begins after "
        "deployment; energy and OC hold it. "
    )
    if several:
        whys = dict.fromkeys(why for law in found for why in law.lacking.values())
        said += f"Per report is not identified for {', '.join(several)}: {'; '.join(whys)}. "
    return " ".join([note(runs, said), *absent])


def spread_said(found: Sequence[Law]) -> str:
    """What stands in brackets, with the number of blocks."""
    blocks = sorted({law.blocks for law in found})
    n = f"{blocks[0]}" if len(blocks) == 1 else f"{blocks[0]}–{blocks[-1]}"
    if all(law.compared for law in found):
        return f"In brackets the 95 % interval over {n} blocks."
    return f"In brackets smallest to largest of {n} blocks: a demonstration, no interval."
