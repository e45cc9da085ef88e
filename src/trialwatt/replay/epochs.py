"""The epochs of a run's trials: their scores, and the moments at which they ended, as knots."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.records.events import EVENTS_SUFFIX, STEPS
from trialwatt.records.reader import RunRecords
from trialwatt.records.sealed import record_files
from trialwatt.records.trials import IDLE

_NONE = -1


@dataclass(frozen=True)
class Epochs:
    """records: with a knot more at the end of each epoch. number: (k,) the epoch that begins or
    goes on at each knot: 0 before the first, the last one until the trial's end. scores: every
    score of the validation split by (trial's id, epoch)."""

    records: RunRecords
    number: np.ndarray
    scores: pd.DataFrame


def epochs_of(records: RunRecords) -> Epochs:
    """Raises TrialwattError where an epoch's line cannot be read."""
    lines = _lines(records)
    trials = records.trials
    index = pd.Index(trials.ids.to_pylist())
    at = index.get_indexer(pd.Index(lines["trial"]))
    known = at >= 0
    known[known] = trials.placed[at[known]]
    own, at = lines[known], at[known]
    moments = np.clip(own["m"].to_numpy(np.int64), trials.start_ns[at], trials.end_ns[at])
    knots = len(trials.knot_ns)
    trial = np.concatenate([trials.knot_trial, at.astype(np.int32)])
    step = np.concatenate([trials.knot_step, np.full(len(own), _NONE, np.int8)])
    ns = np.concatenate([trials.knot_ns, moments])
    cpu = np.concatenate([trials.knot_cpu_ns, own["cpu_ns"].to_numpy(float, na_value=np.nan)])
    ended = np.concatenate([np.zeros(knots, np.int64), own["epoch"].to_numpy(np.int64)])
    order = np.lexsort((step == IDLE, ns, trial))
    trial, step, ns, cpu, ended = (each[order] for each in (trial, step, ns, cpu, ended))
    step = step[np.maximum.accumulate(np.where(step != _NONE, np.arange(len(step)), 0))]
    marked = dataclasses.replace(
        trials, knot_trial=trial, knot_step=step, knot_ns=ns, knot_cpu_ns=cpu
    )
    frame = pd.DataFrame({"trial": trial, "ended": ended, "train": step == STEPS.index("train")})
    of_trial = frame.groupby("trial")
    done = of_trial["ended"].cummax().to_numpy()
    begun = of_trial["train"].cummax().to_numpy(bool)
    number = np.where(begun, np.minimum(done + 1, records.config.workload.epochs), 0)
    scores = pd.DataFrame(
        own["scores"].tolist(), index=pd.MultiIndex.from_arrays([own["trial"], own["epoch"]])
    )
    return Epochs(dataclasses.replace(records, trials=marked), number, scores)


def _lines(records: RunRecords) -> pd.DataFrame:
    """trial, epoch, m (on the records' axis), cpu_ns (NaN where the line has none), scores."""
    offsets = (records.manifest.get("clock") or {}).get("offsets_ns") or {}
    found = []
    for file in record_files(records.folder, "records"):
        if not file.name.endswith(EVENTS_SUFFIX):
            continue
        moved = offsets.get(file.name.removesuffix(EVENTS_SUFFIX), 0)
        for line in file.read_bytes().splitlines():
            if b'"epoch"' not in line:
                continue
            try:
                event = json.loads(line)
                if event["kind"] != "epoch":
                    continue
                scores = {name: float(value) for name, value in event["scores"].items()}
                moment, counted = event["m"] + moved, event.get("cpu_ns")
                found.append((event["trial"], event["epoch"], moment, counted, scores))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise TrialwattError(
                    f"records/{file.name}: an epoch's line cannot be read ({shown(error, 100)})"
                ) from error
    if not found:
        raise TrialwattError("no epoch was reported with scores: a table needs every one")
    return pd.DataFrame(found, columns=["trial", "epoch", "m", "cpu_ns", "scores"])
