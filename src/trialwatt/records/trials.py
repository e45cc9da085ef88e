"""The trials of a run, from the lines that its workers and the coordinator wrote about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trialwatt.config.models import Space
from trialwatt.errors import TrialwattError
from trialwatt.records import repair
from trialwatt.records.events import END, OUTCOMES, START, STEPS, Events, TrialLines, joined
from trialwatt.records.phi import encode_phis
from trialwatt.records.trial_keys import TrialKeys

IDLE = len(STEPS)
"""Step code of a knot at which a worker holds no trial any more."""


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


def assemble(
    files: dict[str, Events],
    moved: dict[str, int],
    keys: TrialKeys,
    space: Space,
    workers: list[str],
    lives: dict[str, tuple[tuple[int, int], ...]],
    last: int,
    notes: list[str],
) -> Trials:
    """All started trials from the lines of all files (which this empties, to spare memory).

    moved: component → what its times are moved by; workers, lives: the workers' names and each
    one's (start, end) spans; last: the time of the run's last event. Adds to notes.
    Raises TrialwattError where a trial starts twice.
    """
    for name, file in files.items():
        file.trials.m = file.trials.m + moved[name]
    rows = joined([file.trials for file in files.values()])
    files.clear()
    is_start, is_end = rows.status == START, rows.status == END
    workers = list(workers)
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
    _close_lost(ended, [workers[w] for w in worker[~ended]], lives, start_m, end_ns, notes)
    overlaps = _clip_overlaps(worker, start_m, end_ns)
    if overlaps:
        notes.append(f"records: {overlaps} trials overlap the next one on their worker; cut there")
    _count_epochs(rows, key, outcome == OUTCOMES.index("failed"), epochs)

    knots, knot_doubles = _knots(rows, at, start_m, end_ns, ended)
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
        rise = bool(np.all(keys[1:] > keys[:-1]))
        self._order = None if rise else np.argsort(keys)
        self._keys = keys if self._order is None else keys[self._order]

    def of(self, keys: np.ndarray) -> np.ndarray:
        """The index of each key, −1 where it is none of them."""
        if not len(self._keys):
            return np.full(len(keys), -1, np.int64)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = self._keys[place] == keys
        return np.where(found, place if self._order is None else self._order[place], -1)


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


def _close_lost(
    ended: np.ndarray,
    names: list[str],
    lives: dict[str, tuple[tuple[int, int], ...]],
    start_ns: np.ndarray,
    end_ns: np.ndarray,
    notes: list[str],
) -> None:
    """A trial without an end failed, and ended with its worker (or with the last event)."""
    open_trials = np.flatnonzero(~ended)
    for i, name in zip(open_trials, names, strict=True):
        ends = [e for s, e in lives.get(name, ()) if s <= start_ns[i] <= e]
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


def _count_epochs(
    rows: TrialLines, key: np.ndarray, failed: np.ndarray, epochs: np.ndarray
) -> None:
    """The epochs of failed trials, from their own lines: who ended them may not have known."""
    lost = np.flatnonzero(failed)
    at = _Places(key[lost]).of(rows.epoch_key)
    mine = at >= 0
    np.maximum.at(epochs, lost[at[mine]], rows.epoch[mine])


def _knots(
    rows: TrialLines, at: np.ndarray, start_ns: np.ndarray, end_ns: np.ndarray, ended: np.ndarray
) -> tuple[dict[str, np.ndarray], int]:
    """The moments of all trials, each moved into its trial's time (its CPU counter is then of
    another moment, and left out): what is late belongs to the worker's next trial already."""
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
    clipped = np.clip(m, start_ns[at], end_ns[at])
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
