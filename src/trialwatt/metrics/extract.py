"""One run's records → its metrics: a row of the runs table and the rows of its trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from trialwatt.config.catalogue import is_of_images
from trialwatt.config.factors import FACTORS
from trialwatt.config.identity import canonical_json, run_label
from trialwatt.config.models import AS_RECORDED, RunConfig, Workload
from trialwatt.errors import TrialwattError
from trialwatt.metrics import foreign, formulas, versions
from trialwatt.metrics.attribution import Curve
from trialwatt.metrics.chains import Chains, chains_of
from trialwatt.metrics.columns import schema
from trialwatt.metrics.context import IntensitySeries, MetricsContext
from trialwatt.metrics.dictionary import PLANNED, RUNS, SEGMENTS, TRIALS
from trialwatt.metrics.energy import KINDS, EnergyAccount, accelerator_time, account
from trialwatt.metrics.formulas import DUPLICATE, FAILED, J_PER_KWH, MB_PER_GB, NAN, PRUNED
from trialwatt.records import disturbed
from trialwatt.records.events import NO_TRIAL, OUTCOMES, STEPS
from trialwatt.records.manifest import MANIFEST, is_control, read_manifest, repetition_folder
from trialwatt.records.outcome import FAILED as FAILED_RUN
from trialwatt.records.outcome import LIFECYCLE, job_completion_time_ms
from trialwatt.records.phi import canonical
from trialwatt.records.reader import Component, RunRecords, read_run
from trialwatt.records.trials import IDLE, Trials

_NS_PER_MS, _NS_PER_S = 1e6, 1e9
_BYTES_PER_MB = 2**20


@dataclass(frozen=True)
class RunMetrics:
    """The metrics of one run. run: column → value, without the columns that the plan gives."""

    run: dict[str, Any]
    trials_table: pa.Table

    @property
    def trials(self) -> pd.DataFrame:
        """One row per started trial, by start."""
        plain = [
            pc.cast(c, pa.string()) if pa.types.is_dictionary(c.type) else c
            for c in self.trials_table.columns
        ]
        return pa.table(plain, names=self.trials_table.column_names).to_pandas()


def extract_run(folder: Path, context: MetricsContext, processes: int = 1) -> RunMetrics:
    """Read a repetition's folder and compute all its metrics.

    Of a run that failed its identity is all that counts: it is a hole, whatever it recorded.
    Raises TrialwattError where the records cannot be trusted or where the intensity does not
    cover the run; the message begins with the folder.
    """
    try:
        manifest = read_manifest(folder / MANIFEST)
        if manifest.get("status") == FAILED_RUN:
            return hole(manifest)
        return compute(read_run(folder, processes), context)
    except TrialwattError as error:
        raise TrialwattError(f"{folder}: {error}") from error


def hole(manifest: dict[str, Any]) -> RunMetrics:
    """The row of a run that failed: what was to be run, and nothing that was measured."""
    try:
        config = RunConfig.model_validate(manifest["config"], context=AS_RECORDED)
    except ValidationError as error:
        raise TrialwattError(f"run.json: config: {error}") from error
    names = (name for name in schema(RUNS).names if name not in PLANNED)
    run = dict.fromkeys(names) | _identity(manifest, config, config.worker_cpu)
    return RunMetrics(run, schema(TRIALS).empty_table())


def compute(records: RunRecords, context: MetricsContext, with_trials: bool = True) -> RunMetrics:
    """The metrics of records that were read already; the trials' table is empty if not wanted."""
    trials = records.trials
    completed = trials.outcome == OUTCOMES.index("completed")
    chains = chains_of(trials)

    target = target_of(records.config.workload, context.targets)
    goal, goal_ns = -1, None
    if target is not None:
        sign = records.config.workload.goal.sign
        reached = completed & formulas.reaches(trials.score, target, sign)
        goal = formulas.goal_index(trials.end_ns, reached)
        goal_ns = _moment_of(records, goal, reached)
    marks, weights = _marks(records, context, goal_ns)
    energy = account(records, marks, weights)
    costs = _Costs(records, context)

    workers = _workers(records)
    cpu = workers[0].cpu if workers else records.config.worker_cpu
    run = _identity(records.manifest, records.config, cpu)
    run |= _counts(chains)
    prunes = records.config.workload.search.prunes
    own = trials.epochs - trials.from_epoch
    run["reports"] = int(own.sum()) if prunes else 0
    spent = [str(event.get("limit")) for event in records.events if event["kind"] == "spent"]
    run["ended_by"] = spent[0] if spent else None
    run |= _times(records, run["trials_completed"])
    run |= _energies(energy, chains)
    run["cint_g_per_kwh"] = formulas.carbon_intensity_g_per_kwh(
        float(energy.trial_weighted.sum()), float(_trial_j(energy).sum())
    )
    run["carbon_g"] = energy.job_weighted / J_PER_KWH * context.pue
    run["oc"] = costs.job
    run |= _trial_totals(records, energy, costs, chains.segments)
    run |= _goal(records, energy, costs, marks, target, goal >= 0, goal_ns)
    run |= _pruning(records, energy, chains)
    run |= _resources(records, energy)
    run |= _held(records, energy)
    run |= _quality(records, energy, context, costs)
    if not with_trials:
        return RunMetrics(run, schema(TRIALS).empty_table())
    return RunMetrics(run, _trials_table(records, energy, costs, chains.segments, context))


