"""What figures need of one run beyond the tables: its timeline, and its energy by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from trialwatt.metrics.energy import KINDS, account
from trialwatt.metrics.formulas import J_PER_KWH
from trialwatt.records.events import OUTCOMES, STEPS
from trialwatt.records.reader import read_run
from trialwatt.records.trials import IDLE


def timeline(folder: Path) -> pd.DataFrame:
    """A row per step of each trial: worker, trial, step, start_s, end_s, outcome.

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
    """
    energy = account(read_run(folder), np.empty(0), np.zeros(1))
    cells = energy.cells_j.sum(axis=2) / J_PER_KWH
    return pd.DataFrame(
        [
            {"step": step, "part": part, "energy_kwh": cells[i, j]}
            for j, step in enumerate(energy.steps)
            for i, part in enumerate(KINDS)
        ]
    )
