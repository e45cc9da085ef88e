"""The runs of all experiments, each once, as the page needs them: values, curve, origin."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from trialwatt.figures import quantity
from trialwatt.figures.anytime import priced
from trialwatt.figures.notes import texts
from trialwatt.metrics.dictionary import PLANNED, RUNS
from trialwatt.metrics.processes import PROCESSES, mapped
from trialwatt.metrics.series import anytime
from trialwatt.metrics.tables import read_trials
from trialwatt.page.labs import Lab
from trialwatt.page.lineage import Pool, origin
from trialwatt.summary.experiment import ExperimentSummary

_APART = (*PLANNED, "folder", "label", "space", "flags", "notes")
"""Columns that are told otherwise, or are not of the run alone."""
_CURVE = ("job_energy_kwh", "time_ms", "oc", "score")
_DIGITS = 6


def values() -> list[str]:
    """Columns of the runs table that are numbers, in their units."""
    return [c.name for c in RUNS if c.kind in ("whole", "real") and c.name not in _APART]


def words() -> list[str]:
    """Columns of the runs table that are told as they are."""
    return [c.name for c in RUNS if c.kind in ("text", "flag") and c.name not in _APART]


def described(
    lab: Lab,
    experiments: Iterable[ExperimentSummary],
    pools: Mapping[str, Pool],
    processes: int = PROCESSES,
) -> dict[str, dict]:
    """Folder (as the page calls it) → the run: words, values, origin, and its anytime curve.

    experiments: of Lab.read. Curves are those of the experiments that have that figure.
    """
    found: dict[str, dict] = {}
    wanted: dict[str, tuple[dict, pd.DataFrame]] = {}
    for summary in experiments:
        of_run = _trials(lab, summary) if "anytime" in summary.figures else None
        for run in summary.runs.to_dict("records"):
            folder = run["folder"]
            if folder not in found:
                found[folder] = _run(run) | origin(lab.results, run["own_folder"], pools)
                found[folder]["lab"] = lab.name
            if of_run is not None and run["status"] in ("completed", "deadline"):
                wanted[folder] = run, of_run.get(run["own_folder"], pd.DataFrame())
    curve = partial(_curve, lab.results)
    for folder, points in zip(wanted, mapped(curve, list(wanted.values()), processes), strict=True):
        found[folder]["curve"] = points
    return found


def _trials(lab: Lab, summary: ExperimentSummary) -> dict[str, pd.DataFrame]:
    """Folder below the lab's results → the rows of its trials."""
    file = lab.results / "metrics" / summary.id / "trials.parquet"
    trials = read_trials(file) if file.is_file() else pd.DataFrame()
    return dict(tuple(trials.groupby("folder"))) if len(trials) else {}


def plain(value: object) -> object:
    """A cell as JSON can say it; None where nothing is known."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def _run(run: Mapping) -> dict:
    told = {name: plain(run.get(name)) for name in words()}
    numbers = [_number(run.get(name)) for name in values()]
    remarks = [text for name in ("flags", "notes") for text in texts(run.get(name))]
    return told | {"values": numbers, "remarks": remarks}


def _number(value: object) -> float | int | None:
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value


def _curve(results: Path, of: tuple[dict, pd.DataFrame]) -> list[list]:
    """Columns of the curve, rounded to what can be seen."""
    run, trials = of
    curve = priced(anytime(results / run["own_folder"]), run, trials)
    return [[rounded(value) for value in quantity.column(curve, name)] for name in _CURVE]


def rounded(value: float) -> float | None:
    """As exact as can be seen in a plot."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
