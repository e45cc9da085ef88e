"""The records of a run → who drew which energy: curves, grid and parts for the attribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trialwatt.meters import kind_of, mirrors
from trialwatt.meters.bounds import bound_of
from trialwatt.metrics import foreign
from trialwatt.metrics.attribution import (
    S_PER_NS,
    Curve,
    Drawn,
    Grid,
    Part,
    Supply,
    attribute,
    levelled,
    reservations,
)
from trialwatt.metrics.readings import (
    FEW_SAMPLES,
    GAPS_TOO_MANY,
    DomainEnergy,
    covered,
    domain_energy,
    silences,
)
from trialwatt.metrics.usage import Usage
from trialwatt.records.events import STEPS
from trialwatt.records.later import readings_beside
from trialwatt.records.reader import Component, RunRecords
from trialwatt.records.trials import IDLE

KINDS = (*STEPS, "idle", "services", "harness")
"""Kinds of segments: a trial's steps, a worker that holds no trial, services, the coordinator."""
SERVICES, HARNESS = KINDS.index("services"), KINDS.index("harness")
_MEAN = "mean power is taken"
_NO_KNOTS = slice(0, 0)
OF_WORKERS = (*STEPS, "idle")
"""What a worker's energy is divided into by the times of its trials."""


@dataclass
class EnergyAccount:
    """Who drew what, in J; all NaN where the energy of the run is not known.

    divided: whether it is known when each worker held a trial; the energy of such a trial, and the
    sums over trials and over idle workers, are NaN where it is not, and the job's is known.
    workers_cpu_ns: CPU time of all workers; used_cpu_ns: of all components and the coordinator, NaN
    where that of any of them is not known. cells_j: (kinds, lifecycle steps, slots between marks).
    The per-trial arrays are (n,), in the order of the records' trials; train_j is the part of their
    train step; weighted is Σ energy × weight of its slot (J·g/kWh with intensities as weights).
    The arrays knot_* are (k,), in the order of the records' knots, where these are asked for: from
    each of them to the next one of its worker, 0 after the last.
    """

    steps: list[str]
    cells_j: np.ndarray
    machine_j: float
    trial_static_j: np.ndarray
    trial_dynamic_j: np.ndarray
    trial_train_j: np.ndarray
    trial_weighted: np.ndarray
    trial_cpu_ns: np.ndarray
    knot_static_j: np.ndarray
    knot_dynamic_j: np.ndarray
    knot_cpu_ns: np.ndarray
    workers_cpu_ns: float
    used_cpu_ns: float
    divided: bool
    job_weighted: float
    gap_share: float
    samples: int
    foreign_share: float
    domains: list[str]
    methods: list[str]
    flags: list[str]
    notes: list[str]

    @property
    def job_j(self) -> float:
        return float(self.cells_j.sum())

    @property
    def other_j(self) -> float:
        return self.machine_j - self.job_j

    @property
    def known_j(self) -> np.ndarray:
        """(kinds, steps): the cells, NaN where nobody knows how a worker's energy divides."""
        cells = self.cells_j.sum(axis=2)
        if not self.divided:
            cells[[KINDS.index(kind) for kind in OF_WORKERS]] = math.nan
        return cells

    def of_kinds(self, *kinds: str) -> float:
        return float(self.known_j[[KINDS.index(kind) for kind in kinds]].sum())


