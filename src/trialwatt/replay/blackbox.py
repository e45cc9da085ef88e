"""The trial table in the layout of Syne Tune's blackbox repository; needs Syne Tune."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from trialwatt.errors import TrialwattError
from trialwatt.replay.columns import SCORE
from trialwatt.replay.table import TrialTable

TASK = "trialwatt"
ELAPSED = "elapsed_time"
EPOCH = "hp_epoch"


def export(table: TrialTable, folder: Path) -> Path:
    """Write it for `syne_tune.blackbox_repository.load_blackbox`'s readers (deserialize).

    Objectives per epoch: elapsed_time (s, load included), energy_j, and every score. Raises
    TrialwattError where the table has holes, or trials that failed: a blackbox has no such thing.
    """
    table.check(seeds=1, flagged=True)
    if (table.frame["outcome"] == "failed").any():
        raise TrialwattError("the table has trials that failed, which a blackbox cannot tell")
    from syne_tune.blackbox_repository.blackbox_tabular import BlackboxTabular, serialize
    from syne_tune.config_space import choice, randint

    names = list(table.space)
    hyperparameters = pd.DataFrame([json.loads(phi) for phi in table.phis])[names]
    space = {name: choice(hyperparameters[name].unique().tolist()) for name in names}
    objectives = _objectives(table)
    blackbox = BlackboxTabular(
        hyperparameters=hyperparameters,
        configuration_space=space,
        fidelity_space={EPOCH: randint(1, table.workload.epochs)},
        objectives_evaluations=np.stack(list(objectives.values()), axis=-1),
        fidelity_values=np.arange(1, table.workload.epochs + 1),
        objectives_names=list(objectives),
    )
    folder.mkdir(parents=True, exist_ok=True)
    serialize({TASK: blackbox}, path=str(folder), metadata={"metric_elapsed_time": ELAPSED})
    return folder


def _objectives(table: TrialTable) -> dict[str, np.ndarray]:
    """(φ, seeds, epochs) each."""
    frame = table.frame.assign(energy=table.frame["static_j"] + table.frame["dynamic_j"])
    places = {phi: place for place, phi in enumerate(table.phis)}
    frame = frame.assign(place=frame["phi"].map(places))
    frame = frame.sort_values(["place", "repetition", "epoch"], kind="stable")
    shape = (len(places), len(table.seeds), table.workload.epochs + 1)

    def dense(name: str) -> np.ndarray:
        return frame[name].to_numpy(float, na_value=np.nan).reshape(shape)

    taken = {ELAPSED: dense("seconds"), "energy_j": dense("energy")}
    found = {name: np.cumsum(each, axis=2)[..., 1:] for name, each in taken.items()}
    return found | {name: dense(f"{SCORE}{name}")[..., 1:] for name in table.scores}
