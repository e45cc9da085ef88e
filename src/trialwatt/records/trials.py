"""The trials of a run, from the lines that its workers and the coordinator wrote about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trialwatt.config.models import Space
from trialwatt.errors import TrialwattError
from trialwatt.records import repair
from trialwatt.records.events import (
    END,
    NO_TRIAL,
    OUTCOMES,
    START,
    STEPS,
    Events,
    TrialLines,
    joined,
)
from trialwatt.records.phi import encode_phis
from trialwatt.records.trial_keys import TrialKeys

IDLE = len(STEPS)
"""Step code of a knot at which a worker holds no trial any more."""


@dataclass(frozen=True)
class Trials:
    """All started trials, sorted by worker and start; arrays (n,). Times in ns.

    phi: index into `phis` (canonical JSON). outcome: index into OUTCOMES. score is NaN where
    there is none. A segment of a trial that was paused is a row of its own: resumes: index of the
    one that it goes on with (NO_TRIAL: none), which started before it; from_epoch: after which it
    goes on; epochs: that it has reached. unscored: failed for that, though its line says completed.
    placed: whether it is known when it was, in the time of its worker; nothing that needs its time
    is known where it is not. cut_ns: what of it lay beyond its worker's end.

    The knots (k,) are the moments at which a worker's owner changes, of placed trials, sorted by
    worker and time: knot_trial (index of the trial), knot_step (index into STEPS, or IDLE at the
    trial's end), knot_ns, knot_cpu_ns (the worker's own CPU counter, NaN where unknown).
    """

    workers: list[str]
    ids: pa.Array
    worker: np.ndarray
    number: np.ndarray
    phi: np.ndarray
    phis: pa.Array
    resumes: np.ndarray
    from_epoch: np.ndarray
    start_ns: np.ndarray
    end_ns: np.ndarray
    outcome: np.ndarray
    reason: pa.Array
    epochs: np.ndarray
    score: np.ndarray
    unscored: np.ndarray
    placed: np.ndarray
    cut_ns: np.ndarray
    knot_trial: np.ndarray
    knot_step: np.ndarray
    knot_ns: np.ndarray
    knot_cpu_ns: np.ndarray

    def __len__(self) -> int:
        return len(self.worker)

    @property
    def duration_ns(self) -> np.ndarray:
        """(n,) NaN where it is not known."""
        return np.where(self.placed, (self.end_ns - self.start_ns).astype(float), np.nan)

    def knots_of(self, worker: int) -> slice:
        """The knots of one worker (an index into `workers`)."""
        first, last = np.searchsorted(self.worker, [worker, worker + 1])
        return slice(*np.searchsorted(self.knot_trial, [first, last]))


Lives = dict[str, tuple[tuple[int, int], ...]]
"""Worker → the (start, end) spans for which it was reserved."""


def assemble(
    files: dict[str, Events],
    moved: dict[str, int],
    keys: TrialKeys,
    space: Space,
    lives: Lives,
    span: tuple[int, int],
    notes: list[str],
    flags: list[str],
) -> Trials:
    """All started trials from the lines of all files (which this empties, to spare memory).

    moved: component → what its times are moved by; lives: of all workers that are known; span: the
    start of setup, before which no trial begins, and the run's last event. Adds to notes and flags.
    Raises TrialwattError where a trial starts twice.
    """
    for name, file in files.items():
        file.trials.m = file.trials.m + moved[name]
    rows = joined([file.trials for file in files.values()])
    files.clear()
    is_start, is_end = rows.status == START, rows.status == END
    workers = list(lives)
    codes = {keys.base(name): index for index, name in enumerate(workers)}
    for base in np.unique(rows.who).tolist():
        if base not in codes:  # its component lines are lost
            codes[base] = len(workers)
            workers.append(keys.name(base))

    # One row per started trial, sorted by worker and start.
    key, start_m = rows.key[is_start], rows.m[is_start]
    phi, phis = encode_phis(rows.phi, space)
    said = np.column_stack([start_m, rows.number, phi, rows.resumes, rows.from_epoch])
    first, doubles = _distinct_starts(key, said, keys)
    worker = np.array([codes[base] for base in np.unique(rows.who).tolist()], np.int32)[
        np.unique(rows.who, return_inverse=True)[1]
    ]
    order = first[np.lexsort((start_m[first], worker[first]))]
    key, start_m, worker = key[order], start_m[order], worker[order]
    count = len(order)
    places = _Places(key)
    at = places.of(rows.key)
    resumes = _resumed(places, rows.resumes[order], start_m, notes)
    orphans = int(np.count_nonzero(at < 0))
    if orphans:
        notes.append(f"records: {orphans} lines of trials that never started; left out")

    # How each ended.
    end_m = rows.m[is_end]
    which, end_doubles = _first_ends(at[is_end], rows, end_m, count, flags)
    ended = which >= 0
    found = which[ended]
    end_ns = np.full(count, span[1], np.int64)
    outcome = np.full(count, OUTCOMES.index("failed"), np.int8)
    epochs, score = rows.from_epoch[order], np.full(count, np.nan)
    end_ns[ended], outcome[ended] = end_m[found], rows.outcome[found]
    epochs[ended], score[ended] = rows.epochs[found], rows.score[found]
    texts = pa.concat_arrays([*rows.reason.chunks, pa.array(["lost"])])
    reason = texts.take(pa.array(np.where(ended, which, len(texts) - 1)))
    unscored = (outcome == OUTCOMES.index("completed")) & ~np.isfinite(score)
    if unscored.any():  # docs/methodology, rule 7
        outcome[unscored] = OUTCOMES.index("failed")
        reason = pc.if_else(pa.array(unscored), "nan", reason)
        count_of = np.count_nonzero(unscored)
        notes.append(f"records: {count_of} trials completed without a score; they failed (nan)")
    _close_lost(ended, [workers[w] for w in worker[~ended]], lives, start_m, end_ns, notes)
    placed = _forward(start_m, end_ns, flags)
    overlaps = _clip_overlaps(worker, start_m, end_ns)
    if overlaps:
        notes.append(f"records: {overlaps} trials overlap the next one on their worker; cut there")
    spans = [lives.get(name, ()) for name in workers]
    inside, cut_ns = _within_lives(worker, spans, start_m, end_ns)
    inside &= start_m >= span[0] - repair.JUMP_NS
    if cut_ns.any():
        notes.append(f"records: {np.count_nonzero(cut_ns)} trials outlive their worker; cut there")
    placed &= _of_known_clocks(worker, inside, workers, lives, flags)
    _count_epochs(rows, key, outcome == OUTCOMES.index("failed"), epochs)
    np.maximum(epochs, rows.from_epoch[order], out=epochs)

    knots, knot_doubles = _knots(rows, at, start_m, end_ns, ended, placed)
    doubles += end_doubles + knot_doubles
    if doubles:
        notes.append(repair.doubles_note("records of trials", doubles))
    return Trials(
        workers=workers,
        ids=keys.ids(key),
        worker=worker,
        number=rows.number[order],
        phi=phi[order],
        phis=phis,
        resumes=resumes,
        from_epoch=rows.from_epoch[order],
        start_ns=start_m,
        end_ns=end_ns,
        outcome=outcome,
        reason=reason,
        epochs=epochs,
        score=score,
        unscored=unscored,
        placed=placed,
        cut_ns=cut_ns,
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


def _resumed(
    places: _Places, resumes: np.ndarray, start_ns: np.ndarray, notes: list[str]
) -> np.ndarray:
    """(n,) index of the trial that each goes on with, which must have started before it."""
    found = places.of(resumes)
    found[(found >= 0) & (start_ns[found] >= start_ns)] = NO_TRIAL
    if lacking := int(np.count_nonzero((resumes != NO_TRIAL) & (found < 0))):
        notes.append(f"records: {lacking} segments go on with what is not there before them")
    return found


def _distinct_starts(key: np.ndarray, said: np.ndarray, keys: TrialKeys) -> tuple[np.ndarray, int]:
    """The rows of the first start of each trial, and how many copies of them there were.

    said: (n, k) what each start says; one that says something else is no copy.
    """
    if np.all(key[1:] > key[:-1]):
        return np.arange(len(key)), 0
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    different = np.flatnonzero((said != said[first][inverse]).any(axis=1))
    if len(different):
        trial = keys.ids(key[different[:1]])[0].as_py()
        raise TrialwattError(
            f"records: trial {trial} starts twice; a trial's id must be unique in its run"
        )
    return np.sort(first), len(key) - len(first)


def _first_ends(
    at: np.ndarray, rows: TrialLines, m: np.ndarray, count: int, flags: list[str]
) -> tuple[np.ndarray, int]:
    """For each trial the row of its earliest end (-1: none), and how many copies of it there are.

    An end that says something else is no copy.
    """
    which = np.full(count, -1, np.int64)
    own = np.flatnonzero(at >= 0)
    if not repair.in_time_order(m[own]):
        own = own[np.argsort(m[own], kind="stable")]
    which[at[own][::-1]] = own[::-1]  # the last assignment wins: the earliest end
    again = own[which[at[own]] != own]
    if not len(again):
        return which, 0
    said = np.column_stack([m, rows.outcome, rows.epochs, np.nan_to_num(rows.score, nan=-np.inf)])
    other = (said[which[at[again]]] != said[again]).any(axis=1)
    if other.any():
        count = len(np.unique(at[again[other]]))
        flags.append(f"{count} trials have two ends that differ; the earlier one counts")
    return which, int(np.count_nonzero(~other))


def _forward(start_ns: np.ndarray, end_ns: np.ndarray, flags: list[str]) -> np.ndarray:
    """Which trials (n,) end when they start or later."""
    forward = end_ns >= start_ns
    if not forward.all():
        count = np.count_nonzero(~forward)
        flags.append(f"{count} trials end before they start: their energy is not known")
    return forward


def _of_known_clocks(
    worker: np.ndarray, inside: np.ndarray, names: list[str], lives: Lives, flags: list[str]
) -> np.ndarray:
    """Which trials (n,) are of workers none of whose trials starts outside of their worker's time:
    a clock that is wrong once is not believed at all."""
    strange = np.unique(worker[~inside])
    told = [names[index] for index in strange.tolist() if names[index] in lives]
    if told:
        count = np.count_nonzero(~inside & np.isin(worker, [names.index(name) for name in told]))
        flags.append(
            f"{count} trials start outside of the time of their worker: the clock of "
            f"{', '.join(told)} is not known, nor is the energy of its trials"
        )
    return ~np.isin(worker, strange)


def _unbroken(spans: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """A trial may wait for the process that replaces its worker's: lives that follow each other at
    once are one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start - found[-1][1] <= repair.JUMP_NS:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _within_lives(
    worker: np.ndarray,
    lives: list[tuple[tuple[int, int], ...]],
    start_ns: np.ndarray,
    end_ns: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each trial (n,) starts in a life of its worker, and what of it lay beyond its end.

    It is cut there; clocks of two machines, whose offset is measured, may differ by a second.
    """
    inside, cut_ns = np.zeros(len(worker), bool), np.zeros(len(worker), np.int64)
    for index, spans in enumerate(lives):
        mine = slice(*np.searchsorted(worker, [index, index + 1]))
        if not spans or mine.start == mine.stop:
            continue
        starts, ends = np.array(_unbroken(spans), np.int64).T
        first = start_ns[mine]
        before = np.maximum(np.searchsorted(starts, first, side="right") - 1, 0)
        after = np.minimum(before + 1, len(starts) - 1)
        away = [np.maximum(starts[i] - first, first - ends[i]).clip(0) for i in (before, after)]
        life = np.where(away[0] <= away[1], before, after)
        inside[mine] = np.minimum(*away) <= repair.JUMP_NS
        known = inside[mine]
        last = np.where(known, np.minimum(end_ns[mine], ends[life]), end_ns[mine])
        cut_ns[mine] = end_ns[mine] - last
        start_ns[mine] = np.where(known, np.clip(first, starts[life], ends[life]), first)
        end_ns[mine] = np.maximum(last, start_ns[mine])
    return inside, cut_ns


def _close_lost(
    ended: np.ndarray,
    names: list[str],
    lives: Lives,
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
    rows: TrialLines,
    at: np.ndarray,
    start_ns: np.ndarray,
    end_ns: np.ndarray,
    ended: np.ndarray,
    placed: np.ndarray,
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
    keep[keep] = placed[at[keep]]
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