def account(
    records: RunRecords, marks_ns: np.ndarray, weights: np.ndarray, by_knot: bool = False
) -> EnergyAccount:
    """Attribute the energy of a run's window by the rule of the methodology page.

    marks_ns: sorted moments (on the records' axis) that split the sums, never the attribution;
    weights: one per slot between them. by_knot: whether the arrays of the knots are wanted.
    """
    origin, end = records.window
    flags, notes = list(records.flags), list[str]()
    usage = Usage(records, origin, notes)
    shares = _parts(records, origin, usage)
    machine = usage.machine()
    energies = _domains(records, origin, end, usage, flags)
    flags += usage.flags
    result = _nothing(records, shares, len(weights), energies, flags, notes, by_knot)
    result.used_cpu_ns = _used_ns(records, shares, usage)
    result.foreign_share = foreign.of_run(records, usage, machine, shares.parts)
    told = len(machine.times) > 1 and machine.times[0] < end - origin and machine.times[-1] > 0
    if energies and not told:
        flags.append("no usage samples of the run: energy unknown")
    if not energies or not told or end <= origin or records.unreserved:
        _unknown(result)
        return result

    length = float(end - origin)
    busy = levelled(machine.within(0.0, length), usage.cores)
    starts = np.array([records.steps[name][0] - origin for name in result.steps], float)
    idle = _idle_watts(records, notes)
    marks = np.asarray(marks_ns, float) - origin
    for group in _same_readings(records, energies):
        grid = Grid(energies[group[0]].energy.times, starts, marks, np.asarray(weights, float))
        supplies = []
        for name in group:
            domain = next(d for d in records.domains if d["name"] == name)
            joules = np.diff(energies[name].energy.values)
            result.machine_j += float(joules.sum())
            supplies.append(_supply(domain, joules, idle))
        found = attribute(shares.parts, shares.kinds, len(KINDS), busy, grid, supplies)
        parts = zip(found, shares.kinds, shares.owners, shares.knots, strict=True)
        for drawn, kind, owner, knots in parts:
            _add(result, drawn, kind, owner, grid.weights)
            if by_knot:
                result.knot_static_j[knots] += drawn.static_j[1:]
                result.knot_dynamic_j[knots] += drawn.dynamic_j[1:]
    for array in _of_trials(result):
        array[~records.trials.placed] = math.nan
    # who drew the energy is not known either while the usage of the machine is not
    window = (0.0, length)
    silent = silences(machine.times, window, 1e9 / records.sample_hz)
    gaps = [*(energy.gaps for energy in energies.values()), silent, usage.unknown.clip(*window)]
    _quality(result, records, np.concatenate(gaps), energies)
    return result


@dataclass(frozen=True)
class _Shares:
    """The components as parts, with the kind and the trial (or −1) of each of their segments, and
    which of the records' knots these begin at."""

    parts: list[Part]
    kinds: list[np.ndarray]
    owners: list[np.ndarray | None]
    knots: list[slice]


def _nothing(
    records: RunRecords,
    shares: _Shares,
    slots: int,
    energies: dict[str, DomainEnergy],
    flags: list[str],
    notes: list[str],
    by_knot: bool,
) -> EnergyAccount:
    """What is known before any energy is: CPU time, and the domains that it will be of."""
    count, steps = len(records.trials), list(records.steps)
    trial_cpu, workers_cpu = np.zeros(count), 0.0
    for part, kind, owner in zip(shares.parts, shares.kinds, shares.owners, strict=True):
        trial_cpu += _trial_cpu(part, kind, owner, count)
        if owner is not None and len(part.cpu.values):
            workers_cpu += float(part.cpu.values[-1] - part.cpu.values[0])
    trial_cpu[~records.trials.placed] = math.nan
    knot_cpu = np.zeros(len(records.trials.knot_ns) if by_knot else 0)
    for part, knots in zip(shares.parts, shares.knots, strict=True):
        if by_knot and knots.stop > knots.start:
            knot_cpu[knots][:-1] = np.diff(part.cpu.at(part.cuts))
    return EnergyAccount(
        steps=steps,
        cells_j=np.zeros((len(KINDS), len(steps), slots)),
        machine_j=0.0,
        trial_static_j=np.zeros(count),
        trial_dynamic_j=np.zeros(count),
        trial_train_j=np.zeros(count),
        trial_weighted=np.zeros(count),
        trial_cpu_ns=trial_cpu,
        knot_static_j=np.zeros(len(knot_cpu)),
        knot_dynamic_j=np.zeros(len(knot_cpu)),
        knot_cpu_ns=knot_cpu,
        workers_cpu_ns=workers_cpu,
        used_cpu_ns=math.nan,
        divided=bool(records.trials.placed.all()),
        job_weighted=0.0,
        gap_share=1.0,
        samples=0,
        foreign_share=math.nan,
        domains=sorted(energies),
        methods=sorted({d["method"] for d in records.domains if d["name"] in energies}),
        flags=flags,
        notes=notes,
    )


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


