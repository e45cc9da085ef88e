"""What a plan will run, how many runs at most, and how long it takes by the records so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trialwatt import platforms
from trialwatt.config.models import RunConfig
from trialwatt.config.plan import Plan
from trialwatt.config.plan_parts import PlannedExperiment, Unavailable
from trialwatt.config.space import most_trials
from trialwatt.lifecycle.announce import human
from trialwatt.lifecycle.durations import Durations
from trialwatt.records.manifest import MANIFEST


@dataclass(frozen=True)
class Part:
    """Runs of one experiment and SUT, or of all. seconds_left: None where unknown; is_partial:
    there are runs of which it is.

    treatments: those that may be tried. at_most, done: repetitions. is_calibrated: the seconds are
    those of the trials alone (trials_alone).
    """

    experiment: str
    sut: str
    treatments: int
    at_most: int
    done: int
    seconds_left: float | None
    is_sweep: bool = False
    is_calibrated: bool = False
    is_partial: bool = False


Calibrated = Callable[[RunConfig], float | None]
"""How many seconds a run may take that there are no records for; None where nobody knows."""


def trials_alone(config: RunConfig) -> float | None:
    """The trials of a run without what its framework adds, by a trial that is timed here; None for
    a run elsewhere or with accelerators, and for a function, which may do anything."""
    workload = config.workload
    if workload.trial is not None:
        return None
    if platforms.get(config.testbed.platform).remote or workload.workers.accelerator != "cpu":
        return None
    from trialwatt.workload.calibration import seconds_of_trial

    trials = most_trials(workload) or 0
    rounds = math.ceil(trials / workload.workers.count)
    share = min(1.0, config.worker_cpu)  # of the core that the timed trial had
    return rounds * seconds_of_trial(workload, config.threads) / share


def forecast(
    plan: Plan, asked: Iterable[str] | None = None, calibrated: Calibrated | None = None
) -> tuple[list[Part], Part]:
    """A part per experiment and SUT (with its sampler, where it has several), and the whole.

    A run that experiments share is counted in each, and once in the whole. asked: some of the
    plan's experiments; None for all. calibrated: asked for each run, where there are no records.
    """
    experiments = _asked(plan, asked)
    runs = Path(plan.here.results, "runs", plan.testbed_name)
    records = Durations(file.parent for file in sorted(runs.glob(f"*/rep*/{MANIFEST}")))
    parts = [
        _part(plan, experiment.id, sut, folders, records, bool(experiment.sweeps), calibrated)
        for experiment in experiments
        for sut, folders in _by_sut(plan, experiment).items()
    ]
    folders = [run.folder for experiment in experiments for run in experiment.runs]
    has_sweeps = any(experiment.sweeps for experiment in experiments)
    return parts, _part(plan, "in all", "", folders, records, has_sweeps, calibrated)


def forecast_text(
    plan: Plan, asked: Iterable[str] | None = None, calibrated: Calibrated | None = None
) -> str:
    """The forecast as a table for people, with what is not available below it."""
    experiments = _asked(plan, asked)
    names = [experiment.id for experiment in experiments]
    parts, whole = forecast(plan, names, calibrated)
    rows = [("experiment", "SUT", "treatments", "runs", "done", "time left")]
    for part in [*parts, whole]:
        most = f"≤ {part.at_most}" if part.is_sweep else str(part.at_most)
        left = "unknown" if part.seconds_left is None else human(part.seconds_left)
        left = f"over {left}" if part.is_partial else left
        left += " *" if part.is_calibrated else ""
        rows.append((part.experiment, part.sut, str(part.treatments), most, str(part.done), left))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            text.ljust(width) if column < 2 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    if plan.warm_up:
        suts = ", ".join(plan.warm_ups)
        lines.append(f"and one warm-up run of each of {suts}, which is not counted")
    if count := len(_scouted(plan, names)):
        lines.append(f"and {count} scouting runs for the sweeps, which are not counted")
    lines += [line for each in experiments for line in _unavailable(each)]
    if whole.is_calibrated:
        lines.append(
            "* the trials alone, by a few batches timed here; what a framework adds, and a pruner"
            " saves, is known when a run of it is done"
        )
    if whole.seconds_left is None:
        lines.append("time left: unknown, there are no records yet to tell it from")
    return "\n".join(lines)


def _unavailable(experiment: PlannedExperiment) -> Iterator[str]:
    """A line per SUT; a single thing has its reason, of many `trialwatt suts` has them."""
    by_sut: dict[str | None, list[Unavailable]] = {}
    for one in experiment.unavailable:
        by_sut.setdefault(one.sut, []).append(one)
    for sut, these in by_sut.items():
        head = f"not available in {experiment.id}: " + (f"{sut} " if sut else "")
        if sut is None or len(these) == 1:
            for one in these:
                yield f"{head}{one.treatment or ''}: {one.reason}".replace(" :", ":")
        else:
            yield head + "; ".join(one.treatment or "" for one in these)


def _asked(plan: Plan, asked: Iterable[str] | None) -> list[PlannedExperiment]:
    return [plan.experiments[name] for name in (plan.experiments if asked is None else asked)]


def _by_sut(plan: Plan, experiment: PlannedExperiment) -> dict[str, list[str]]:
    runs = {run.folder: plan.run(run.folder) for run in experiment.runs}
    samplers: dict[str, set[str]] = {}
    for run in runs.values():
        samplers.setdefault(run.sut, set()).add(run.workload.search.sampler)
    found: dict[str, list[str]] = {}
    for folder, run in runs.items():
        several = len(samplers[run.sut]) > 1 and "search.sampler" not in experiment.varies
        name = f"{run.sut} ({run.workload.search.sampler})" if several else run.sut
        found.setdefault(name, []).append(folder)
    return found


def _scouted(plan: Plan, experiments: Iterable[str]) -> set[str]:
    sweeps = [one for name in experiments for one in plan.sweeps(name).values()]
    return {step.folder for one in sweeps for step in one.scouts}


def _part(
    plan: Plan,
    experiment: str,
    sut: str,
    folders: Iterable[str],
    records: Durations,
    is_sweep: bool,
    calibrated: Calibrated | None,
) -> Part:
    folders = list(dict.fromkeys(folders))
    done, expected, is_calibrated = {}, {}, False
    for folder in folders:
        place = Path(plan.here.results, folder)
        done[folder] = min(records.done(place), plan.repetitions)
        seconds = records.expected(place, plan.configurations[folder].sut)
        if seconds is None and calibrated is not None:
            seconds = calibrated(plan.run(folder))
            is_calibrated = is_calibrated or seconds is not None
        expected[folder] = seconds
    left = {folder: plan.repetitions - done[folder] for folder in folders}
    known = [left[f] * seconds for f in folders if (seconds := expected[f]) is not None]
    is_known = [not left[f] or expected[f] is not None for f in folders]
    return Part(
        experiment,
        sut,
        len(folders),
        plan.repetitions * len(folders),
        sum(done.values()),
        sum(known) if known or all(is_known) else None,
        is_sweep,
        is_calibrated,
        bool(known) and not all(is_known),
    )
