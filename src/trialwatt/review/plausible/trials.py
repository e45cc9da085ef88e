"""Trials that the search cannot have run: φ outside Φ, more than its budget, too many epochs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from trialwatt.config.space import contains, size
from trialwatt.printed import shown
from trialwatt.records.events import OUTCOMES
from trialwatt.records.trials import Trials
from trialwatt.review.plausible.run import LETTERS, Fault, Run

COMPLETED, FAILED = OUTCOMES.index("completed"), OUTCOMES.index("failed")


def faults(run: Run) -> Iterator[Fault]:
    yield from _outside(run)
    yield from _budget(run)
    yield from _epochs(run)


def _outside(run: Run) -> Iterator[Fault]:
    """A φ outside of Φ is never trained: a trial that got one has failed before its first epoch."""
    trials, space = run.records.trials, run.config.workload.space
    inside = np.array([_holds(space, text) for text in trials.phis.to_pylist()], bool)
    if inside.all():
        return
    refused = (trials.outcome == FAILED) & (trials.epochs == 0)
    bad = np.flatnonzero(~inside[trials.phi] & ~refused)
    if len(bad):
        phi = trials.phis[int(trials.phi[bad[0]])].as_py()
        more = f" (and {len(bad) - 1} more trials)" if len(bad) > 1 else ""
        said = f"φ is outside of the search space: {shown(phi, LETTERS)}{more}"
        yield run.trial_fault(bad[0], "start", said)


def _holds(space, text: str) -> bool:
    phi = json.loads(text)
    return isinstance(phi, dict) and contains(space, phi)


def _budget(run: Run) -> Iterator[Fault]:
    """No more numbers than the budget, and a number again only where its trial was lost.

    The framework numbers its trials; a trial that failed counts, one that it repeats because its
    worker was lost has the same number again.
    """
    load, trials = run.config.workload, run.records.trials
    budget = load.search.budget or size(load.space)
    numbered = trials.number[trials.number >= 0]
    count = len(np.unique(numbered)) + int(np.count_nonzero(trials.number < 0))
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
    return order[1:][same][~excused]


def _epochs(run: Run) -> Iterator[Fault]:
    """A trial that completed has all of its epochs, and none has more."""
    trials, epochs = run.records.trials, run.config.workload.epochs
    wrong = (trials.outcome == COMPLETED) & (trials.epochs != epochs)
    bad = np.flatnonzero(wrong | (trials.epochs > epochs) | (trials.epochs < 0))
    if len(bad):
        found = int(trials.epochs[bad[0]])
        more = f" (and {len(bad) - 1} more trials)" if len(bad) > 1 else ""
        said = f"has {found} epochs, but the workload's trials have {epochs}{more}"
        yield run.trial_fault(bad[0], "end", said)
