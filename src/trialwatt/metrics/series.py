"""What figures need of one run beyond the tables: its timeline, and its energy by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from trialwatt.metrics.energy import KINDS, account
from trialwatt.metrics.formulas import J_PER_KWH, best_so_far
from trialwatt.records.events import OUTCOMES, STEPS
from trialwatt.records.reader import Component, read_run
from trialwatt.records.trials import IDLE


def timeline(folder: Path) -> pd.DataFrame:
    """A row per step of each trial whose time is known: worker, trial, step, start_s, end_s,
    outcome.

    Times are seconds since the start of the trials step (of deploy, if there was none).
    """
    records = read_run(folder)
    trials = records.trials
    origin = records.steps.get("trials", records.window)[0]
    end = np.append(trials.knot_ns[1:], trials.knot_ns[-1:])
    busy = np.flatnonzero(trials.knot_step != IDLE)
    trial = trials.knot_trial[busy]
    frame = pd.DataFrame(
        {
            "worker": np.array(trials.workers, object)[trials.worker[trial]],
            "trial": pc.take(trials.ids, pa.array(trial)).to_pandas(),
            "step": np.array(STEPS, object)[trials.knot_step[busy]],
            "start_s": (trials.knot_ns[busy] - origin) / 1e9,
            "end_s": (end[busy] - origin) / 1e9,
            "outcome": np.array(OUTCOMES, object)[trials.outcome[trial]],
        }
    )
    return frame.sort_values(["start_s", "worker"], kind="stable", ignore_index=True)


def energy_by_step(folder: Path) -> pd.DataFrame:
    """A row per lifecycle step and part that drew energy in it: step, part, energy_kwh.

    Parts: import, load, train, validate, idle, services, harness; the rows sum to the job's energy.
    Those of workers are NaN where the time of a trial is not known.
    """
    energy = account(read_run(folder), np.empty(0), np.zeros(1))
    cells = energy.known_j / J_PER_KWH
    return pd.DataFrame(
        [
            {"step": step, "part": part, "energy_kwh": cells[i, j]}
            for j, step in enumerate(energy.steps)
            for i, part in enumerate(KINDS)
        ]
    )


def anytime(folder: Path) -> pd.DataFrame:
    """A row each time that a completed trial scored better than all before it, and one at the end.

    score: best so far; time_ms: since the start of setup; job_energy_kwh: of the job since deploy;
    workers_ms, services_ms: reserved time of all workers and of all services until then;
    workers_ms_of_job, services_ms_of_job: the same of the whole job. The last row is the end of
    result collection (of the last trial, should that be missing). Empty if nothing was scored, or
    if it is not known when.
    """
    records = read_run(folder)
    trials = records.trials
    scored = (trials.outcome == OUTCOMES.index("completed")) & np.isfinite(trials.score)
    scored &= bool(trials.placed[scored].all())
    order = np.flatnonzero(scored)[np.argsort(trials.end_ns[scored], kind="stable")]
    best = best_so_far(trials.score[order], records.config.workload.goal.sign)
    better = np.append(True, np.diff(best) != 0)[: len(best)]
    moments, score = trials.end_ns[order][better], best[better]
    if len(moments):
        last = records.steps.get("collect", (0, int(trials.end_ns.max())))[1]
        moments = np.append(moments, max(last, moments[-1]))
        score = np.append(score, score[-1])
    marks = np.unique(moments)
    energy = account(records, marks, np.zeros(len(marks) + 1))
    until = np.cumsum(energy.cells_j.sum(axis=(0, 1)))[np.searchsorted(marks, moments)]
    frame = pd.DataFrame(
        {
            "time_ms": (moments - records.steps.get("setup", records.window)[0]) / 1e6,
            "job_energy_kwh": until / J_PER_KWH,
            "score": score,
        }
    )
    for kind, chosen in (
        ("workers", [c for c in records.components if c.type == "worker"]),
        ("services", [c for c in records.components if c.type != "worker"]),
    ):
        frame[f"{kind}_ms"] = _reserved_ns(chosen, moments) / 1e6
        of_job = _reserved_ns(chosen, np.array(records.window[1:]))
        frame[f"{kind}_ms_of_job"] = float(of_job[0]) / 1e6
    return frame


def _reserved_ns(components: list[Component], moments: np.ndarray) -> np.ndarray:
    """Time for which these components had been reserved, added up, at each moment."""
    total = np.zeros(len(moments))
    for start, end in (life for component in components for life in component.lives):
        total += np.clip(np.asarray(moments, float), start, end) - start
    return total
