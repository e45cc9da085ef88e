"""What a plan will run, how many runs at most, and how long it takes by the records so far."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trialwatt.config.plan import Plan
from trialwatt.config.plan_parts import PlannedExperiment, Unavailable
from trialwatt.lifecycle.announce import human, seconds_of, sut_of
from trialwatt.records.manifest import MANIFEST


@dataclass(frozen=True)
class Part:
    """Runs of one experiment and SUT, or of all. seconds_left: None where unknown.

    treatments: those that may be tried. at_most, done: repetitions.
    """

    experiment: str
    sut: str
    treatments: int
    at_most: int
    done: int
    seconds_left: float | None
    is_sweep: bool = False


class _Records:
    """Durations of the runs that are done, in seconds."""

    def __init__(self, results: Path, testbed: str):
        self._of_folder: dict[str, list[float]] = {}
        for manifest in sorted((results / "runs" / testbed).glob(f"*/rep*/{MANIFEST}")):
            folder = manifest.parent.parent.relative_to(results).as_posix()
            self._of_folder.setdefault(folder, []).append(seconds_of(manifest))

    def done(self, folder: str) -> int:
        return len(self._of_folder.get(folder, ()))

    def expected(self, folder: str) -> float | None:
        """Median of the same run, else of the SUT's runs, else of all; None without any."""
        if folder in self._of_folder:
            return statistics.median(self._of_folder[folder])
        sut = sut_of(folder.rsplit("/", 1)[1])
        for near in (f"/{sut}-", "/"):
            found = [s for name, each in self._of_folder.items() if near in name for s in each]
            if found:
                return statistics.median(found)
        return None


def forecast(plan: Plan) -> tuple[list[Part], Part]:
    """A part per experiment and SUT (with its sampler, where it has several), and the whole.

    A run that experiments share is counted in each, and once in the whole.
    """
    records = _Records(Path(plan.here.results), plan.testbed_name)
    wanted = _wanted(plan)
    parts = [
        _part(experiment.id, sut, folders, wanted, records, bool(experiment.sweeps))
        for experiment in plan.experiments.values()
        for sut, folders in _by_sut(plan, experiment).items()
    ]
    return parts, _part("in all", "", wanted, wanted, records, _has_sweeps(plan))


def forecast_text(plan: Plan) -> str:
    """The forecast as a table for people, with what is not available below it."""
    parts, whole = forecast(plan)
    rows = [("experiment", "SUT", "treatments", "runs", "done", "time left")]
    for part in [*parts, whole]:
        most = f"≤ {part.at_most}" if part.is_sweep else str(part.at_most)
        left = "unknown" if part.seconds_left is None else human(part.seconds_left)
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
    if count := len(_scouted(plan)):
        lines.append(f"and {count} scouting runs for the sweeps, which are not counted")
    lines += [line for each in plan.experiments.values() for line in _unavailable(each)]
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


def _has_sweeps(plan: Plan) -> bool:
    return any(experiment.sweeps for experiment in plan.experiments.values())


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


def _scouted(plan: Plan) -> set[str]:
    sweeps = [one for name in plan.experiments for one in plan.sweeps(name).values()]
    return {step.folder for one in sweeps for step in one.scouts}


def _wanted(plan: Plan) -> dict[str, int]:
    """Folder → its repetitions at most."""
    return dict.fromkeys(plan.configurations, plan.repetitions)


def _part(
    experiment: str,
    sut: str,
    folders: Iterable[str],
    wanted: dict[str, int],
    records: _Records,
    is_sweep: bool,
) -> Part:
    folders = list(dict.fromkeys(folders))
    done = {folder: min(records.done(folder), wanted[folder]) for folder in folders}
    left = [(wanted[folder] - done[folder], records.expected(folder)) for folder in folders]
    known = all(seconds is not None for count, seconds in left if count)
    return Part(
        experiment,
        sut,
        len(folders),
        sum(wanted[folder] for folder in folders),
        sum(done.values()),
        sum(count * (seconds or 0) for count, seconds in left) if known else None,
        is_sweep,
    )
