"""The records of a run → who drew which energy: curves, grid and parts for the attribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trialwatt.meters import kind_of, mirrors
from trialwatt.meters.bounds import TICKS_NS, bound_of
from trialwatt.meters.counters import resumed
from trialwatt.metrics.attribution import (
    S_PER_NS,
    Curve,
    Drawn,
    Grid,
    Part,
    Supply,
    attribute,
    reservations,
    usage_curve,
)
from trialwatt.metrics.readings import DomainEnergy, covered, domain_energy, silences
from trialwatt.records.events import STEPS
from trialwatt.records.reader import Component, RunRecords
from trialwatt.records.trials import IDLE

KINDS = (*STEPS, "idle", "services", "harness")
"""Kinds of segments: a trial's steps, a worker that holds no trial, services, the coordinator."""
SERVICES, HARNESS = KINDS.index("services"), KINDS.index("harness")
FEW_SAMPLES = 60
GAPS_TOO_MANY = 0.05
_COUNTER_SLACK_NS = 50e6
_BASE_SLACK = 1.5


@dataclass
class EnergyAccount:
    """Who drew what, in J; all NaN where the energy of the run is not known.

    cells_j: (kinds, lifecycle steps, slots between marks). machine_j: (steps,). The per-trial
    arrays are (n,), in the order of the records' trials; train_j is the part of their train step;
    weighted is Σ energy × weight of its slot (J·g/kWh with intensities as weights).
    """

    steps: list[str]
    cells_j: np.ndarray
    machine_j: np.ndarray
    trial_static_j: np.ndarray
    trial_dynamic_j: np.ndarray
    trial_train_j: np.ndarray
    trial_weighted: np.ndarray
    trial_cpu_ns: np.ndarray
    job_weighted: float
    gap_share: float
    samples: int
    domains: list[str]
    methods: list[str]
    flags: list[str]
    notes: list[str]

    @property
    def job_j(self) -> float:
        return float(self.cells_j.sum())

    @property
    def other_j(self) -> float:
        return float(self.machine_j.sum()) - self.job_j

    def of_kinds(self, *kinds: str) -> float:
        return float(self.cells_j[[KINDS.index(kind) for kind in kinds]].sum())


def account(records: RunRecords, marks_ns: np.ndarray, weights: np.ndarray) -> EnergyAccount:
    """Attribute the energy of a run's window by the rule of the methodology page.

    marks_ns: sorted moments (on the records' axis) that split the sums, never the attribution;
    weights: one per slot between them.
    """
    origin, end = records.window
    names = list(records.steps)
    flags, notes = list(records.flags), list[str]()
    parts, kinds, owners = _parts(records, origin, notes)
    count = len(records.trials)
    trial_cpu = np.zeros(count)
    for part, kind, owner in zip(parts, kinds, owners, strict=True):
        trial_cpu += _trial_cpu(part, kind, owner, count)
    energies = _domains(records, origin, end, flags, notes)
    machine, unseen = _track_curve(records, "machine", origin)
    result = EnergyAccount(
        steps=names,
        cells_j=np.zeros((len(KINDS), len(names), len(weights))),
        machine_j=np.zeros(len(names)),
        trial_static_j=np.zeros(count),
        trial_dynamic_j=np.zeros(count),
        trial_train_j=np.zeros(count),
        trial_weighted=np.zeros(count),
        trial_cpu_ns=trial_cpu,
        job_weighted=0.0,
        gap_share=1.0,
        samples=0,
        domains=sorted(energies),
        methods=sorted({d["method"] for d in records.domains if d["name"] in energies}),
        flags=flags,
        notes=notes,
    )
    told = len(machine.times) > 1 and machine.times[0] < end - origin and machine.times[-1] > 0
    if not energies or not told or end <= origin:
        if energies:
            flags.append("no usage samples of the run: energy unknown")
        _unknown(result)
        return result

    starts = np.array([records.steps[name][0] - origin for name in names], float)
    idle = _idle_watts(records, notes)
    marks = np.asarray(marks_ns, float) - origin
    for group in _same_readings(records, energies):
        axis, steps = _axis(energies[group[0]].energy, starts, end - origin)
        grid = Grid(axis, steps, len(names), marks, np.asarray(weights, float))
        supplies = []
        for name in group:
            domain = next(d for d in records.domains if d["name"] == name)
            joules = np.diff(energies[name].energy.at(axis))
            result.machine_j += np.bincount(steps, joules, len(names))
            supplies.append(_supply(domain, joules, idle))
        found = attribute(parts, kinds, len(KINDS), machine, grid, supplies)
        for drawn, kind, owner in zip(found, kinds, owners, strict=True):
            _add(result, drawn, kind, owner, grid.weights)
    if len(unseen):
        notes.append(_began_again("the machine", np.ones(len(unseen))))
    _quality(result, records, energies, machine, unseen, origin, end)
    return result


