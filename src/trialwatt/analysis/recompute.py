"""The metrics of runs that are done, under other power models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trialwatt.analysis.answers import RECORDED
from trialwatt.errors import TrialwattError
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.extract import compute
from trialwatt.metrics.processes import PROCESSES, mapped
from trialwatt.metrics.remodel import remodelled
from trialwatt.records.reader import read_run

_JOB = "job_energy_kwh"
_ROUNDING = 1e-9
"""Relative: what rounding to 1 µW leaves between a recorded energy and the same made anew."""


def recompute_run(
    folder: Path, context: MetricsContext, sets: Mapping[str, PowerParameters]
) -> dict[str, dict[str, Any]]:
    """Set name → the run's row of the runs table (without the plan's columns) under that set.

    The records are read once. Raises TrialwattError as `metrics.extract.extract_run` does.
    """
    try:
        records = read_run(folder)
        return {
            name: compute(remodelled(records, power), context, with_trials=False).run
            for name, power in sets.items()
        }
    except TrialwattError as error:
        raise TrialwattError(f"{folder}: {error}") from error


def tables_under(
    runs: pd.DataFrame,
    results: Path,
    context: MetricsContext,
    sets: Mapping[str, PowerParameters],
    processes: int = PROCESSES,
) -> dict[str, pd.DataFrame]:
    """The runs table as recorded, and again under each power model, for the hypotheses.

    runs: the runs table. results: the folder below which its `folder` column counts. context: the
    one that the table was made with. Only rows with modelled energy change. A run that stands in
    several experiments is read once. A model that gives the recorded energies is the recorded one:
    it is not among the tables again.
    """
    methods = runs["energy_method"].fillna("").astype(str)
    folders = sorted(set(runs.loc[methods.str.contains("modelled"), "folder"]))
    again = partial(_again, results=Path(results), context=context, sets=sets)
    found = dict(zip(folders, mapped(again, folders, processes), strict=True))
    tables = {name: _under(runs, partial(_row, found, name)) for name in sets}
    return {RECORDED: runs} | {
        name: table for name, table in tables.items() if not _same(table[_JOB], runs[_JOB])
    }


def _same(one: pd.Series, other: pd.Series) -> bool:
    return bool(np.allclose(one.astype(float), other.astype(float), _ROUNDING, 0, equal_nan=True))


def _again(
    folder: str, results: Path, context: MetricsContext, sets: Mapping[str, PowerParameters]
) -> dict[str, dict[str, Any]]:
    return recompute_run(results / folder, context, sets)


def _row(found: dict[str, dict[str, dict[str, Any]]], name: str, folder: str) -> dict[str, Any]:
    return found.get(folder, {}).get(name, {})


def _under(runs: pd.DataFrame, row_of: Callable[[str], dict[str, Any]]) -> pd.DataFrame:
    rows = [row | row_of(row["folder"]) for row in runs.to_dict("records")]
    return pd.DataFrame(rows, columns=runs.columns)
