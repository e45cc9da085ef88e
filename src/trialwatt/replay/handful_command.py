"""What `trialwatt estimate` says of a handful of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from trialwatt.config.plan import NAME as PLAN
from trialwatt.config.plan import Plan
from trialwatt.errors import TrialwattError
from trialwatt.provenance.plans import read_plan
from trialwatt.replay.estimate_command import in_columns, number
from trialwatt.replay.handful import Handful, Predicted, handful_of, predicted, runs_below
from trialwatt.replay.laws import laws_of
from trialwatt.suts import names

_FEW_JOBS = 5


def handful_estimate(
    folder: Path,
    suts: Sequence[str],
    budget: int | None,
    workers: int | None,
    costs: Path | None,
    flagged: bool,
) -> str:
    """What the next job of so many trials will take, by each SUT of which that can be told."""
    handful = handful_of(runs_below(folder), _plan_above(folder).context)
    flags = sorted({source.flags for run in handful.runs for source in run.facts.sources} - {""})
    if flags and not flagged:
        raise TrialwattError(
            f"{folder}: flagged runs ({flags[0]}); measure them again, or allow them (--flagged), "
            "and say so wherever you show what was estimated"
        )
    workload = handful.config.workload
    laws, notes = None, list[str]()
    if costs is not None:
        laws, notes = laws_of(costs, handful.facts, workload, workers)
    count = workers or workload.workers.count
    trials = budget or round(handful.trials / len(handful.runs))
    found, left_out = dict[str, dict[str, Predicted]](), dict[str, str]()
    for sut in suts or names():
        try:
            found[sut] = predicted(handful, sut, trials, count, laws)
        except TrialwattError as error:
            left_out[sut] = str(error)
    if not found:
        raise TrialwattError("; ".join(left_out.values()))
    return "\n".join(
        [
            *_told(handful, found, trials, count, laws is not None),
            *(f"the runs are flagged: {flag}" for flag in flags),
            *(f"note: {note}" for note in notes),
            *(f"not estimated: {why}" for why in left_out.values()),
        ]
    )


def _plan_above(folder: Path) -> Plan:
    """The plan of the results that a folder lies in: prices and carbon intensity."""
    for each in (folder.resolve(), *folder.resolve().parents):
        if (each / PLAN).is_file():
            return read_plan(each)
    raise TrialwattError(
        f"{folder}: no {PLAN} in it or above it, which has the prices; give a results folder, or a "
        "folder of runs within one"
    )


def _told(
    handful: Handful,
    found: dict[str, dict[str, Predicted]],
    trials: int,
    workers: int,
    with_cost: bool,
) -> list[str]:
    config, jobs = handful.config, len(handful.runs)
    search, currency = config.workload.search, handful.facts.context.currency
    rows = [["SUT", "kWh", "gCO2eq", currency, "hours"]]
    rows += [[sut, *map(_cell, own.values())] for sut, own in found.items()]
    lines = [
        f"estimated from {handful.trials} trials of {jobs} {'job' if jobs == 1 else 'jobs'} "
        f"measured with {config.sut} {search.sampler} on {config.testbed_name}: a job of {trials} "
        f"trials, drawn as these were; workers: {workers}; energy {handful.facts.methods}",
        "middle (the luck of its trials)"
        if jobs == 1 and not with_cost
        else "middle (where the next job is, nine times of ten)",
        *in_columns(rows),
    ]
    if jobs == 1 and with_cost:
        lines.append(
            "of one job: how jobs differ is taken from the repeated jobs of plain in --cost"
        )
    elif jobs == 1:
        lines.append(
            "of one job: the interval holds the luck of the trials alone and is too narrow, for "
            "how jobs differ (hour, data split) is not known: measure more of them, or give --cost"
        )
    elif jobs < _FEW_JOBS:
        lines.append(f"of {jobs} jobs: their differences are known badly, and the interval is wide")
    lines.append(
        "not to be told without a trial table: when a target is reached, what a pruner saves, "
        "where another sampler looks"
    )
    return lines


def _cell(found: Predicted) -> str:
    if math.isnan(found.middle):
        return "not known"
    return f"{number(found.middle)} ({number(found.low)}–{number(found.high)})"
