"""Whether results are what their configuration says: half-written, unplanned, failed, outdated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trialwatt.config.plan import Plan
from trialwatt.errors import TrialwattError
from trialwatt.finding import Finding, note, ok, problem
from trialwatt.lifecycle.reap import PARTIAL
from trialwatt.records.manifest import MANIFEST, read_manifest

FAILED = "failed"
"""Folder in the results with the records of runs that failed and were tried again."""


def results(plan: Plan) -> Iterator[Finding]:
    """Of a plan's results folder; the runs of several plans may lie in it."""
    root = Path(plan.here.results)
    if not root.is_dir():
        yield ok("results", f"there are none yet in {root}")
        return
    yield from partial(root)
    repetitions = sorted(root.glob("runs/*/*/rep*"))
    states = {folder: _state(folder) for folder in repetitions}
    yield from filter(None, states.values())
    yield from _unplanned(plan, repetitions)
    yield from _outdated(plan, root)
    if failed := sorted((root / FAILED).glob("*")):
        said = f"{root / FAILED}: {_count(len(failed), 'run')} that failed and were tried again"
        yield note("failed", said, "read their logs; nothing counts them: remove them at will")
    yield ok("results", f"{_count(sum(not s for s in states.values()), 'run')} as they should be")


def partial(root: Path) -> Iterator[Finding]:
    """Half-written runs that are nobody's any more, or are being written."""
    for folder in sorted((root / PARTIAL).glob("*")):
        said = f"the half-written records of run {folder.name}"
        yield problem("left over", said, "`trialwatt reap`, or the next run, removes it")


def _state(folder: Path) -> Finding | None:
    """What is wrong with a repetition; None where it is a result."""
    again = f"rm -r {folder}, and call the workflow again"
    if not (folder / MANIFEST).exists():
        return problem("run", f"{folder} holds no {MANIFEST}: it was cut off", again)
    try:
        manifest = read_manifest(folder / MANIFEST)
    except TrialwattError as error:
        return problem("run", str(error), again)
    if manifest.get("status") != "failed":
        return None
    reason = str(manifest.get("reason", "")).partition("\n")[0]
    return problem("run", f"{folder} has failed: {reason}", f"mend that; {again}")


def _unplanned(plan: Plan, repetitions: list[Path]) -> Iterator[Finding]:
    root = Path(plan.here.results)
    folders = dict.fromkeys(each.parent for each in repetitions)
    others = [each for each in folders if plan.config(each.relative_to(root).as_posix()) is None]
    for folder in others:
        said = f"{folder} is of no configuration of this plan, which counts it nowhere"
        yield note("run", said, "name the plan's files with --configfile, or keep it, or remove it")


def _outdated(plan: Plan, root: Path) -> Iterator[Finding]:
    for name, experiment in plan.experiments.items():
        made = [path.stat().st_mtime for path in (root / "metrics" / name).glob("*")]
        runs = [run.folder for run in experiment.runs]
        records = [path for run in runs for path in (root / run).glob(f"rep*/{MANIFEST}")]
        newest = max((path.stat().st_mtime for path in records), default=0.0)
        if made and min(made) < newest:
            said = f"of {name} are older than its records"
            yield note("metrics", said, "call the workflow again: it makes them anew")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
