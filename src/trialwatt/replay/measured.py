"""The records of ordinary runs over a whole grid → the trial table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from trialwatt.config.plan_parts import Context
from trialwatt.config.space import size
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.metrics import foreign
from trialwatt.metrics.columns import schema
from trialwatt.metrics.energy import KINDS, OF_WORKERS, EnergyAccount, account
from trialwatt.metrics.formulas import MB_PER_GB
from trialwatt.metrics.processes import PROCESSES, mapped
from trialwatt.metrics.remodel import remodelled
from trialwatt.records.events import OUTCOMES, STEPS
from trialwatt.records.manifest import MANIFEST, is_control, repetition_folder
from trialwatt.records.outcome import COMPLETED
from trialwatt.records.reader import RunRecords, read_run
from trialwatt.records.trials import IDLE
from trialwatt.replay.columns import (
    AMOUNTS,
    HYPERPARAMETER,
    PARTS,
    SCORE,
    hyperparameter,
    table_columns,
)
from trialwatt.replay.epochs import Epochs, epochs_of
from trialwatt.replay.table import Facts, Outside, Source, TrialTable

_NS_PER_S = 1e9
_BYTES_PER_MB = 2**20
_OF_ITSELF = ("nan", "memory", "error")
"""Reasons for which a trial fails that are its own: it would fail again."""
_BEFORE = ("deploy", "setup")
_AFTER = ("collect", "test", "metrics", "undeploy")


@dataclass(frozen=True)
class _Measured:
    """What one run gives: rows of the table, and facts of it."""

    frame: pd.DataFrame
    facts: Facts


def table_of(
    folders: Iterable[Path],
    context: Context,
    processes: int = PROCESSES,
    power: PowerParameters | None = None,
) -> TrialTable:
    """The trial table of the repetitions' folders of one configuration.

    power: the model under which modelled energy is taken, if not the recorded one. Raises
    TrialwattError where a run is of another configuration than the first, is not of the control,
    covers less than its grid, stops trials early or does not validate each epoch.
    """
    folders = sorted({Path(folder) for folder in folders})
    if not folders:
        raise TrialwattError("no runs to make a trial table of: measure the experiment first")
    parts = list(mapped(partial(_of_run, context=context, power=power), folders, processes, 1))
    first = parts[0].facts
    for folder, part in zip(folders, parts, strict=True):
        if part.facts.sources[0].hash != first.sources[0].hash:
            raise TrialwattError(
                f"{folder}: of another configuration than {folders[0]}; a table is of one workload"
            )
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    facts = first.model_copy(
        update={
            "sources": tuple(part.facts.sources[0] for part in parts),
            "outside": tuple(part.facts.outside[0] for part in parts),
            "methods": "+".join(sorted({m for p in parts for m in p.facts.methods.split("+")})),
        }
    )
    table = TrialTable(frame, facts)
    order = {phi: number for number, phi in enumerate(table.phis)}
    frame = frame.assign(place=frame["phi"].map(order).fillna(len(order)))
    frame = frame.sort_values(["repetition", "place", "epoch"], kind="stable")
    return TrialTable(frame.drop(columns="place").reset_index(drop=True), facts)


def _of_run(folder: Path, context: Context, power: PowerParameters | None) -> _Measured:
    try:
        records = read_run(folder)
        records = records if power is None else remodelled(records, power)
        _check(records)
        epochs = epochs_of(records)
        records = epochs.records
        energy = account(records, np.empty(0, np.int64), np.ones(1), by_knot=True)
        if not energy.divided or np.isnan(energy.job_j):
            raise TrialwattError(f"its energy is not known: {'; '.join(energy.flags)}")
        return _Measured(_rows(epochs, energy), facts_of(records, energy, context))
    except TrialwattError as error:
        raise TrialwattError(f"{folder}: {str(error).removeprefix(f'{folder}: ')}") from error


def _check(records: RunRecords) -> None:
    workload, manifest = records.config.workload, records.manifest
    if not is_control(manifest.get("control"), records.config.sut):
        raise TrialwattError(
            f"a run of {records.config.sut}: a table is measured with plain, which adds nothing to "
            "a trial"
        )
    if manifest.get("status") != COMPLETED:
        raise TrialwattError(f"the run did not complete ({manifest.get('status')}); run it again")
    if workload.search.prunes or not workload.validate_each_epoch:
        raise TrialwattError(
            "a table needs every epoch of every trial: set validate_each_epoch: true, and no pruner"
        )
    if size(workload.space) is None or workload.search.sampler != "grid":
        raise TrialwattError("a table is of a whole grid: set search.sampler: grid")


# --- rows ---------------------------------------------------------------------------------------


def _rows(epochs: Epochs, energy: EnergyAccount) -> pd.DataFrame:
    """One row per trial and epoch, epoch 0 for what came before the first."""
    records, trials = epochs.records, epochs.records.trials
    knots = pd.DataFrame(
        {
            "trial": trials.knot_trial.astype(np.int64),
            "epoch": epochs.number,
            "step": trials.knot_step.astype(np.int64),
            "start": trials.knot_ns,
            "seconds": np.diff(trials.knot_ns, append=trials.knot_ns[-1:]) / _NS_PER_S,
            "cpu_seconds": energy.knot_cpu_ns / _NS_PER_S,
            "static_j": energy.knot_static_j,
            "dynamic_j": energy.knot_dynamic_j,
        }
    )
    ends = knots.loc[knots["step"] == IDLE].set_index("trial")["start"]
    knots = knots[knots["step"] != IDLE]
    rows = _summed(knots)
    each = rows.index.get_level_values("trial").to_numpy()
    starts = knots.groupby(["trial", "epoch"])["start"].min().reindex(rows.index)
    until = starts.groupby("trial").shift(-1)
    until = until.fillna(pd.Series(ends.reindex(each).to_numpy(), until.index))
    rows["memory_mb"] = _memory(records, each, starts.to_numpy(float), until.to_numpy(float))

    names = [trials.phis[code].as_py() for code in trials.phi[each].tolist()]
    outcomes, reasons = trials.outcome[each], trials.reason.take(each).to_pylist()
    told = epochs.scores
    columns = table_columns(records.config.workload.space, told.columns)
    frame = rows.reset_index()
    ids = pd.Index(trials.ids.take(each).to_pylist())
    said = told.reindex(pd.MultiIndex.from_arrays([ids, frame["epoch"]]))
    for name in told.columns:
        frame[f"{SCORE}{name}"] = said[name].to_numpy(float)
    frame["phi"] = names
    frame["repetition"] = records.manifest["repetition"]
    frame["seed"] = records.manifest["seed"]
    frame["outcome"] = [OUTCOMES[code] for code in outcomes]
    frame["reason"] = reasons
    values = [json.loads(name) for name in names]
    for column in columns:
        if column.name.startswith(HYPERPARAMETER):
            name = column.name[len(HYPERPARAMETER) :]
            frame[column.name] = [hyperparameter(phi.get(name), column) for phi in values]
    lost = frame["outcome"].eq("failed") & ~frame["reason"].isin(_OF_ITSELF)
    return frame.loc[~lost, schema(columns).names]


def _summed(knots: pd.DataFrame) -> pd.DataFrame:
    """The amounts of each trial's epochs, and of the parts of them that are told apart."""
    names = list(AMOUNTS)
    imports = knots["step"] == STEPS.index("import")
    whole = knots[~imports].groupby(["trial", "epoch"])[names].sum()
    validated = knots[knots["step"] == STEPS.index("validate")]
    parts = {
        "": whole,
        "validate_": validated.groupby(["trial", "epoch"])[names].sum(),
        "import_": knots[imports].groupby(["trial", "epoch"])[names].sum(),
    }
    assert parts.keys() == PARTS.keys()
    found = [part.add_prefix(prefix).reindex(whole.index) for prefix, part in parts.items()]
    rows = pd.concat(found, axis=1)
    validation = [name for name in rows if name.startswith("validate_")]
    rows[validation] = rows[validation].fillna(0.0)
    return rows