def _add(
    result: EnergyAccount,
    drawn: Drawn,
    kind: np.ndarray,
    owner: np.ndarray | None,
    weights: np.ndarray,
) -> None:
    result.cells_j += drawn.cells_j
    result.job_weighted += float((drawn.cells_j.sum(axis=(0, 1)) * weights).sum())
    if owner is None:
        return
    count, mine = len(result.trial_static_j), owner >= 0
    for target, values in (
        (result.trial_static_j, drawn.static_j),
        (result.trial_dynamic_j, drawn.dynamic_j),
        (result.trial_weighted, drawn.weighted),
    ):
        target += np.bincount(owner[mine], values[mine], count)
    train = mine & (kind == STEPS.index("train"))
    total = drawn.static_j + drawn.dynamic_j
    result.trial_train_j += np.bincount(owner[train], total[train], count)


def _unknown(result: EnergyAccount) -> None:
    for array in (
        result.cells_j,
        result.machine_j,
        result.trial_static_j,
        result.trial_dynamic_j,
        result.trial_train_j,
        result.trial_weighted,
    ):
        array[...] = math.nan
    result.job_weighted = math.nan
    result.methods = result.methods or ["unknown"]


# --- parts --------------------------------------------------------------------------------------


def _parts(
    records: RunRecords, origin: int, notes: list[str]
) -> tuple[list[Part], list[np.ndarray], list[np.ndarray | None]]:
    """The components as parts, with the kind and the trial (or −1) of each of their segments."""
    components, host = records.components, records.manifest["host"]
    lives = [[(s - origin, e - origin) for s, e in c.lives] for c in components]
    held = {
        "cpu": reservations(lives, [c.cpu / host["cores"] for c in components]),
        "memory": reservations(lives, [c.memory_mb / host["memory_mb"] for c in components]),
    }
    held |= {_device(name): curves for name, curves in device_time(components, lives).items()}
    parts, kinds, owners = [], [], []
    for index, component in enumerate(components):
        reserved = {resource: curves[index] for resource, curves in held.items()}
        cuts, kind, owner, knot_cpu = _segments(records, component, origin)
        cpu = _component_cpu(records, component, origin, cuts, knot_cpu, notes)
        parts.append(Part(cpu, reserved, cuts))
        kinds.append(kind)
        owners.append(owner)
    harness, _ = _track_curve(records, "harness", origin)
    parts.append(Part(harness, {}, np.empty(0)))
    kinds.append(np.array([HARNESS]))
    owners.append(None)
    return parts, kinds, owners


def device_time(
    components: Sequence[Component], lives: Sequence[Sequence[tuple[float, float]]]
) -> dict[str, list[Curve]]:
    """Device → for each component the share of it that it holds × time, cumulative (ns).

    A device is split evenly among those that hold it at a moment (docs/methodology, rule 2).
    lives: the (start, end) spans of each component.
    """
    names = sorted({name for component in components for name in component.devices})
    return {
        name: reservations(lives, [1.0 if name in c.devices else 0.0 for c in components])
        for name in names
    }


def accelerator_time(components: Sequence[Component]) -> dict[str, list[Curve]]:
    """Worker → the shares of its devices × time (ns, on the records' axis), which it is to pay.

    A worker without a record of its devices is taken to hold one for itself.
    """
    lives = [component.lives for component in components]
    by_device = device_time(components, lives)
    return {
        worker.name: [by_device[name][index] for name in worker.devices]
        or reservations([worker.lives], [1.0])
        for index, worker in enumerate(components)
        if worker.type == "worker"
    }


