"""What a framework costs, as a law over jobs, trials and reports (docs/analysis.md)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from trialwatt.analysis import intervals
from trialwatt.analysis.blocks import complete_blocks
from trialwatt.analysis.columns import groups, number, of_control
from trialwatt.analysis.convergence import REPETITIONS
from trialwatt.config.factors import FACTORS
from trialwatt.metrics.formulas import J_PER_KWH
from trialwatt.records.outcome import COMPLETED

SHARE = 0.05
"""A framework that costs less than this share of its trials is broken even with."""
JOBS = (24, 100)
"""Trials over which the cost of a job itself is spread, in a second and a third break-even."""
TRIAL, REPORTING = "trial", "reporting"
TERMS = ("job", "trial", "report")
_RESAMPLES = 4999
_AMOUNTS = ["budget", "epochs"]
_FREE = {*_AMOUNTS, "pruner"}
_SCOPE = ["testbed", *(f.column for f in FACTORS.values() if f.column not in _FREE), "space"]
_S_PER_MS = 1e-3


@dataclass(frozen=True)
class Quantity:
    """What is paid: column of the runs table, factor to the unit that is told; of_trials: the
    column of what the trials themselves take of it, empty for time."""

    name: str
    column: str
    factor: float
    of_trials: str


QUANTITIES = (
    Quantity("energy", "job_energy_kwh", J_PER_KWH, "trials_energy_kwh"),
    Quantity("time", "jct_ms", _S_PER_MS, ""),
    Quantity("cost", "oc", 1.0, "trials_cost"),
)
"""In J, s and the currency of the price table."""


class Estimate(NamedTuple):
    """low, high: 95 % interval over blocks, or below five blocks the range of the blocks' own."""

    value: float
    low: float
    high: float

    @property
    def is_told_apart(self) -> bool:
        """Whether it differs from nothing by more than its spread."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Law:
    """What a SUT adds to the control's job: job + trial × trials + report × reports.

    Energies in J, times in s of JCT, costs in currency. terms: in the order of TERMS, as many as
    are identified. lacking: of each other term, why it is not. plain_rate: what the control's
    trials take for each second that they last; epoch_s: how much longer one more epoch makes
    them. break_even: seconds that a trial of the control lasts, from which on the framework takes
    less than SHARE of what the trials take: 0 where it always does, infinite where it never does.
    Its keys: TRIAL, of a trial alone; in_job(n), with an n-th of the job's part; REPORTING, of a
    trial that reports after each epoch, where that is identified. points: a row per block and
    cell with `block`, `trials`, `epochs`, `reports`, `difference`. residual: the largest distance
    of a cell's mean difference from the law. per_block: (blocks, terms) the fit of each block.
    compared: whether there are as many blocks as a comparison needs.
    """

    sut: str
    testbed: str
    sampler: str
    control: str
    quantity: Quantity
    blocks: int
    terms: dict[str, Estimate]
    lacking: dict[str, str]
    plain_rate: float
    epoch_s: float
    break_even: dict[str, Estimate]
    residual: float
    per_block: np.ndarray = field(repr=False)
    points: pd.DataFrame = field(repr=False)
    runs: pd.DataFrame = field(repr=False)

    @property
    def compared(self) -> bool:
        return self.blocks >= REPETITIONS

    def cost(self, trials: float | np.ndarray, reports: float = 0.0) -> float | np.ndarray:
        """What the law says of a job."""
        amounts = dict(zip(TERMS, (1.0, trials, reports), strict=True))
        return sum(term.value * amounts[name] for name, term in self.terms.items())


def laws(runs: pd.DataFrame) -> list[Law]:
    """The law of each SUT and quantity, within a testbed, sampler and all else that is equal.

    runs: the runs table of an experiment. Of what ran once, or has no control, there is none.
    """
    if runs.empty or not {*_AMOUNTS, "hash"} <= set(runs):
        return []
    kept, _ = complete_blocks(runs)
    kept = _same_work(kept[kept["status"] == COMPLETED])
    found = []
    for _, rows in groups(kept, _SCOPE):
        mine = of_control(rows)
        for _, control in rows[mine].groupby("sut", sort=True):
            for _, own in rows[~mine].groupby("sut", sort=True):
                found += [law for one in QUANTITIES if (law := _law(own, control, one))]
            break  # of several controls the first
    return found


def _same_work(runs: pd.DataFrame) -> pd.DataFrame:
    """Without the runs whose pruner stopped trials, or whose trials failed: they trained less."""
    less = number(runs, "trials_pruned").fillna(0) + number(runs, "trials_failed").fillna(0)
    return runs[less == 0]


def _law(own: pd.DataFrame, control: pd.DataFrame, quantity: Quantity) -> Law | None:
    """None where fewer than two numbers of trials are there to tell a slope by."""
    points = _paired(own, control, quantity)
    blocks = list(points.groupby("block", sort=True))
    if not blocks or points["trials"].nunique() < 2:
        return None
    identified = list(_identified(points))
    lacking = {} if "report" in identified else {"report": _no_report(points)}
    per_block = np.array([_fit(part, identified) for _, part in blocks])
    rates = _rates(control, quantity, [block for block, _ in blocks])
    drawn = intervals.resampled(len(blocks), _RESAMPLES)
    middle = per_block.mean(axis=0)
    epoch_s = _epoch_s(control)
    means, mean_rates = per_block[drawn].mean(axis=1), rates[drawn].mean(axis=1)
    even = {}
    for name in (TRIAL, *map(in_job, JOBS), *([REPORTING] if "report" in identified else [])):
        sample = _break_even(name, means, mean_rates, epoch_s)
        each = _break_even(name, per_block, rates, epoch_s)
        value = _break_even(name, middle[None], rates.mean()[None], epoch_s)
        even[name] = Estimate(float(value[0]), *_spread_of(sample, each))
    cells = points.groupby(["trials", "epochs", "reports"])
    fitted = _design(points, identified) @ middle
    far = (points["difference"] - fitted).groupby(cells.ngroup()).mean().abs().max()
    first = own.iloc[0]
    return Law(
        sut=str(first["sut"]),
        testbed=str(first["testbed"]),
        sampler=str(first["sampler"]),
        control=str(control["sut"].iloc[0]),
        quantity=quantity,
        blocks=len(blocks),
        terms={
            name: Estimate(float(middle[i]), *_interval(per_block[:, i]))
            for i, name in enumerate(identified)
        },
        lacking=lacking,
        plain_rate=float(rates.mean()),
        epoch_s=epoch_s,
        break_even=even,
        residual=float(far),
        per_block=per_block,
        points=points,
        runs=pd.concat([own, control]),
    )


def _paired(own: pd.DataFrame, control: pd.DataFrame, quantity: Quantity) -> pd.DataFrame:
    """A row per block and cell, of the blocks in which the SUT and the control have every cell."""
    like = ["block", *_AMOUNTS]
    control = control[number(control, "reports").fillna(0) == 0]
    values = number(control, quantity.column) * quantity.factor
    base = values.groupby([control[name] for name in like]).median().rename("base")
    rows = pd.DataFrame(
        {
            **{name: own[name] for name in ("block", *_AMOUNTS, "hash")},
            "trials": number(own, "trials_started"),
            "reports": number(own, "reports").fillna(0),
            "value": number(own, quantity.column) * quantity.factor,
        }
    ).join(base, on=like)
    paired_in = rows.groupby("hash")["base"].transform("count") > 0
    rows = rows[paired_in]  # a cell that the control never had is none
    whole = rows.dropna(subset=["value", "base"])
    counts = whole.groupby("block")["hash"].transform("nunique")
    whole = whole[counts == rows["hash"].nunique()]
    points = whole.assign(difference=whole["value"] - whole["base"])
    return points[["block", "trials", "epochs", "reports", "difference"]].reset_index(drop=True)


def _design(points: pd.DataFrame, terms: Sequence[str]) -> np.ndarray:
    """(rows, terms): 1, trials, reports."""
    amounts = {"job": np.ones(len(points)), "trial": points["trials"], "report": points["reports"]}
    return np.column_stack([np.asarray(amounts[name], float) for name in terms])


def _identified(points: pd.DataFrame) -> Iterator[str]:
    """The terms that these cells tell apart from those before them."""
    known: list[str] = []
    for name in TERMS:
        if np.linalg.matrix_rank(_design(points, [*known, name])) > len(known):
            known.append(name)
            yield name


def _no_report(points: pd.DataFrame) -> str:
    if not points["reports"].any():
        return "no reports"
    return "reports rise with trials alone"


def _fit(points: pd.DataFrame, terms: Sequence[str]) -> np.ndarray:
    return np.linalg.lstsq(_design(points, terms), points["difference"].to_numpy(), rcond=None)[0]


def _rates(control: pd.DataFrame, quantity: Quantity, blocks: Sequence[object]) -> np.ndarray:
    """(blocks,) what the control's trials take per second that they last, NaN where not known.

    Of time that is the part of it for which a job must wait, with so many workers side by side.
    """
    if not quantity.of_trials:
        return np.full(len(blocks), 1 / float(number(control, "wn").median()))
    taken = (number(control, quantity.of_trials) * quantity.factor).groupby(control["block"]).sum()
    lasted = (number(control, "trials_time_ms") * _S_PER_MS).groupby(control["block"]).sum()
    return (taken / lasted).reindex(blocks).to_numpy(float)


def _epoch_s(control: pd.DataFrame) -> float:
    """By how many seconds one more epoch makes a trial of the control longer; NaN of one length."""
    lasts = number(control, "trials_time_ms") * _S_PER_MS / number(control, "trials_started")
    known = lasts.notna()
    if control.loc[known, "epochs"].nunique() < 2:
        return math.nan
    return float(np.polyfit(control.loc[known, "epochs"].astype(float), lasts[known], 1)[0])


def in_job(trials: int) -> str:
    """The break-even of a trial with its part of what the job itself costs."""
    return f"job of {trials}"


def _break_even(name: str, terms: np.ndarray, rates: np.ndarray, epoch_s: float) -> np.ndarray:
    """(n,) seconds. terms: (n, terms) job, trial, report; rates: (n,).

    A trial of length L pays fixed + L × growing, and may pay L × SHARE × rate.
    """
    fixed, growing = terms[:, 1].copy(), np.zeros(len(terms))
    for jobs in JOBS:
        fixed += terms[:, 0] / jobs if name == in_job(jobs) else 0.0
    if name == REPORTING:
        growing = terms[:, 2] / epoch_s
    left = SHARE * rates - growing
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.where(left > 0, np.maximum(fixed, 0.0) / left, math.inf)
    return np.where(np.isnan(left), math.nan, length)


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Of a mean over blocks: Student's; of fewer than a comparison needs, their range."""
    if len(values) < REPETITIONS:
        return float(values.min()), float(values.max())
    return intervals.of_mean(values)


def _spread_of(sample: np.ndarray, each: np.ndarray) -> tuple[float, float]:
    """Of what is no mean: by the bootstrap over blocks, or the range of the blocks' own."""
    if len(each) < REPETITIONS:
        return float(each.min()), float(each.max())
    return intervals.over_blocks(sample, len(each))
