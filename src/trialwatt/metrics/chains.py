"""Trials as chains of segments: which segments are one trial, and what became of each.

A trial that was never paused is a chain of one. Definitions: docs/methodology, rule 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialwatt.metrics.formulas import DUPLICATE, FAILED, PRUNED, waste_classes
from trialwatt.records.events import NO_TRIAL, OUTCOMES
from trialwatt.records.trials import Trials


@dataclass(frozen=True)
class Chains:
    """The c chains that n segments make up.

    of: (n,) the chain of each segment. first, last: (c,) segments. completed, failed, pruned: (c,)
    what became of each; one that was paused and never resumed counts as pruned. waste, segments:
    (c,), (n,) classes of waste, "" where there is none.
    """

    of: np.ndarray
    first: np.ndarray
    last: np.ndarray
    completed: np.ndarray
    failed: np.ndarray
    pruned: np.ndarray
    waste: np.ndarray
    segments: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """(c,) of values of segments (n,)."""
        return np.bincount(self.of, values, len(self.last))


def chains_of(trials: Trials) -> Chains:
    of, first, last = _chained(trials)
    outcome = trials.outcome[last]
    completed = outcome == OUTCOMES.index("completed")
    failed = outcome == OUTCOMES.index("failed")
    pruned = ~completed & ~failed
    waste = waste_classes(trials.start_ns[first], _histories(trials)[last], failed, pruned)
    lost = (trials.outcome == OUTCOMES.index("failed")) | failed[of]
    segments = np.where(lost, FAILED, PRUNED).astype(waste.dtype)
    for kind in (DUPLICATE, ""):  # what a trial that counts went on from is no waste
        segments[_with_all_before(trials.resumes, last[waste == kind])] = kind
    return Chains(of, first, last, completed, failed, pruned, waste, segments)


def _chained(trials: Trials) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """of, first and last of Chains.

    A segment that goes on with another belongs to the trial that has its number, which the one
    whose state it takes need not have.
    """
    count = len(trials)
    of = np.arange(count)
    if not (trials.resumes != NO_TRIAL).any():
        return of, of, of
    first: list[int] = []
    last: list[int] = []
    numbered: dict[int, int] = {}
    for at in np.argsort(trials.start_ns, kind="stable").tolist():
        number, before = int(trials.number[at]), int(trials.resumes[at])
        known = numbered.get(number) if number >= 0 else int(of[before])
        if before == NO_TRIAL or known is None:
            known = len(first)
            first.append(at)
            last.append(at)
        last[known] = at
        of[at] = numbered[number] = known
    return of, np.array(first, np.int64), np.array(last, np.int64)


def _histories(trials: Trials) -> np.ndarray:
    """(n,) equal where the φ that was trained, and until which epoch, was the same all along.

    Segments of one φ that follow each other are the same as one of all their epochs.
    """
    if not (trials.resumes != NO_TRIAL).any():
        epochs = np.unique(trials.epochs, return_inverse=True)[1]
        return trials.phi * (epochs.max(initial=0) + 1) + epochs
    found, known = np.zeros(len(trials), np.int64), dict[tuple[int, int, int], int]()
    base = np.full(len(trials), -1, np.int64)  # history of what another φ had trained before
    for at in np.argsort(trials.start_ns, kind="stable").tolist():
        before, phi = int(trials.resumes[at]), int(trials.phi[at])
        if before != NO_TRIAL:
            base[at] = base[before] if trials.phi[before] == phi else found[before]
        key = (int(base[at]), phi, int(trials.epochs[at]))
        found[at] = known.setdefault(key, len(known))
    return found


def _with_all_before(resumes: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """(n,) whether each is one of these segments, or one that they go on from."""
    found = np.zeros(len(resumes), bool)
    while len(segments):
        found[segments] = True
        segments = resumes[segments]
        segments = np.unique(segments[segments != NO_TRIAL])
    return found