def _of_trials(result: EnergyAccount) -> tuple[np.ndarray, ...]:
    return (
        result.trial_static_j,
        result.trial_dynamic_j,
        result.trial_train_j,
        result.trial_weighted,
    )


def _unknown(result: EnergyAccount) -> None:
    of_knots = (result.knot_static_j, result.knot_dynamic_j)
    for array in (result.cells_j, *_of_trials(result), *of_knots):
        array[...] = math.nan
    result.machine_j = result.job_weighted = math.nan
    result.methods = result.methods or ["unknown"]


# --- parts --------------------------------------------------------------------------------------


def _parts(records: RunRecords, origin: int, usage: Usage) -> _Shares:
    components, host = records.components, records.manifest["host"]
    lives = [[(s - origin, e - origin) for s, e in c.lives] for c in components]
    held = {
        "cpu": reservations(lives, [c.cpu / host["cores"] for c in components]),
        "memory": reservations(lives, [c.memory_mb / host["memory_mb"] for c in components]),
    }
    held |= {_device(name): curves for name, curves in device_time(components, lives).items()}
    shares = _Shares([], [], [], [])
    for index, component in enumerate(components):
        reserved = {resource: curves[index] for resource, curves in held.items()}
        knots = _knots_of(records, component)
        cuts, kind, owner, knot_cpu = _segments(records, component, knots, origin)
        shares.parts.append(Part(usage.component(component, cuts, knot_cpu), reserved, cuts))
        shares.kinds.append(kind)
        shares.owners.append(owner)
        shares.knots.append(knots)
    shares.parts.append(Part(usage.harness(), {}, np.empty(0)))
    shares.kinds.append(np.array([HARNESS]))
    shares.owners.append(None)
    shares.knots.append(_NO_KNOTS)
    return shares


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


def _knots_of(records: RunRecords, component: Component) -> slice:
    trials = records.trials
    if component.type != "worker" or component.name not in trials.workers:
        return _NO_KNOTS
    return trials.knots_of(trials.workers.index(component.name))


