"""One injection from the job's start to the next command's end, and what it has violated."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.contexts import PLAIN
from tests.faults.draws import Draw, wait_for
from tests.faults.kinds import FAULTS, START, Fault
from tests.faults.outcome import Outcome
from tests.faults.scene import Missed, Scene, completed_in, never_began, trial_events

from trialwatt.errors import TrialwattError
from trialwatt.metrics.extract import extract_run

LEFT_S = 10
"""By then a run that has ended by itself has nothing left (a killed group goes a bit later)."""
MISSED = "over before its moment"


def inject(draw: Draw, scene: Scene) -> Outcome:
    fault, rng = FAULTS[draw.fault], random.Random(draw.seed)
    finished: dict[str, set[str]] = {}
    if draw.moment == START:
        fault.inject(scene, rng)
    scene.start()
    began, missed = time.monotonic(), False
    if draw.moment != START:
        try:
            wait_for(scene, draw.moment, rng)
            finished = scene.completed()
            began = time.monotonic()
            fault.inject(scene, rng)
        except Missed:
            missed = True
    code = scene.end()
    seconds = time.monotonic() - began
    violations = list(_violations(fault, scene, code, finished, missed))
    outcome = MISSED if missed else _outcome(scene, code)
    fault.mend(scene)
    violations += _next(fault, scene)
    violations = [text.replace(str(scene.folder), "…") for text in violations]
    return Outcome(
        **asdict(draw), outcome=outcome, seconds=round(seconds, 1), violations=violations
    )


def _violations(
    fault: Fault,
    scene: Scene,
    code: int | None,
    finished: dict[str, set[str]],
    missed: bool,
) -> Iterator[str]:
    said, counted = scene.said(), scene.counted()
    if code is None:
        yield "it does not end"
        return
    if (code == 0) != scene.is_whole():
        yield f"exit code {code} with {len(counted)} results"
    if code > 0 and not said.strip():
        yield f"exit code {code} without a word"
    for last in scene.tracebacks(said):
        yield f"a traceback instead of a message: {last[:300]}"
    if (fault.survives or (missed and fault.again)) and not (
        scene.is_whole() and _all_completed(counted)
    ):
        yield f"the run is not completed: exit code {code}, {_statuses(counted)}; {_last(said)}"
    for status in _statuses(counted):
        if status != "completed" and status not in said:
            yield f"status {status} is not said"
    yield from _records(scene, finished)
    yield from _left(scene, fault.later)


def _records(scene: Scene, finished: dict[str, set[str]]) -> Iterator[str]:
    """No partial run is counted, and of each run that is kept no finished trial is lost."""
    for folder in scene.counted():
        if not (folder / "run.json").exists():
            yield "a folder without run.json is counted"
            continue
        manifest = json.loads((folder / "run.json").read_text())
        events = trial_events(folder)
        starts = Counter(e["trial"] for e in events if e["status"] == "start")
        ends = Counter(e["trial"] for e in events if e["status"] == "end")
        if starts != ends or set(starts.values()) - {1}:
            yield f"trials that have not one start and one end: {starts - ends or ends - starts}"
        tried = {e["number"] for e in events if e["status"] == "start"}
        if manifest["status"] == "completed":
            if len(tried) + never_began(folder) < scene.points:
                yield f"completed with {len(tried)} of {scene.points} trials"
            yield from _times(folder, time.monotonic() - scene.began)
        if lost := finished.get(manifest["run_id"], set()) - completed_in(folder):
            yield f"finished trials are lost: {sorted(lost)}"
    for folder in (scene.results / "failed").glob("*"):
        if lost := finished.get(folder.name, set()) - completed_in(folder):
            yield f"finished trials of the failed run are lost: {sorted(lost)}"


def _times(folder: Path, most_s: float) -> Iterator[str]:
    """The metrics can be had of its records, and no time lasts longer than all of it did."""
    try:
        found = extract_run(folder, PLAIN)
    except TrialwattError as error:
        yield f"there are no metrics: {error}"
        return
    seconds = {"job": found.run["jct_ms"] / 1e3}
    seconds |= dict(zip(found.trials["trial"], found.trials["duration_ms"] / 1e3, strict=True))
    for what, took_s in seconds.items():
        if not 0 < took_s < most_s:
            yield f"{what} took {took_s:.3f} s, within {most_s:.3f} s"


def _next(fault: Fault, scene: Scene) -> Iterator[str]:
    """The next command removes what was left and completes what is missing."""
    repetition = scene.next()
    (scene.folder / f"said-{repetition}").unlink(missing_ok=True)
    scene.start(repetition)
    code, said = scene.end(), scene.said(repetition)
    whole = scene.is_whole(repetition) and _all_completed(scene.counted()[-1:])
    if fault.again and not (code == 0 and whole):
        yield f"the next command: exit code {code}, {_statuses(scene.counted())}; {_last(said)}"
    yield from (f"after the next command: {text}" for text in _left(scene))
    yield from (f"after the next command: {text}" for text in _records(scene, {}))


def _left(scene: Scene, later: Collection[str] = ()) -> Iterator[str]:
    deadline = time.monotonic() + LEFT_S
    while (left := scene.left().keys() - later) and time.monotonic() < deadline:
        time.sleep(0.1)
    if left:
        found = scene.left()
        yield "left: " + "; ".join(f"{kind}: {len(found.get(kind, ()))}" for kind in sorted(left))


def _outcome(scene: Scene, code: int | None) -> str:
    if code is None:
        return "hangs"
    if code:
        return "killed" if code < 0 else f"exit code {code}"
    statuses = ", ".join(sorted({*_statuses(scene.counted())}))
    failed = any((scene.results / "failed").glob("*"))
    return f"{statuses}, at the second attempt" if failed else statuses


def _statuses(folders: list[Path]) -> list[str]:
    files = [folder / "run.json" for folder in folders]
    return [json.loads(f.read_text())["status"] if f.exists() else "none" for f in files]


def _all_completed(folders: list[Path]) -> bool:
    return {*_statuses(folders)} == {"completed"}


def _last(said: str) -> str:
    return " / ".join(said.strip().splitlines()[-3:])[:400]
