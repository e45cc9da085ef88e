"""Trials that the search cannot have run, and an outcome that does not follow from them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np

from trialwatt.config.catalogue import is_of_images
from trialwatt.config.space import contains, most_trials
from trialwatt.printable import shown
from trialwatt.records.events import NO_TRIAL, OUTCOMES
from trialwatt.records.outcome import LIFECYCLE
from trialwatt.records.phi import canonical
from trialwatt.records.trials import Trials
from trialwatt.review.plausible.run import LETTERS, Fault, Run, key_fault

COMPLETED, FAILED, PAUSED = map(OUTCOMES.index, ("completed", "failed", "paused"))

_BEST = ("phi", "score", "number", "trial")
_STATUSES = ("completed", "infeasible", "deadline", "failed")
_EARLY_NS = 10 * 10**9
"""The deadline begins a bit before the first step."""


def faults(run: Run) -> Iterator[Fault]:
    yield from _outside(run)
    yield from _budget(run)
    yield from _epochs(run)
    yield from _segments(run)


def _outside(run: Run) -> Iterator[Fault]:
    """A φ outside of Φ is never trained: a trial that got one has failed before its first epoch."""
    trials, space = run.records.trials, run.config.workload.space
    inside = np.array([_holds(space, text) for text in trials.phis.to_pylist()], bool)
    if inside.all():
        return
    refused = (trials.outcome == FAILED) & (trials.epochs == trials.from_epoch)
    bad = np.flatnonzero(~inside[trials.phi] & ~refused)
    if len(bad):
        phi = trials.phis[int(trials.phi[bad[0]])].as_py()
        said = f"φ is outside of the search space: {shown(phi, LETTERS)}"
        yield run.trial_fault(bad, "start", said)


def _holds(space, text: str) -> bool:
    phi = json.loads(text)
    return isinstance(phi, dict) and contains(space, phi)


def _budget(run: Run) -> Iterator[Fault]:
    """No more numbers than the budget, and a number again only where its trial was lost or paused.

    The framework numbers its trials; a trial that failed counts, one that it repeats because its
    worker was lost has the same number again, and so has each segment of a trial.
    """
    load, trials = run.config.workload, run.records.trials
    budget = most_trials(load)
    numbered = trials.number[trials.number >= 0]
    count = len(np.unique(numbered)) + int(
        np.count_nonzero((trials.number < 0) & (trials.resumes == NO_TRIAL))
    )
    if budget and count > budget:
        order = np.argsort(trials.start_ns, kind="stable")
        _, first = np.unique(trials.number[order], return_index=True)
        which = order[np.sort(first)][budget] if len(first) > budget else order[budget]
        yield run.trial_fault(
            which, "start", f"is the {budget + 1}th of {count} trials, but the budget is {budget}"
        )
    if len(twice := _repeated(run, trials)):
        number = trials.number[twice[0]]
        yield run.trial_fault(
            twice[0], "start", f"has the number {number} of another trial, which was not lost"
        )


def _repeated(run: Run, trials: Trials) -> np.ndarray:
    """Trials whose number an earlier one has that did not fail, on a worker that was not lost."""
    order = np.lexsort((trials.start_ns, trials.number))
    same = trials.number[order][1:] == trials.number[order][:-1]
    same &= trials.number[order][1:] >= 0
    if not same.any():
        return np.empty(0, np.int64)
    lost = {c.name for c in run.records.components if len(c.lives) > 1}
    was_lost = np.array([name in lost for name in trials.workers], bool)
    earlier = order[:-1][same]
    excused = (trials.outcome[earlier] == FAILED) | was_lost[trials.worker[earlier]]
    excused |= trials.resumes[order[1:][same]] != NO_TRIAL
    return order[1:][same][~excused]


def _epochs(run: Run) -> Iterator[Fault]:
    """A trial that completed has all of its epochs, but where a function may end by itself; and
    none has more."""
    trials, epochs = run.records.trials, run.config.workload.epochs
    wrong = (trials.outcome == COMPLETED) & (trials.epochs != epochs)
    wrong &= is_of_images(run.config.workload)
    bad = np.flatnonzero(wrong | (trials.epochs > epochs) | (trials.epochs < 0))
    if len(bad):
        found = int(trials.epochs[bad[0]])
        said = f"has {found} epochs, but the workload's trials have {epochs}"
        yield run.trial_fault(bad, "end", said)


def _segments(run: Run) -> Iterator[Fault]:
    """A segment goes on where another was paused, and trains at least one epoch; one that was
    paused has epochs left."""
    trials = run.records.trials
    before, after = trials.resumes, trials.from_epoch
    lone = np.flatnonzero((before == NO_TRIAL) & (after != 0))
    if len(lone):
        said = f"goes on after epoch {after[lone[0]]}, but no trial before it is known"
        yield run.trial_fault(lone, "start", said)
    goes_on = before != NO_TRIAL
    known = np.where(goes_on, before, 0)
    meets = (trials.outcome[known] == PAUSED) & (trials.epochs[known] == after)
    if len(bad := np.flatnonzero(goes_on & ~meets)):
        said = f"goes on after epoch {after[bad[0]]} of a trial that was not paused there"
        yield run.trial_fault(bad, "start", said)
    paused = trials.outcome == PAUSED
    still = (trials.epochs <= after) & (paused | (goes_on & (trials.outcome == COMPLETED)))
    bad = np.flatnonzero(still | (paused & (trials.epochs >= run.config.workload.epochs)))
    if len(bad):
        first = bad[0]
        said = f"cannot be a segment: from epoch {after[first]} to {trials.epochs[first]}"
        yield run.trial_fault(bad, "end", said)


def scores_faults(run: Run) -> Iterator[Fault]:
    yield from _range(run)
    yield from _status(run)
    yield from _best(run)
    yield from _test(run)


def _range(run: Run) -> Iterator[Fault]:
    """The scores of images lie between 0 and 1."""
    if not run.config.workload.is_tested:
        return
    trials = run.records.trials
    score, goal = trials.score, run.config.workload.goal.score
    scored = (trials.outcome == COMPLETED) | trials.unscored | ~np.isnan(score)
    bad = np.flatnonzero(scored & ~((score >= 0) & (score <= 1)))
    if len(bad):
        said = f"{goal} is {score[bad[0]]:g}, not between 0 and 1"
        yield run.trial_fault(bad, "end", said)
    for name, value in sorted((run.manifest.get("test") or {}).items()):
        if value is not None and not 0 <= value <= 1:
            yield key_fault(f"test.{shown(name, LETTERS)} is {value:g}, not between 0 and 1")


def _status(run: Run) -> Iterator[Fault]:
    status, reason = run.manifest.get("status"), run.manifest.get("reason")
    count = int(np.count_nonzero(run.records.trials.outcome == COMPLETED))
    if status not in _STATUSES:
        yield key_fault(f"status is {shown(status, LETTERS)}, not one of {', '.join(_STATUSES)}")
    elif status == "completed":
        missing = [step for step in LIFECYCLE if step not in run.records.steps]
        if missing:
            yield key_fault(
                f"status is completed, but records/harness.jsonl has no step {', '.join(missing)}"
            )
        if not count:
            yield key_fault("status is completed, but by the records no trial is")
        elif run.manifest.get("best") is None:
            yield key_fault("status is completed, but there is no best trial")
        elif run.manifest.get("test") is None and run.config.workload.is_tested:
            yield key_fault("status is completed, but the best trial was not tested")
    elif status == "infeasible" and reason == "no trial completed" and count:
        yield key_fault(f"reason is that no trial completed, but by the records {count} have")
    elif status == "deadline" and "undeploy" in run.records.steps:
        took = run.records.steps["undeploy"][0] - run.records.window[0]
        allowed = run.config.workload.deadline_s
        if took < allowed * 1e9 - _EARLY_NS:
            yield key_fault(
                f"status is deadline, but the run was ended after {took / 1e9:.1f} s of {allowed:g}"
            )


def _best(run: Run) -> Iterator[Fault]:
    """The trial that run.json names is that of the result, and none that completed was better."""
    best = run.manifest.get("best")
    results = [event for event in run.records.events if event["kind"] == "result"]
    if best is None or not results:
        if results or best is not None:
            has = "a result" if results else "no result"
            yield key_fault(f"best is {shown(best, LETTERS)}, but the events have {has}")
        return
    for key in _BEST:
        if best.get(key) != results[-1].get(key):
            said = f"{key} is {shown(results[-1].get(key), LETTERS)}, but in run.json best.{key} is"
            yield run.event_fault(f"{said} {shown(best.get(key), LETTERS)}", kind="result")
    trials = run.records.trials
    places = np.flatnonzero(np.array(trials.ids.to_pylist(), object) == best.get("trial"))
    if not len(places):
        yield key_fault(f"best.trial: there is no trial {shown(best.get('trial'), LETTERS)}")
        return
    own = int(places[0])
    if trials.outcome[own] != COMPLETED:
        yield run.trial_fault(own, "end", "is the best in run.json, but has not completed")
        return
    if best.get("number") is not None and best["number"] != trials.number[own]:
        number = int(trials.number[own])
        yield run.trial_fault(
            own, "start", f"has number {number}, but in run.json best.number is {best['number']}"
        )
    space = run.config.workload.space
    phi = trials.phis[int(trials.phi[own])].as_py()
    if canonical(best["phi"], space) != canonical(json.loads(phi), space):
        said = f"φ is {shown(phi, LETTERS)}, but in run.json best.phi is"
        yield run.trial_fault(own, "start", f"{said} {shown(best['phi'], LETTERS)}")
    score, stated = float(trials.score[own]), best["score"]
    if stated is None or not math.isclose(score, stated, rel_tol=1e-12):
        yield run.trial_fault(
            own, "end", f"scored {score!r}, but in run.json best.score is {stated!r}"
        )
    yield from _better(run, own)


def _better(run: Run, own: int) -> Iterator[Fault]:
    """Trials that scored better; but one that was its worker's last before that was lost may be
    unknown to the framework."""
    trials, goal = run.records.trials, run.config.workload.goal
    ahead = goal.sign * (trials.score - trials.score[own])
    above = (trials.outcome == COMPLETED) & (ahead > 1e-12)
    better = [int(i) for i in np.flatnonzero(above) if not _may_be_unknown(run, int(i))]
    if better:
        top = max(better, key=lambda i: ahead[i])
        yield run.trial_fault(
            top,
            "end",
            f"scored {float(trials.score[top])!r}, {'more' if goal.sign > 0 else 'less'} than the "
            f"best in run.json, "
            f"{float(trials.score[own])!r}",
        )


def _may_be_unknown(run: Run, place: int) -> bool:
    trials = run.records.trials
    name = trials.workers[int(trials.worker[place])]
    lives = next((c.lives for c in run.records.components if c.name == name), ())
    end = trials.end_ns[place]
    ends = [life_end for _, life_end in lives[:-1] if life_end >= end]
    if not ends:
        return False
    mine = trials.start_ns[trials.worker == trials.worker[place]]
    return not np.any((mine >= end) & (mine < min(ends)))


def _test(run: Run) -> Iterator[Fault]:
    """Scores on the test split, which only one event and run.json hold."""
    test = run.manifest.get("test")
    events = [event for event in run.records.events if event["kind"] == "test"]
    if test is None:
        if events and run.manifest.get("status") == "completed":
            yield key_fault("test is missing, but the events have scores of a test")
        return
    if not events:
        yield key_fault("test has scores, but there is no event of a test")
        return
    scores = events[-1].get("scores")
    if scores != test:
        where = run.record_of(events[-1]["who"])
        said = f"scores are {shown(scores, LETTERS)}, but in run.json test is"
        lines = [number for number, event in run.lines(where) if event.get("kind") == "test"]
        place = f"line {lines[-1]}: " if lines else ""
        yield Fault(where, f"{place}{said} {shown(test, LETTERS)}")