def _memory(
    records: RunRecords, trial: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """(n,) greatest sampled memory of a trial's worker within [start, end], MB."""
    found = np.full(len(trial), np.nan)
    for index, name in enumerate(records.trials.workers):
        track = records.usage.get(name)
        if track is None:
            continue
        mine = np.flatnonzero(records.trials.worker[trial] == index)
        first = np.searchsorted(track.times_ns, start[mine])
        last = np.searchsorted(track.times_ns, end[mine], side="right")
        for row, low, high in zip(mine, first, last, strict=True):
            own = track.memory_bytes[low:high]
            own = own[~np.isnan(own)]
            if len(own):
                found[row] = own.max() / _BYTES_PER_MB
    return found


# --- facts --------------------------------------------------------------------------------------


def facts_of(records: RunRecords, energy: EnergyAccount, context: Context) -> Facts:
    """What a table of this run alone would say of itself."""
    manifest, host = records.manifest, records.manifest["host"]
    flags = [*energy.flags, *foreign.flags(energy.foreign_share, records.config.testbed)]
    watts = _idle_watts(records, energy.domains)
    return Facts(
        config=manifest["config"],
        host=host,
        enforcement=(manifest.get("enforcement") or {}).get("kind", ""),
        packages=manifest.get("packages") or {},
        code=manifest.get("code") or {},
        methods="+".join(energy.methods),
        static_w_per_core=watts["cpu"] / host["cores"],
        static_w_per_gb=watts["memory"] / (host["memory_mb"] / MB_PER_GB),
        context=context,
        sources=(
            Source(
                folder=repetition_folder(manifest),
                hash=manifest["hash"],
                repetition=manifest["repetition"],
                manifest=sha256(records.folder / MANIFEST),
                flags="; ".join(flags),
            ),
        ),
        outside=(_outside(records, energy),),
    )


def _idle_watts(records: RunRecords, domains: Sequence[str]) -> dict[str, float]:
    """Idle power of all domains that are shared by reserved cores, and by reserved memory."""
    watts = (records.manifest.get("idle") or {}).get("watts") or {}
    found = {"cpu": 0.0, "memory": 0.0}
    for domain in records.domains:
        if domain["resource"] in found and domain["name"] in domains:
            found[domain["resource"]] += watts.get(domain["name"]) or 0.0
    return found


def _outside(records: RunRecords, energy: EnergyAccount) -> Outside:
    cells = energy.cells_j.sum(axis=2)
    workers = np.isin(KINDS, OF_WORKERS)

    def joules(steps: Sequence[str], mine: np.ndarray) -> float:
        there = np.isin(energy.steps, steps)
        return float(cells[np.ix_(mine, there)].sum())

    def seconds(*steps: str) -> float:
        spans = (records.steps[step] for step in steps if step in records.steps)
        return sum((end - start) / _NS_PER_S for start, end in spans)

    return Outside(
        deploy_s=seconds("deploy"),
        setup_s=seconds("setup"),
        collect_s=seconds("collect"),
        after_s=seconds(*_AFTER[1:]),
        before_workers_j=joules(_BEFORE, workers),
        before_else_j=joules(_BEFORE, ~workers),
        after_workers_j=joules(_AFTER, workers),
        after_else_j=joules(_AFTER, ~workers),
        else_w=joules(["trials"], ~workers) / seconds("trials"),
    )
