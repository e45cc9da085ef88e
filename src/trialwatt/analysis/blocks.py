"""Which runs may be compared within blocks: those of complete blocks of one plan."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from trialwatt.analysis.columns import number

_PLAN, _SIZE = "block_plan", "block_runs"
BLOCK = ("block", _PLAN, _SIZE)
"""Columns of the runs table that tell a run's block."""


def complete_blocks(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The runs that are of complete blocks of one plan, and sentences on what is left out.

    runs: rows of the runs table, of one scope or more. The rows come back with their index, and
    with `block` known for each: where a table is older than blocks, its repetitions are taken as
    such. Each testbed has its own plan: the one with the most complete blocks, of these the one
    with the most runs. A block is complete if it has every configuration that the blocks of its
    plan and size have (a sweep may grow from one block to the next, and the size with it).
    """
    known = _with_blocks(runs)
    kept: list[pd.DataFrame] = []
    said: list[str] = []
    for testbed, own in known.groupby("testbed", sort=True):
        plans = {str(plan): _complete(of_plan) for plan, of_plan in own.groupby(_PLAN, sort=True)}
        best = max(plans, key=lambda plan: (plans[plan]["block"].nunique(), len(plans[plan]), plan))
        kept.append(plans[best])
        said += _left_out(str(testbed), own, best, plans[best])
    rows = pd.concat(kept).sort_index(kind="stable") if kept else known
    return rows[list(dict.fromkeys([*runs.columns, "block"]))], said


def block_of(runs: pd.DataFrame) -> pd.Series:
    """The number of each run's block; where a table is older than blocks, of its repetition."""
    own = number(runs, "block")
    return own.where(own.notna(), number(runs, "repetition"))


def _with_blocks(runs: pd.DataFrame) -> pd.DataFrame:
    plan = runs[_PLAN].fillna("") if _PLAN in runs else ""
    size = runs[_SIZE].fillna(0) if _SIZE in runs else 0
    return runs.assign(block=block_of(runs).astype("int64"), **{_PLAN: plan, _SIZE: size})


def _complete(runs: pd.DataFrame) -> pd.DataFrame:
    """Of the runs of one plan."""
    there = runs.groupby([_SIZE, "block"])["hash"].transform("nunique")
    wanted = runs.groupby(_SIZE)["hash"].transform("nunique")
    return runs[there == wanted]


def _left_out(testbed: str, own: pd.DataFrame, plan: str, kept: pd.DataFrame) -> Iterator[str]:
    others = own[own[_PLAN] != plan]
    if len(others):
        yield (
            f"{testbed}: {_runs(others)} of {_numbers(others)} left out: they ran under another "
            f"plan ({', '.join(sorted({str(one) or 'not on record' for one in others[_PLAN]}))}), "
            f"and only complete blocks of one plan ({plan or 'not on record'}) are compared"
        )
    missing = own[(own[_PLAN] == plan) & ~own.index.isin(kept.index)]
    if len(missing):
        yield f"{testbed}: {_runs(missing)} of {_numbers(missing)} left out: not complete"


def _runs(rows: pd.DataFrame) -> str:
    count = len(rows[["hash", "block"]].drop_duplicates())
    return f"{count} run{'' if count == 1 else 's'}"


def _numbers(rows: pd.DataFrame) -> str:
    numbers = sorted(rows["block"].unique())
    words = ", ".join(map(str, numbers))
    return f"block {words}" if len(numbers) == 1 else f"blocks {words}"