def _segments(
    records: RunRecords, component: Component, origin: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Of a component: the knots (ns), kind and trial of each segment, CPU counter at the knots."""
    trials = records.trials
    if component.type != "worker":
        return np.empty(0), np.array([SERVICES]), None, np.empty(0)
    if component.name not in trials.workers:
        return np.empty(0), np.array([IDLE]), np.array([-1]), np.empty(0)
    knots = trials.knots_of(trials.workers.index(component.name))
    step = trials.knot_step[knots].astype(np.int64)
    kind = np.concatenate([[IDLE], step])
    owner = np.concatenate([[-1], np.where(step == IDLE, -1, trials.knot_trial[knots])])
    return (trials.knot_ns[knots] - origin).astype(float), kind, owner, trials.knot_cpu_ns[knots]


def _component_cpu(
    records: RunRecords,
    component: Component,
    origin: int,
    knots: np.ndarray,
    knot_cpu: np.ndarray,
    notes: list[str],
) -> Curve:
    """Cumulative CPU ns: samples, the knots of its trials, 0 at its start, and its last counter."""
    start, end = component.lives[0][0] - origin, component.lives[-1][1] - origin
    track = records.usage.get(component.name)
    times, cpu = np.empty(0), np.empty(0)
    if track is not None:
        times, cpu = track.times_ns - origin, track.cpu_ns
        seen = ~np.isnan(cpu)
        times, (cpu, began) = times[seen], resumed(cpu[seen], _COUNTER_SLACK_NS)
        knot_cpu, _ = resumed(knot_cpu, _COUNTER_SLACK_NS)
        if began.any():
            notes.append(_began_again(component.name, began))
        if np.any(np.diff(cpu) < 0):
            notes.append(f"samples/usage.csv: the CPU counter of {component.name} fell; lifted")
            cpu = np.maximum.accumulate(cpu)
        knot_cpu = _aligned(times, cpu, knots, knot_cpu, component.name, notes)
    times, cpu = np.concatenate([times, knots]), np.concatenate([cpu, knot_cpu])
    if component.cpu_ns is not None:
        times, cpu = np.append(times, end), np.append(cpu, component.cpu_ns)
    curve = usage_curve(times, cpu)
    base = 0.0
    if len(curve.times):
        first, value = curve.times[0], curve.values[0]
        cores = records.manifest["host"]["cores"]
        if value > _BASE_SLACK * cores * max(first - start, 0) + _COUNTER_SLACK_NS:
            base = value
            notes.append(
                f"{component.name}: its CPU counter did not start at 0; "
                "CPU time before its first reading is not counted"
            )
    return usage_curve(
        np.concatenate([[min(start, *curve.times[:1])], curve.times]),
        np.concatenate([[base], curve.values]),
    )


def _aligned(
    times: np.ndarray,
    cpu: np.ndarray,
    knots: np.ndarray,
    knot_cpu: np.ndarray,
    name: str,
    notes: list[str],
) -> np.ndarray:
    """The trials' CPU counters in terms of the samples' counter, where the two differ in origin."""
    inside = ~np.isnan(knot_cpu)
    if not len(times) or not inside.any():
        return knot_cpu
    inside &= (knots >= times[0]) & (knots <= times[-1])
    if not inside.any():
        return knot_cpu
    at, value = knots[inside], knot_cpu[inside]
    after = np.clip(np.searchsorted(times, at), 1, len(times) - 1) if len(times) > 1 else 0
    low, high = cpu[after - 1], cpu[after]
    outside = np.maximum(value - high, 0) - np.maximum(low - value, 0)
    if abs(np.median(outside)) <= _COUNTER_SLACK_NS:
        return knot_cpu
    shift = float(np.median(value - np.interp(at, times, cpu)))
    notes.append(
        f"{name}: the CPU counters of its trials and of its samples differ by "
        f"{shift / 1e9:.2f} s; moved onto the samples'"
    )
    return knot_cpu - shift


def _began_again(name: str, began: np.ndarray) -> str:
    return (
        f"samples/usage.csv: the CPU counter of {name} began again in "
        f"{np.count_nonzero(began)} intervals, whose CPU time is not known"
    )


def _track_curve(records: RunRecords, name: str, origin: int) -> tuple[Curve, np.ndarray]:
    """The cumulative CPU time of a track, and the stretches (g, 2) in which its counter began again
    and nobody knows."""
    track = records.usage.get(name)
    if track is None:
        return Curve(np.empty(0), np.empty(0)), np.empty((0, 2))
    times = (track.times_ns - origin).astype(float)
    cpu, began = resumed(track.cpu_ns, records.manifest["host"]["cores"] * TICKS_NS)
    return usage_curve(times, cpu), np.column_stack([times[:-1][began], times[1:][began]])


def _trial_cpu(part: Part, kind: np.ndarray, owner: np.ndarray | None, count: int) -> np.ndarray:
    """CPU ns of each trial on this part."""
    if owner is None or not len(part.cuts):
        return np.zeros(count)
    mine = owner[1:-1] >= 0
    used = np.diff(part.cpu.at(part.cuts))
    return np.bincount(owner[1:-1][mine], used[mine], count)


# --- readings -----------------------------------------------------------------------------------


def _domains(
    records: RunRecords, origin: int, end: int, flags: list[str], notes: list[str]
) -> dict[str, DomainEnergy]:
    energies = {}
    for domain in _each_once(records, notes):
        name = domain["name"]
        times, values = records.power.of(name)
        energy = domain_energy(
            times - origin,
            values,
            domain["unit"],
            domain["method"],
            domain.get("wraps_at"),
            (0.0, float(end - origin)),
            domain.get("period_s", 1 / records.config.testbed.sample_hz) * 1e9,
            bound_of(kind_of(domain["meter"]), domain["resource"], domain.get("max_w")),
        )
        if energy is None:
            flags.append(f"domain {name} has no readings of the run")
            continue
        if energy.unknown:
            notes.append(
                f"counter of {name}: {energy.unknown} intervals cannot be known "
                f"({', '.join(energy.why)}); mean power is taken"
            )
        elif energy.why:
            notes.append(f"readings of {name}: {', '.join(energy.why)}: gaps")
        energies[name] = energy
    if not energies:
        flags.append("no power samples: energy unknown")
    if records.config.workload.workers.accelerator != "cpu":
        flags += _unmetered(records)
    return energies


def _each_once(records: RunRecords, notes: list[str]) -> list[dict[str, Any]]:
    """The domains without those whose counter only shows another one's."""
    mirrored: dict[str, str] = {}
    for meter in dict.fromkeys(domain["meter"] for domain in records.domains):
        own = [d for d in records.domains if d["meter"] == meter and d["unit"] == "uj"]
        ranges = {domain["name"]: domain.get("wraps_at") for domain in own}
        for name in list(ranges)[:1]:  # all of a meter are read at the same moments
            times = records.power.of(name)[0] * S_PER_NS
            values = {name: records.power.of(name)[1] for name in ranges}
            mirrored |= mirrors.mirrored(times, values, ranges)
    notes += mirrors.said(mirrored)
    return [domain for domain in records.domains if domain["name"] not in mirrored]


def _unmetered(records: RunRecords) -> list[str]:
    """What of the workers' accelerators is in no energy of the job."""
    kind = records.config.workload.workers.accelerator
    metered = {d["name"] for d in records.domains if d["resource"] == "accelerator"}
    if not metered:
        return [f"no meter of accelerators: the energy of {kind}s is not counted"]
    workers = [c for c in records.components if c.type == "worker"]
    flags = []
    if unnamed := [c.name for c in workers if not c.devices]:
        flags.append(f"no record of the {kind}s of {', '.join(unnamed)}: their energy is in other")
    if missing := sorted({d for c in workers for d in c.devices} - metered):
        flags.append(f"no meter of {', '.join(missing)}: their energy is not counted")
    return flags


def _same_readings(records: RunRecords, energies: dict[str, DomainEnergy]) -> list[list[str]]:
    """The domains in groups that were read at the same times, so that they share an axis."""
    groups: dict[bytes, list[str]] = {}
    for name in energies:
        seen = np.isnan(records.power.values[name]).tobytes()
        groups.setdefault(seen, []).append(name)
    return list(groups.values())


def _axis(energy: Curve, starts: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Readings and lifecycle boundaries within the window, and the step of each interval."""
    times = np.concatenate([energy.times, starts, [0.0, length]])
    axis = np.unique(times[(times >= 0) & (times <= length)])
    middle = (axis[1:] + axis[:-1]) / 2
    return axis, np.maximum(np.searchsorted(starts, middle, side="right") - 1, 0)


def _supply(domain: dict[str, Any], joules: np.ndarray, idle: dict[str, float]) -> Supply:
    if domain["resource"] == "accelerator":
        return Supply(joules, math.inf, _device(domain["name"]))
    return Supply(joules, idle.get(domain["name"], 0.0), domain["resource"])


def _device(name: str) -> str:
    return f"accelerator {name}"


def _idle_watts(records: RunRecords, notes: list[str]) -> dict[str, float]:
    """Idle watts per domain of the headline meter, as the manifest has them."""
    idle = records.manifest.get("idle") or {}
    headline = records.manifest.get("headline_meter")
    if idle.get("meter", headline) != headline:
        idle = {}
    watts = {n: w for n, w in (idle.get("watts") or {}).items() if w is not None}
    for domain in records.domains:
        if domain["resource"] != "accelerator" and domain["name"] not in watts:
            notes.append(
                f"no idle power of {domain['name']}: all of its energy is shared by CPU time"
            )
    return watts


def _quality(
    result: EnergyAccount,
    records: RunRecords,
    energies: dict[str, DomainEnergy],
    machine: Curve,
    unseen: np.ndarray,
    origin: int,
    end: int,
) -> None:
    # who drew the energy is not known either while the usage of the machine is not
    unused = silences(machine.times, (0.0, float(end - origin)), 1e9 / records.sample_hz)
    unseen = np.clip(unseen, 0.0, end - origin)
    spans = np.concatenate([*(energy.gaps for energy in energies.values()), unused, unseen])
    result.gap_share = covered(spans) / (end - origin)
    readings = (records.power.of(name) for name in energies)
    result.samples = min(
        int(np.count_nonzero(~np.isnan(values) & (times >= origin) & (times <= end)))
        for times, values in readings
    )
    if result.samples < FEW_SAMPLES:
        result.flags.append(f"fewer than {FEW_SAMPLES} samples")
    if result.gap_share > GAPS_TOO_MANY:
        result.flags.append(f"gaps over {GAPS_TOO_MANY:.0%}")
