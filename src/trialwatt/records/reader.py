"""A repetition's folder → its records on one time axis, checked and repaired.

Times are nanoseconds of the coordinator's monotonic clock: `m` of a line plus the offset of the
component that wrote it. Nothing in a record is ever executed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from trialwatt.config.models import AS_RECORDED, RunConfig
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.meters.model import PowerModel, most_watts
from trialwatt.meters.sample_files import OF_NOBODY
from trialwatt.records import repair
from trialwatt.records.events import EVENTS_SUFFIX, Events, Line, Reading, read_events
from trialwatt.records.later import later_flags, later_notes, power_file
from trialwatt.records.manifest import MANIFEST, headline_domains, read_manifest
from trialwatt.records.outcome import COMPLETED, LIFECYCLE
from trialwatt.records.samples import Power, Track, merged, read_power, read_usage
from trialwatt.records.sealed import RecordFile, holder_of, record_file, record_files
from trialwatt.records.trial_keys import TrialKeys
from trialwatt.records.trials import Trials, assemble

HARNESS = f"harness{EVENTS_SUFFIX}"
_OF_A_DOMAIN = ("name", "unit", "resource", "method")


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


@dataclass
class RunRecords:
    """Everything that was recorded about one repetition."""

    folder: Path
    manifest: dict[str, Any]
    config: RunConfig
    steps: dict[str, tuple[int, int]]
    components: list[Component]
    trials: Trials
    usage: dict[str, Track]
    power: Power
    domains: list[dict[str, Any]]  # of the headline, with `meter`, `period_s` of readings, `most_w`
    utc_minus_mono_ns: int
    events: list[Line] = field(default_factory=list)  # all but trials' and epochs', by time
    notes: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)  # why its energy must be read with care
    unreserved: list[str] = field(default_factory=list)  # components of unknown reservation

    @property
    def sample_hz(self) -> float:
        """Readings per second of the headline; of its slowest meter, where it has several."""
        configured = 1 / self.config.testbed.sample_hz
        periods = (domain.get("period_s", configured) for domain in self.domains)
        return round(1 / max(periods, default=configured), 6)

    @cached_property
    def window(self) -> tuple[int, int]:
        """The boundary of job energy and cost: start of deploy to end of undeploy, ns."""
        return min(s for s, _ in self.steps.values()), max(e for _, e in self.steps.values())


class SoFar(NamedTuple):
    """Of a run that goes on: what its manifest would say, and until when (ns, monotonic)."""

    manifest: dict[str, Any]
    mono_ns: int


def read_run(folder: Path, processes: int = 1, so_far: SoFar | None = None) -> RunRecords:
    """Read one repetition's folder.

    Repairs are named in `notes`. Raises TrialwattError where a number would be wrong without
    anybody seeing it: lines of another run, a damaged file, no deploy step, a trial that starts
    twice.
    """
    folder = Path(folder)
    manifest = so_far.manifest if so_far else read_manifest(folder / MANIFEST)
    try:
        config = RunConfig.model_validate(manifest["config"], context=AS_RECORDED)
    except ValidationError as error:
        raise TrialwattError(f"{folder / 'run.json'}: config: {error}") from error
    keys = TrialKeys()
    reading = Reading(manifest["run_id"], config.workload.goal.score)
    offsets = (manifest.get("clock") or {}).get("offsets_ns") or {}

    there = [f for f in record_files(folder, "records") if f.name.endswith(EVENTS_SUFFIX)]
    there.sort(key=lambda file: file.name == HARNESS)
    if not there or there[-1].name != HARNESS:
        raise TrialwattError(f"{folder / 'records' / HARNESS}: missing")
    files = read_events(there, reading, keys, processes)
    notes = [note for events in files.values() for note in events.notes]
    moved = {name: offsets.get(name, 0) for name in files}
    others = _others(files, moved, notes)
    # of the one clock that all others are moved onto
    last = so_far.mono_ns if so_far else files["harness"].last_m or 0
    flags = _apart(files, moved)
    try:
        steps = _steps(others, last, notes, flags)
        components = _components(others, last, notes)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise TrialwattError(
            f"records/harness.jsonl: a line lacks a value or has it in another type: {error!r}"
        ) from error
    utc_minus_mono = files["harness"].utc_minus_mono or 0
    lives = {c.name: c.lives for c in components if c.type == "worker"}
    space = config.workload.space
    span = steps.get("setup", steps["deploy"])[0], last
    trials = assemble(files, moved, keys, space, lives, span, notes, flags)
    notes += [str(event.get("text", "")) for event in others if event["kind"] == "note"]
    notes += [str(error) for error in manifest.get("meter_errors") or []]
    notes += later_notes(manifest)

    usage_file = record_file(folder, "samples/usage.csv")
    flags += _exchanged(folder, manifest, [*there, usage_file])
    flags += [*_absent(manifest, there), *later_flags(manifest)]
    usage, found = read_usage(usage_file)
    notes += found
    unreserved = _unreserved(components, {*trials.workers, *usage}, manifest, config)
    if unreserved:
        flags.append(f"no record of what {', '.join(unreserved)} reserved: energy and cost unknown")
    domains, power = [], []
    for meter, own in headline_domains(manifest).items():
        parameters = (manifest.get("meters") or {}).get(meter, {}).get("parameters") or {}
        period_s = parameters.get("period_s") or 1 / config.testbed.sample_hz
        for domain in own:
            if lacking := [key for key in _OF_A_DOMAIN if key not in domain]:
                raise TrialwattError(f"run.json: a domain of {meter} lacks {', '.join(lacking)}")
        most_w = (
            most_watts(parameters, manifest["host"]["cores"]) if meter == PowerModel.name else {}
        )
        known = {"meter": meter, "period_s": period_s}
        domains += [
            domain | known | {"most_w": most_w.get(domain["name"], math.inf)} for domain in own
        ]
        own_file = power_file(folder, manifest, meter)
        flags += [said for said in _exchanged(folder, manifest, [own_file]) if said not in flags]
        readings, found = read_power(own_file, {d["name"]: d["unit"] for d in own})
        power.append(readings)
        notes += found
    return RunRecords(
        folder=folder,
        manifest=manifest,
        config=config,
        steps=steps,
        components=components,
        trials=trials,
        usage=usage,
        power=merged(power),
        domains=domains,
        utc_minus_mono_ns=utc_minus_mono,
        events=others,
        notes=notes,
        flags=flags,
        unreserved=unreserved,
    )


def _apart(files: dict[str, Events], moved: dict[str, int]) -> list[str]:
    """Components whose UTC, on the common axis, is never that of the coordinator."""
    spans = {n: e.utc_span for n, e in files.items() if e.utc_span is not None}
    low, high = spans.get("harness", (0, 0))
    found = []
    for name, (first, last) in spans.items():
        away = max(low - (last - moved[name]), (first - moved[name]) - high)
        if away > repair.JUMP_NS:
            found.append(
                f"the clock of {name} is {away / 1e9:.1f} s apart from the coordinator's, by UTC"
            )
    return found


def _unreserved(
    known: list[Component], told: set[str], manifest: dict[str, Any], config: RunConfig
) -> list[str]:
    """What is known to have been there, and has no record of what it reserved: components that
    wrote trials or were sampled (`told`), and workers that a run which completed had."""
    names = {component.name for component in known}
    found = sorted(told - names - set(OF_NOBODY))
    wanted = config.workload.workers.count
    missing = wanted - len({c.name for c in known if c.type == "worker"} | {*found})
    if manifest.get("status") == COMPLETED and missing > 0:
        found.append(f"{missing} of {wanted} workers")
    return found


def _exchanged(folder: Path, manifest: dict[str, Any], files: list[RecordFile]) -> list[str]:
    """What holds these files and is not as the run wrote it, by the checksums in its manifest."""
    listed = manifest.get("files") or {}
    found = []
    for name in dict.fromkeys(holder_of(folder, file) for file in files if file.is_file()):
        if not listed:
            continue
        if name not in listed:
            found.append(f"{name} is not of the run (run.json does not list it)")
        elif sha256(folder / name) != listed[name]:
            found.append(f"{name} is not as the run wrote it (see its checksum in run.json)")
    return found


def _absent(manifest: dict[str, Any], files: list[RecordFile]) -> list[str]:
    """Events that the run wrote and that are gone: nothing else would tell that they were there."""
    there = {f"records/{file.name}" for file in files}
    listed = (name for name in manifest.get("files") or {} if name.startswith("records/"))
    return [f"{name} is missing (run.json lists it)" for name in sorted({*listed} - there)]


def _others(files: dict[str, Events], moved: dict[str, int], notes: list[str]) -> list[Line]:
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


def _steps(
    events: list[Line], last: int, notes: list[str], flags: list[str]
) -> dict[str, tuple[int, int]]:
    starts = _marks(events, "start", flags)
    ends = _marks(events, "end", flags)
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
        if end is not None and end < starts[name]:
            flags.append(f"step {name} ends before it starts")
            end = None
        if end is None:
            end = min((s for s in starts.values() if s > starts[name]), default=last)
            notes.append(f"records/harness.jsonl: step {name} has no end; the next event ends it")
        steps[name] = (starts[name], max(end, starts[name]))
    return steps


def _marks(events: list[Line], status: str, flags: list[str]) -> dict[str, int]:
    """Step → its first start, or its first end."""
    found: dict[str, int] = {}
    steps = (event for event in events if event["kind"] == "step")
    for event in steps:
        is_start = event.get("status") == "start"
        if is_start != (status == "start"):
            continue
        if found.setdefault(event["step"], event["m"]) != event["m"]:
            flags.append(f"step {event['step']} {status}s twice; the earlier one counts")
    return found


def _components(events: list[Line], last: int, notes: list[str]) -> list[Component]:
    by_name: dict[str, list[dict[str, Any]]] = {}
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
        peaks = [_counted(e.get("peak_memory_bytes")) for e in ended]
        components.append(
            Component(
                name=name,
                role=_text(first.get("role", name)),
                type=_text(first.get("type", "service")),
                cpu=_amount(first["cpu"]),
                memory_mb=_amount(first["memory_mb"]),
                lives=tuple(lives),
                cpu_ns=_counted(ended[-1].get("cpu_ns")) if ended else None,
                peak_memory_bytes=max(filter(None, peaks), default=None),
                devices=next(
                    (tuple(map(_text, e["devices"])) for e in own if e.get("devices")), ()
                ),
            )
        )
    return components


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _amount(value: object) -> float:
    """What a component reserves."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise TypeError(f"{value!r} is no amount")
    return float(value)


def _counted(value: object) -> int | None:
    if value is not None and (type(value) is not int or value < 0):
        raise TypeError(f"{value!r} is no count")
    return value