def _segments(
    records: RunRecords, component: Component, knots: slice, origin: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Of a component: the knots (ns), kind and trial of each segment, CPU counter at the knots."""
    trials = records.trials
    if component.type != "worker":
        return np.empty(0), np.array([SERVICES]), None, np.empty(0)
    if component.name not in trials.workers:
        return np.empty(0), np.array([IDLE]), np.array([-1]), np.empty(0)
    step = trials.knot_step[knots].astype(np.int64)
    kind = np.concatenate([[IDLE], step])
    owner = np.concatenate([[-1], np.where(step == IDLE, -1, trials.knot_trial[knots])])
    return (trials.knot_ns[knots] - origin).astype(float), kind, owner, trials.knot_cpu_ns[knots]


def _trial_cpu(part: Part, kind: np.ndarray, owner: np.ndarray | None, count: int) -> np.ndarray:
    """CPU ns of each trial on this part."""
    if owner is None or not len(part.cuts):
        return np.zeros(count)
    mine = owner[1:-1] >= 0
    used = np.diff(part.cpu.at(part.cuts))
    return np.bincount(owner[1:-1][mine], used[mine], count)


def _used_ns(records: RunRecords, shares: _Shares, usage: Usage) -> float:
    """CPU ns in the run's window of all whose dynamic energy is the job's; see EnergyAccount."""
    names = {*(component.name for component in records.components), "harness"}
    curves = [part.cpu for part in shares.parts]
    told = not names & usage.gaps.keys() and all(len(curve.values) > 1 for curve in curves)
    if records.unreserved or not told:
        return math.nan
    window = np.array(records.window, float) - usage.origin
    return float(sum(np.diff(curve.at(window))[0] for curve in curves))


# --- readings -----------------------------------------------------------------------------------


def _domains(
    records: RunRecords, origin: int, end: int, usage: Usage, flags: list[str]
) -> dict[str, DomainEnergy]:
    energies = {}
    for domain in _each_once(records, usage.notes):
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
            domain.get("most_w", math.inf),
            usage.unknown_of_machine,
        )
        if energy is None:
            flags.append(f"domain {name} has no readings of the run")
            continue
        if energy.unknown or energy.why:
            usage.notes.append(_untold(domain, energy))
        energies[name] = energy
    if not energies:
        flags.append(f"no power samples: energy unknown{_what_to_do(records)}")
    if records.config.workload.workers.accelerator != "cpu":
        flags += _unmetered(records)
    return energies


def _what_to_do(records: RunRecords) -> str:
    """How a run whose headline has no readings may yet get an energy; empty where it cannot."""
    meters = dict.fromkeys(domain["meter"] for domain in records.domains)
    kinds = {name: kind_of(name) for name in meters}
    again = [name for name, kind in kinds.items() if kind is not None and not kind.sampled]
    said = [f"trialwatt collect asks {name} again" for name in again]
    if beside := readings_beside(records.folder, records.manifest):
        name = beside[0]
        said.append(f"{name} was recorded beside it: trialwatt collect --instead {name} uses that")
    return f" ({', '.join(said)})" if said else ""


def _untold(domain: dict[str, Any], energy: DomainEnergy) -> str:
    name, why = domain["name"], ", ".join(energy.why)
    if domain["unit"] == "uj":
        return f"counter of {name}: {energy.unknown} intervals cannot be known ({why}); {_MEAN}"
    if why:
        return f"readings of {name}: {why}: gaps"
    why = "the machine's CPU time is not known there"
    return f"{name}: {energy.unknown} intervals cannot be modelled ({why}); {_MEAN}"


def _each_once(records: RunRecords, notes: list[str]) -> list[dict[str, Any]]:
    """The domains without those whose counter only shows another one's."""
    mirrored: dict[str, str] = {}
    for meter in dict.fromkeys(domain["meter"] for domain in records.domains):
        own = [d for d in records.domains if d["meter"] == meter and d["unit"] == "uj"]
        ranges = {domain["name"]: domain.get("wraps_at") for domain in own}
        read = {name: records.power.of(name) for name in ranges}
        if read:
            times, _ = next(iter(read.values()))  # all of a meter are read at the same moments
            values = {name: own for name, (_, own) in read.items()}
            mirrored |= mirrors.mirrored(times * S_PER_NS, values, ranges)
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


def _supply(domain: dict[str, Any], joules: np.ndarray, idle: dict[str, float]) -> Supply:
    idle_w = idle.get(domain["name"], 0.0)
    if domain["resource"] == "accelerator":
        return Supply(joules, idle_w, _device(domain["name"]), by_cpu=False)
    return Supply(joules, idle_w, domain["resource"])


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
        if domain["name"] not in watts:
            by = "dynamic" if domain["resource"] == "accelerator" else "shared by CPU time"
            notes.append(f"no idle power of {domain['name']}: all of its energy is {by}")
    return watts


def _quality(
    result: EnergyAccount,
    records: RunRecords,
    gaps: np.ndarray,
    energies: dict[str, DomainEnergy],
) -> None:
    origin, end = records.window
    result.gap_share = covered(gaps) / (end - origin)
    readings = (records.power.of(name) for name in energies)
    result.samples = min(
        int(np.count_nonzero(~np.isnan(values) & (times >= origin) & (times <= end)))
        for times, values in readings
    )
    if result.samples < FEW_SAMPLES:
        result.flags.append(f"fewer than {FEW_SAMPLES} samples")
    if result.gap_share > GAPS_TOO_MANY:
        result.flags.append(f"gaps over {GAPS_TOO_MANY:.0%}")
