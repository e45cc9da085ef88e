"""A repetition's folder → its records on one time axis, checked and repaired.

Times are nanoseconds of the coordinator's monotonic clock: `m` of a line plus the offset of the
component that wrote it. Nothing in a record is ever executed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from trialwatt.config.models import RunConfig, Space
from trialwatt.errors import TrialwattError
from trialwatt.records import repair
from trialwatt.records.events import (
    END,
    OUTCOMES,
    START,
    STEPS,
    Events,
    Reading,
    TrialLines,
    joined,
    read_events,
)
from trialwatt.records.phi import encode_phis
from trialwatt.records.samples import Power, Track, read_power, read_usage
from trialwatt.records.trial_keys import TrialKeys

LIFECYCLE = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")
IDLE = len(STEPS)
"""Step code of a knot at which a worker holds no trial any more."""


@dataclass(frozen=True)
class Component:
    """A worker or service: what it reserved, and when (a replaced one has several lives)."""

    name: str
    role: str
    type: str  # "worker" or "service"
    cpu: float  # physical cores
    memory_mb: float
    lives: tuple[tuple[int, int], ...]  # start, end in ns
    cpu_ns: int | None  # CPU time at its last end
    peak_memory_bytes: int | None
    devices: tuple[str, ...] = ()  # power domains of the accelerators that it holds


@dataclass(frozen=True)
class Trials:
    """All started trials, sorted by worker and start; arrays (n,). Times in ns.

    phi: index into `phis` (canonical JSON). outcome: index into OUTCOMES. score is NaN where
    there is none.

    The knots (k,) are the moments at which a worker's owner changes, sorted by worker and time:
    knot_trial (index of the trial), knot_step (index into STEPS, or IDLE at the trial's end),
    knot_ns, knot_cpu_ns (the worker's own CPU counter, NaN where unknown).
    """

    workers: list[str]
    ids: pa.Array
    worker: np.ndarray
    number: np.ndarray
    phi: np.ndarray
    phis: pa.Array
    start_ns: np.ndarray
    end_ns: np.ndarray
    outcome: np.ndarray
    reason: pa.Array
    epochs: np.ndarray
    score: np.ndarray
    knot_trial: np.ndarray
    knot_step: np.ndarray
    knot_ns: np.ndarray
    knot_cpu_ns: np.ndarray

    def __len__(self) -> int:
        return len(self.worker)

    def knots_of(self, worker: int) -> slice:
        """The knots of one worker (an index into `workers`)."""
        first, last = np.searchsorted(self.worker, [worker, worker + 1])
        return slice(*np.searchsorted(self.knot_trial, [first, last]))


@dataclass
class RunRecords:
    """Everything that was recorded about one repetition."""

    folder: Path
    manifest: dict
    config: RunConfig
    steps: dict[str, tuple[int, int]]
    components: list[Component]
    trials: Trials
    usage: dict[str, Track]
    power: Power
    domains: list[dict]  # of the headline meter, those that count
    utc_minus_mono_ns: int
    notes: list[str] = field(default_factory=list)

    @cached_property
    def window(self) -> tuple[int, int]:
        """The boundary of job energy and cost: start of deploy to end of undeploy, ns."""
        return min(s for s, _ in self.steps.values()), max(e for _, e in self.steps.values())


def read_manifest(folder: Path) -> dict:
    """run.json. Raises TrialwattError where it is missing or no manifest of format 1."""
    path = Path(folder) / "run.json"
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise TrialwattError(f"{path}: missing; this folder holds no finished run") from error
    except ValueError as error:
        raise TrialwattError(f"{path}: no JSON ({error}); take it from its source again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != 1:
        raise TrialwattError(f"{path}: not a manifest of format 1, the only one known here")
    missing = [
        key for key in ("run_id", "hash", "repetition", "config", "host") if key not in manifest
    ]
    if missing:
        raise TrialwattError(f"{path}: lacks {', '.join(missing)}")
    return manifest


def read_run(folder: Path, processes: int = 1) -> RunRecords:
    """Read one repetition's folder.

    Repairs are named in `notes`. Raises TrialwattError where a number would be wrong without
    anybody seeing it: lines of another run, a damaged file, no deploy step, a trial that starts
    twice.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    try:
        config = RunConfig.model_validate(manifest["config"])
    except ValidationError as error:
        raise TrialwattError(f"{folder / 'run.json'}: config: {error}") from error
    keys = TrialKeys()
    reading = Reading(manifest["run_id"], config.workload.goal.score)
    offsets = manifest.get("clock", {}).get("offsets_ns", {})

    paths = sorted(
        (folder / "records").glob("*.jsonl"), key=lambda p: (p.stem == "harness", p.name)
    )
    if not any(path.stem == "harness" for path in paths):
        raise TrialwattError(f"{folder / 'records' / 'harness.jsonl'}: missing")
    files = read_events(paths, reading, keys, processes)
    notes = [note for events in files.values() for note in events.notes]
    moved = {name: int(offsets.get(name, 0)) for name in files}
    others = _others(files, moved, notes)
    last = max(e.last_m + moved[name] for name, e in files.items() if e.last_m is not None)

    steps = _steps(others, last, notes)
    components = _components(others, last, notes)
    utc_minus_mono = files["harness"].utc_minus_mono or 0
    trials = _trials(files, moved, keys, config.workload.space, components, last, notes)
    notes += [str(event.get("text", "")) for event in others if event["kind"] == "note"]

    notes += [str(error) for error in manifest.get("meter_errors") or []]

    usage, found = read_usage(folder / "samples" / "usage.csv")
    notes += found
    meter = manifest.get("headline_meter") or ""
    facts = manifest.get("meters", {}).get(meter, {})
    domains = [d for d in facts.get("domains", []) if d.get("counts", True)]
    power, found = read_power(
        folder / "samples" / f"power-{meter}.csv", {d["name"]: d["unit"] for d in domains}
    )
    notes += found
    return RunRecords(
        folder=folder,
        manifest=manifest,
        config=config,
        steps=steps,
        components=components,
        trials=trials,
        usage=usage,
        power=power,
        domains=domains,
        utc_minus_mono_ns=utc_minus_mono,
        notes=notes,
    )


def _others(files: dict[str, Events], moved: dict[str, int], notes: list[str]) -> list[dict]:
    """All events but those of trials, on the common axis (`m`), in order, each once."""
    events, seen, doubles = [], set(), 0
    for name, file in files.items():
        for event in file.others:
            line = json.dumps(event, sort_keys=True)
            if line in seen:
                doubles += 1
                continue
            seen.add(line)
            events.append(event | {"m": event["m"] + moved[name]})
    if doubles:
        notes.append(repair.doubles_note("records", doubles))
    return sorted(events, key=lambda event: event["m"])


def _steps(events: list[dict], last: int, notes: list[str]) -> dict[str, tuple[int, int]]:
    starts, ends = {}, {}
    for event in events:
        if event["kind"] == "step":
            (starts if event.get("status") == "start" else ends).setdefault(
                event["step"], event["m"]
            )
    unknown = sorted(starts.keys() - set(LIFECYCLE))
    if unknown:
        raise TrialwattError(f"records/harness.jsonl: unknown lifecycle step {unknown[0]!r}")
    if "deploy" not in starts:
        raise TrialwattError(
            "records/harness.jsonl: no start of the deploy step; the run has no beginning"
        )
    steps = {}
    for name in sorted(starts, key=starts.__getitem__):
        end = ends.get(name)
        if end is None:
            end = min((s for s in starts.values() if s > starts[name]), default=last)
            notes.append(f"records/harness.jsonl: step {name} has no end; the next event ends it")
        steps[name] = (starts[name], max(end, starts[name]))
    return steps


def _components(events: list[dict], last: int, notes: list[str]) -> list[Component]:
    by_name: dict[str, list[dict]] = {}
    for event in events:
        if event["kind"] == "component":
            by_name.setdefault(event["component"], []).append(event)
    components = []
    for name, own in by_name.items():
        lives, opened = [], None
        for event in own:
            if event["status"] == "start":
                if opened is not None:
                    lives.append((opened, event["m"]))
                    notes.append(f"records/harness.jsonl: {name} starts again without an end")
                opened = event["m"]
            elif event["status"] == "end" and opened is not None:
                lives.append((opened, event["m"]))
                opened = None
        if opened is not None:
            lives.append((opened, last))
            notes.append(f"records/harness.jsonl: {name} has no end; the last event ends it")
        first = next((e for e in own if e["status"] == "start"), None)
        if first is None or "cpu" not in first or "memory_mb" not in first:
            raise TrialwattError(
                f"records/harness.jsonl: {name} has no start with cpu and memory_mb; "
                "its share of the energy cannot be known"
            )
        ended = [e for e in own if e["status"] == "end"]
        components.append(
            Component(
                name=name,
                role=first.get("role", name),
                type=first.get("type", "service"),
                cpu=float(first["cpu"]),
                memory_mb=float(first["memory_mb"]),
                lives=tuple(lives),
                cpu_ns=ended[-1].get("cpu_ns") if ended else None,
                peak_memory_bytes=max(
                    (e["peak_memory_bytes"] for e in ended if "peak_memory_bytes" in e),
                    default=None,
                ),
                devices=tuple(first.get("devices", ())),
            )
        )
    return components


# --- trials -------------------------------------------------------------------------------------


def _trials(
    files: dict[str, Events],
    moved: dict[str, int],
    keys: TrialKeys,
    space: Space,
    components: list[Component],
    last: int,
    notes: list[str],
) -> Trials:
    for name, file in files.items():
        file.trials.m = file.trials.m + moved[name]
    rows = joined([file.trials for file in files.values()])
    files.clear()
    is_start, is_end = rows.status == START, rows.status == END
    workers = [c.name for c in components if c.type == "worker"]
    codes = {keys.base(name): index for index, name in enumerate(workers)}
    for base in np.unique(rows.who).tolist():
        if base not in codes:  # its component lines are lost
            codes[base] = len(workers)
            workers.append(keys.name(base))

    # One row per started trial, sorted by worker and start.
    key, start_m = rows.key[is_start], rows.m[is_start]
    first, doubles = _distinct_starts(key, start_m, keys)
    worker = np.array([codes[base] for base in np.unique(rows.who).tolist()], np.int32)[
        np.unique(rows.who, return_inverse=True)[1]
    ]
    order = first[np.lexsort((start_m[first], worker[first]))]
    key, start_m, worker = key[order], start_m[order], worker[order]
    count = len(order)
    at = _Places(key).of(rows.key)
    orphans = int(np.count_nonzero(at < 0))
    if orphans:
        notes.append(f"records: {orphans} lines of trials that never started; left out")

    # How each ended.
    end_m = rows.m[is_end]
    which, end_doubles = _first_ends(at[is_end], end_m, count)
    ended = which >= 0
    found = which[ended]
    end_ns = np.full(count, last, np.int64)
    outcome = np.full(count, OUTCOMES.index("failed"), np.int8)
    epochs, score = np.zeros(count, np.int64), np.full(count, np.nan)
    end_ns[ended], outcome[ended] = end_m[found], rows.outcome[found]
    epochs[ended], score[ended] = rows.epochs[found], rows.score[found]
    texts = pa.concat_arrays([*rows.reason.chunks, pa.array(["lost"])])
    reason = texts.take(pa.array(np.where(ended, which, len(texts) - 1)))
    _close_lost(ended, worker, workers, start_m, end_ns, components, notes)
    overlaps = _clip_overlaps(worker, start_m, end_ns)
    if overlaps:
        notes.append(f"records: {overlaps} trials overlap the next one on their worker; cut there")
    _count_epochs(rows, key, outcome == OUTCOMES.index("failed"), epochs)

    knots, knot_doubles = _knots(rows, at, end_ns, ended)
    doubles += end_doubles + knot_doubles
    if doubles:
        notes.append(repair.doubles_note("records of trials", doubles))
    phi, phis = encode_phis(rows.phi, space)
    return Trials(
        workers=workers,
        ids=keys.ids(key),
        worker=worker,
        number=rows.number[order],
        phi=phi[order],
        phis=phis,
        start_ns=start_m,
        end_ns=end_ns,
        outcome=outcome,
        reason=reason,
        epochs=epochs,
        score=score,
        **knots,
    )


class _Places:
    """Where each of some distinct keys stands."""

    def __init__(self, keys: np.ndarray):
        self._sorted = bool(np.all(keys[1:] > keys[:-1]))
        self._order = None if self._sorted else np.argsort(keys)
        self._keys = keys if self._sorted else keys[self._order]

    def of(self, keys: np.ndarray) -> np.ndarray:
        """The index of each key, −1 where it is none of them."""
        if not len(self._keys):
            return np.full(len(keys), -1, np.int64)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = self._keys[place] == keys
        return np.where(found, place if self._sorted else self._order[place], -1)


def _distinct_starts(key: np.ndarray, m: np.ndarray, keys: TrialKeys) -> tuple[np.ndarray, int]:
    """The rows of the first start of each trial, and how many copies of them there were."""
    if np.all(key[1:] > key[:-1]):
        return np.arange(len(key)), 0
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    different = np.flatnonzero(m != m[first][inverse])
    if len(different):
        trial = keys.ids(key[different[:1]])[0].as_py()
        raise TrialwattError(
            f"records: trial {trial} starts twice; a trial's id must be unique in its run"
        )
    return np.sort(first), len(key) - len(first)


def _first_ends(at: np.ndarray, m: np.ndarray, count: int) -> tuple[np.ndarray, int]:
    """For each trial the row of its earliest end (-1: none), and how many ends were too many."""
    which = np.full(count, -1, np.int64)
    rows = np.flatnonzero(at >= 0)
    if not repair.in_time_order(m[rows]):
        rows = rows[np.argsort(m[rows], kind="stable")]
    which[at[rows][::-1]] = rows[::-1]  # the last assignment wins: the earliest end
    return which, len(rows) - int(np.count_nonzero(which >= 0))


def _close_lost(ended, worker, workers, start_ns, end_ns, components, notes) -> None:
    """A trial without an end failed, and ended with its worker (or with the last event)."""
    lives = {c.name: c.lives for c in components}
    open_trials = np.flatnonzero(~ended)
    for i in open_trials:
        ends = [e for s, e in lives.get(workers[worker[i]], ()) if s <= start_ns[i] <= e]
        end_ns[i] = max(min(ends, default=end_ns[i]), start_ns[i])
    if len(open_trials):
        notes.append(
            f"records: {len(open_trials)} trials have a start and no end; "
            "they failed (lost) when their worker ended"
        )


def _clip_overlaps(worker: np.ndarray, start_ns: np.ndarray, end_ns: np.ndarray) -> int:
    """A worker holds one trial at a time: the next start ends the one before it."""
    late = (worker[1:] == worker[:-1]) & (end_ns[:-1] > start_ns[1:])
    end_ns[:-1][late] = start_ns[1:][late]
    np.maximum(end_ns, start_ns, out=end_ns)
    return int(late.sum())


def _count_epochs(rows: TrialLines, key: np.ndarray, failed: np.ndarray, epochs) -> None:
    """The epochs of failed trials, from their own lines: who ended them may not have known."""
    lost = np.flatnonzero(failed)
    at = _Places(key[lost]).of(rows.epoch_key)
    mine = at >= 0
    np.maximum.at(epochs, lost[at[mine]], rows.epoch[mine])


def _knots(rows: TrialLines, at, end_ns, ended) -> tuple[dict, int]:
    step = np.where(rows.status == END, np.int8(IDLE), rows.step)
    m, cpu = rows.m, rows.cpu_ns
    lost = np.flatnonzero(~ended)
    if len(lost):
        at = np.concatenate([at, lost])
        m = np.concatenate([m, end_ns[lost]])
        step = np.concatenate([step, np.full(len(lost), IDLE, np.int8)])
        cpu = np.concatenate([cpu, np.full(len(lost), np.nan)])
    keep = at >= 0
    if not keep.all():
        at, m, step, cpu = at[keep], m[keep], step[keep], cpu[keep]
    clipped = np.minimum(m, end_ns[at])
    cpu = np.where(clipped == m, cpu, np.nan)
    ordered = np.all((at[1:] > at[:-1]) | ((at[1:] == at[:-1]) & (clipped[1:] >= clipped[:-1])))
    if not ordered:
        order = np.lexsort((step == IDLE, clipped, at))
        at, clipped, step, cpu = at[order], clipped[order], step[order], cpu[order]
    again = np.zeros(len(at), bool)
    again[1:] = (at[1:] == at[:-1]) & (clipped[1:] == clipped[:-1]) & (step[1:] == step[:-1])
    doubles = int(np.count_nonzero(again & (step != IDLE)))  # ends are counted elsewhere
    if again.any():
        at, clipped, step, cpu = at[~again], clipped[~again], step[~again], cpu[~again]
    return {
        "knot_trial": at.astype(np.int32),
        "knot_step": step.astype(np.int8),
        "knot_ns": clipped,
        "knot_cpu_ns": cpu,
    }, doubles