# --- inputs -------------------------------------------------------------------------------------


def target_of(workload: Workload, references: Mapping[str, float]) -> float | None:
    """The score that is the goal; None where there is none. references: by dataset."""
    if workload.goal.target is not None:
        return workload.goal.target
    # the references are macro-F1 of images; else there is no target unless the workload names one
    referred = is_of_images(workload) and workload.goal.score == "macro_f1"
    return references.get(workload.dataset) if referred else None


def _moment_of(records: RunRecords, goal: int, reached: np.ndarray) -> int | None:
    """When the goal was reached; None where it was not, or where that is not known: which trial was
    the first is not, where one that reached it (n,) has no known time."""
    trials = records.trials
    if goal < 0 or not trials.placed[reached].all():
        return None
    moment = int(trials.end_ns[goal])
    return moment if moment >= records.steps.get("setup", records.window)[0] else None


def _marks(
    records: RunRecords, context: MetricsContext, goal_ns: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Moments that split sums (new intensities, the goal), and the intensity of each slot."""
    start, end = records.window
    marks = np.array([] if goal_ns is None else [goal_ns], np.int64)
    if not isinstance(context.intensity, IntensitySeries):
        return marks, np.full(len(marks) + 1, float(context.intensity))
    series, shift = context.intensity, records.utc_minus_mono_ns
    series.require(start + shift, end + shift)
    changes = series.utc_ns - shift
    changes = changes[(changes > start) & (changes < end)]
    marks = np.unique(np.concatenate([marks, changes]))
    slot_starts = np.concatenate([[start], marks]) + shift
    return marks, series.g_per_kwh[np.searchsorted(series.utc_ns, slot_starts, side="right") - 1]


class _Costs:
    """What reserved resources cost."""

    def __init__(self, records: RunRecords, context: MetricsContext):
        self._records, self._context = records, context
        accelerator = records.config.workload.workers.accelerator
        self._accelerator = 0.0
        self._held: dict[str, list[Curve]] = {}
        self.unpriced = ""
        if accelerator != "cpu":
            self._held = accelerator_time(records.components)
            self._accelerator = context.price_per_accelerator_h.get(accelerator, NAN)
            if math.isnan(self._accelerator):
                self.unpriced = f"no price of accelerator {accelerator}"
        self.job = NAN if records.unreserved else self.until(records.window[1])

    def until(self, moment_ns: int) -> float:
        """Cost of all components from their start to this moment."""
        at = np.array([moment_ns], float)
        spent = (
            self._of(c, _reserved_ns(c, moment_ns), self._held_ns(c, at)[0])
            for c in self._records.components
        )
        return float(sum(spent))

    def _held_ns(self, component: Component, moments: np.ndarray) -> np.ndarray:
        """Accelerators × time that a component has held until each moment."""
        curves = self._held.get(component.name, [])
        return sum((curve.at(moments) for curve in curves), np.zeros(len(moments)))

    def _of(
        self,
        component: Component,
        duration_ns: np.ndarray | float,
        accelerator_ns: np.ndarray | float,
    ) -> np.ndarray | float:
        return formulas.cost(
            component.cpu,
            component.memory_mb,
            duration_ns,
            self._context.price_per_cpu_h,
            self._context.price_per_gb_h,
            accelerator_ns,
            self._accelerator,
        )

    def of_trials(self) -> np.ndarray:
        """(n,) cost of each trial: its worker's reserved resources for its duration."""
        trials = self._records.trials
        by_name = {c.name: c for c in self._records.components}
        result = np.full(len(trials), NAN)
        for index, name in enumerate(trials.workers):
            mine = trials.worker == index
            if name in by_name:
                component, start, end = by_name[name], trials.start_ns[mine], trials.end_ns[mine]
                held = self._held_ns(component, end) - self._held_ns(component, start)
                result[mine] = self._of(component, trials.duration_ns[mine], held)
        return result


def _reserved_ns(component: Component, until_ns: float = math.inf) -> float:
    return float(sum(max(0, min(end, until_ns) - start) for start, end in component.lives))


def _trial_j(energy: EnergyAccount) -> np.ndarray:
    return energy.trial_static_j + energy.trial_dynamic_j


def _workers(records: RunRecords) -> list[Component]:
    return [c for c in records.components if c.type == "worker"]


def _workers_ns(records: RunRecords, cores: bool = False) -> float:
    """Reserved time of all workers, or × their cores; NaN where some of it is on no record."""
    if records.unreserved:
        return NAN
    return sum((c.cpu if cores else 1.0) * _reserved_ns(c) for c in _workers(records))


def _held(records: RunRecords, energy: EnergyAccount) -> dict[str, float]:
    """What the whole job held and used: all that modelled energy is a function of."""
    known = NAN if records.unreserved else 1.0
    held = [(c.cpu, c.memory_mb, _reserved_ns(c) / _NS_PER_S) for c in records.components]
    return {
        "reserved_core_s": known * sum(cores * seconds for cores, _, seconds in held),
        "used_core_s": energy.used_cpu_ns / _NS_PER_S,
        "reserved_gb_s": known * sum(mb / MB_PER_GB * seconds for _, mb, seconds in held),
    }


# --- groups of columns --------------------------------------------------------------------------


def _identity(manifest: dict[str, Any], config: RunConfig, cpu_physical: float) -> dict[str, Any]:
    load, block = config.workload, manifest.get("block") or {}
    return {
        "hash": manifest["hash"],
        "repetition": manifest["repetition"],
        "block": block.get("number"),
        "block_position": block.get("position"),
        "block_runs": block.get("runs"),
        "block_plan": block.get("plan"),
        "sut": config.sut,
        "testbed": config.testbed_name,
        "folder": repetition_folder(manifest),
        "is_control": is_control(manifest.get("control"), config.sut),
        "label": run_label(config),
        "status": manifest.get("status", ""),
        "reason": manifest.get("reason", ""),
        **{factor.column: factor.of(load) for factor in FACTORS.values()},
        "space": canonical_json(
            {name: axis.model_dump(exclude_none=True) for name, axis in load.space.items()}
        ),
        "cpu_physical": cpu_physical,
        "seed": manifest.get("seed"),
        "goal_score": load.goal.score,
        "goal_direction": load.goal.direction,
    }


def _counts(chains: Chains) -> dict[str, Any]:
    return {
        "trials_started": len(chains.last),
        "trials_completed": int(chains.completed.sum()),
        "trials_failed": int(chains.failed.sum()),
        "trials_pruned": int(chains.pruned.sum()),
        "trials_duplicate": int((chains.waste == DUPLICATE).sum()),
    }


def _times(records: RunRecords, completed: int) -> dict[str, Any]:
    steps = records.steps
    times = {
        f"{name}_ms": (steps[name][1] - steps[name][0]) / _NS_PER_MS if name in steps else NAN
        for name in LIFECYCLE
    }
    jct = NAN
    if "setup" in steps and "collect" in steps:
        jct = job_completion_time_ms(steps["setup"][0], steps["collect"][1])
    return times | {"jct_ms": jct, "throughput_per_h": formulas.throughput_per_h(completed, jct)}


def _energies(energy: EnergyAccount, chains: Chains) -> dict[str, Any]:
    """All energies in kWh: the job's, its parts, and those of steps."""
    cells = energy.cells_j.sum(axis=2) / J_PER_KWH
    job, each = energy.job_j / J_PER_KWH, chains.sums(_trial_j(energy) / J_PER_KWH)
    by_step = dict(zip(energy.steps, cells.sum(axis=0), strict=True))
    within = dict.fromkeys(KINDS, NAN)
    if "trials" in energy.steps:
        known = energy.known_j[:, energy.steps.index("trials")] / J_PER_KWH
        within = dict(zip(KINDS, known, strict=True))
    other = energy.other_j / J_PER_KWH
    return {
        "job_energy_kwh": job,
        "ept_kwh": formulas.energy_per_trial_kwh(job, int((chains.waste == "").sum())),
        "twh_kwh": formulas.trial_energy_kwh(each),
        "twh_completed_kwh": formulas.trial_energy_kwh(each[chains.completed]),
        "trials_energy_kwh": energy.of_kinds(*STEPS) / J_PER_KWH,
        "idle_energy_kwh": energy.of_kinds("idle") / J_PER_KWH,
        "services_energy_kwh": energy.of_kinds("services") / J_PER_KWH,
        "harness_energy_kwh": energy.of_kinds("harness") / J_PER_KWH,
        "other_energy_kwh": other,
        **{f"step_{step}_energy_kwh": by_step.get(step, NAN) for step in LIFECYCLE},
        "load_energy_kwh": within["load"] + within["import"],
        "import_energy_kwh": within["import"],
        "train_energy_kwh": within["train"],
        "validate_energy_kwh": within["validate"],
        "between_energy_kwh": within["idle"],
        "wr": formulas.idle_share(energy.of_kinds("idle") / J_PER_KWH, job),
    }


def _trial_totals(
    records: RunRecords, energy: EnergyAccount, costs: _Costs, waste: np.ndarray
) -> dict[str, Any]:
    """Time, energy and cost of all trials and of the wasted ones."""
    trials = records.trials
    time_ms = trials.duration_ns / _NS_PER_MS
    kwh, money = _trial_j(energy) / J_PER_KWH, costs.of_trials()
    reserved_ms = _workers_ns(records) / _NS_PER_MS
    job = energy.job_j / J_PER_KWH
    wasted = waste != ""
    result = {
        "trials_time_ms": float(time_ms.sum()),
        "trials_cost": float(money.sum()),
        "wtt_ms": float(time_ms[wasted].sum()),
        "wte_kwh": float(kwh[wasted].sum()) if wasted.any() else 0.0 * job,
        "wtc": float(money[wasted].sum()) if wasted.any() else 0.0 * costs.job,
    }
    result |= {
        "wtt_share": formulas.ratio(result["wtt_ms"], reserved_ms),
        "wte_share": formulas.ratio(result["wte_kwh"], job),
        "wtc_share": formulas.ratio(result["wtc"], costs.job),
    }
    for kind in (FAILED, PRUNED, DUPLICATE):
        mine = waste == kind
        result[f"waste_{kind}_time_share"] = formulas.ratio(float(time_ms[mine].sum()), reserved_ms)
        result[f"waste_{kind}_energy_share"] = formulas.ratio(float(kwh[mine].sum()), job)
        result[f"waste_{kind}_cost_share"] = formulas.ratio(float(money[mine].sum()), costs.job)
    return result


def _goal(
    records: RunRecords,
    energy: EnergyAccount,
    costs: _Costs,
    marks: np.ndarray,
    target: float | None,
    reached: bool,
    goal_ns: int | None,
) -> dict[str, Any]:
    """goal_ns: when it was reached; None where it was not, or where that is not known."""
    result = {
        "goal_target": NAN if target is None else target,
        "goal_reached": None if target is None else reached,
        "goal_censored": None if target is None else not reached,
        "surplus_energy_kwh": 0.0 * energy.job_j if target is not None and not reached else NAN,
        "energy_to_goal_kwh": NAN,
        "cost_to_goal": NAN,
        "time_to_goal_ms": NAN,
    }
    if goal_ns is not None:
        slots = int(np.searchsorted(marks, goal_ns, side="right"))
        before = float(energy.cells_j[:, :, :slots].sum())
        start = records.steps.get("setup", records.window)[0]
        result |= {
            "surplus_energy_kwh": float(energy.cells_j[:, :, slots:].sum()) / J_PER_KWH,
            "energy_to_goal_kwh": before / J_PER_KWH,
            "cost_to_goal": costs.until(goal_ns),
            "time_to_goal_ms": (goal_ns - start) / _NS_PER_MS,
        }
    return result


def _pruning(records: RunRecords, energy: EnergyAccount, chains: Chains) -> dict[str, Any]:
    trials, pruned = records.trials, chains.pruned
    avoided = formulas.avoided_energy(
        chains.sums(energy.trial_train_j)[pruned],
        chains.sums(trials.epochs - trials.from_epoch)[pruned],
        records.config.workload.epochs,
        trials.epochs[chains.last[pruned]],
    )
    known = 0.0 * energy.job_j  # NaN where no energy is known, even if no trial was pruned
    return {"avoided_energy_kwh": known + float(avoided.sum()) / J_PER_KWH}


def _resources(records: RunRecords, energy: EnergyAccount) -> dict[str, Any]:
    peaks = []
    for worker in _workers(records):
        track = records.usage.get(worker.name)
        peaks.append(
            max(worker.peak_memory_bytes or 0, _greatest(track.memory_bytes) if track else 0)
        )
    best, test = records.manifest.get("best") or {}, records.manifest.get("test") or {}
    goal = records.config.workload.goal
    core_ns = _workers_ns(records, cores=True)
    return {
        "peak_memory_mb": (max(peaks, default=0) or NAN) / _BYTES_PER_MB,
        "utilisation": formulas.utilisation(energy.workers_cpu_ns / 1e9, core_ns / 1e9),
        "best_score": _number(best.get("score")),
        "best_phi": canonical(best["phi"], records.config.workload.space)
        if best.get("phi")
        else None,
        "best_trial": best.get("trial"),
        "test_score": _number(test.get(goal.score)),
    }


def _quality(
    records: RunRecords, energy: EnergyAccount, context: MetricsContext, costs: _Costs
) -> dict[str, Any]:
    flags = [*energy.flags, *foreign.flags(energy.foreign_share, records.config.testbed)]
    flags += disturbed.flags(records.events, _job_window(records))
    flags += versions.flags(records.manifest)
    flags += [costs.unpriced] if costs.unpriced else []
    flags += foreign.idle_flags(records.manifest)
    flags += foreign.added_flags(records.manifest)
    notes = [*records.notes, *energy.notes, *foreign.notes(records)]
    return {
        "energy_method": "+".join(energy.methods),
        "energy_meter": records.manifest.get("headline_meter") or "",
        "energy_domains": "+".join(energy.domains),
        "sample_hz": records.sample_hz,
        "samples": energy.samples,
        "gap_share": energy.gap_share,
        "foreign_cpu_share": energy.foreign_share,
        "flags": "; ".join(flags),
        "enforcement": (records.manifest.get("enforcement") or {}).get("kind", ""),
        "currency": context.currency,
        "price_date": context.price_date,
        "region": context.region,
        "carbon_year": context.carbon_year,
        "pue": context.pue,
        "notes": "; ".join(dict.fromkeys(notes)),
    }


def _job_window(records: RunRecords) -> tuple[int, int] | None:
    steps = records.steps
    ended = steps.keys() >= {"setup", "collect"}
    return (steps["setup"][0], steps["collect"][1]) if ended else None


def _greatest(values: np.ndarray) -> float:
    """The greatest reading; 0 where there is none."""
    return float(np.max(values, initial=0.0, where=~np.isnan(values)))


def _number(value: float | None) -> float:
    return NAN if value is None else float(value)


# --- trials -------------------------------------------------------------------------------------


def step_ms(trials: Trials) -> np.ndarray:
    """(steps, n): ms that each trial spent in each of STEPS; NaN where that is not known."""
    spans = np.diff(trials.knot_ns, append=trials.knot_ns[-1:])
    step = trials.knot_step.astype(np.int64)
    busy = step != IDLE
    cell = step[busy] * len(trials) + trials.knot_trial[busy]
    total = np.bincount(cell, spans[busy], len(STEPS) * len(trials)).astype(float)
    total = total.reshape(len(STEPS), len(trials)) / _NS_PER_MS
    total[:, ~trials.placed] = NAN
    return total


def _trials_table(
    records: RunRecords,
    energy: EnergyAccount,
    costs: _Costs,
    waste: np.ndarray,
    context: MetricsContext,
) -> pa.Table:
    trials, manifest = records.trials, records.manifest
    spent = dict(zip(STEPS, step_ms(trials), strict=True))
    same = {
        "hash": manifest["hash"],
        "sut": records.config.sut,
        "testbed": records.config.testbed_name,
        "folder": repetition_folder(manifest),
        "energy_method": "+".join(energy.methods),
    }
    count = len(trials)
    columns = {
        **{name: _repeated(text, count) for name, text in same.items()},
        "repetition": np.full(count, manifest["repetition"], np.int64),
        "worker": _coded(trials.worker, trials.workers),
        "trial": trials.ids,
        "number": pa.array(trials.number, mask=trials.number < 0),
        "phi": _coded(trials.phi, trials.phis),
        "start_utc_ns": trials.start_ns + records.utc_minus_mono_ns,
        "duration_ms": trials.duration_ns / _NS_PER_MS,
        "load_ms": spent["load"] + spent["import"],
        "import_ms": spent["import"],
        "train_ms": spent["train"],
        "validate_ms": spent["validate"],
        "epochs": trials.epochs,
        "outcome": _coded(trials.outcome, list(OUTCOMES)),
        "reason": trials.reason,
        "waste_class": pa.array(waste, pa.string()).dictionary_encode(),
        "score": trials.score,
        "energy_kwh": _trial_j(energy) / J_PER_KWH,
        "static_energy_kwh": energy.trial_static_j / J_PER_KWH,
        "dynamic_energy_kwh": energy.trial_dynamic_j / J_PER_KWH,
        "train_energy_kwh": energy.trial_train_j / J_PER_KWH,
        "cpu_s": energy.trial_cpu_ns / 1e9,
        "carbon_g": energy.trial_weighted / J_PER_KWH * context.pue,
        "cost": costs.of_trials(),
    }
    if (trials.resumes != NO_TRIAL).any():
        before = pa.array(trials.resumes, mask=trials.resumes == NO_TRIAL)
        values = (trials.ids.take(before), trials.from_epoch)
        columns |= dict(zip((column.name for column in SEGMENTS), values, strict=True))
    table = pa.table(columns)
    return table.take(np.argsort(trials.start_ns, kind="stable"))


def _repeated(text: str, count: int) -> pa.DictionaryArray:
    return _coded(np.zeros(count, np.int32), [text])


def _coded(codes: np.ndarray, names: Sequence[str] | pa.Array) -> pa.DictionaryArray:
    names = names if isinstance(names, pa.Array) else pa.array(names, pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pc.cast(names, pa.string()))
