"""Trains the exhaustive base grid over several seeds: the scores behind a goal."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from trialwatt.config.goals import PointScores, Reference
from trialwatt.config.identity import repetition_seed, trial_seed
from trialwatt.config.models import Workload
from trialwatt.config.space import grid
from trialwatt.workload.images import Images, pin_threads
from trialwatt.workload.prepared import facts
from trialwatt.workload.task import run_trial

SEED = 0
"""Its repetitions' seeds follow from this one; a configuration's own seed is another (1)."""


class _Silent:
    """A report that records nothing."""

    each_epoch = False

    def step(self, name: str) -> None: ...

    def __call__(self, epoch: int, scores: dict[str, float] | None = None) -> bool:
        return False


def train_grid(
    workload: Workload,
    data: Path,
    repetitions: int,
    command: str,
    packages: dict[str, str],
    say: Callable[[str], None] = print,
) -> Reference:
    """Train every φ of the workload's grid once per repetition, on one thread.

    Each repetition has its own split, weights and batches, as in a run. Takes minutes: the
    number of points × epochs × repetitions.
    """
    pin_threads(1)
    began, points = time.monotonic(), grid(workload.space)
    seeds = [repetition_seed(SEED, number) for number in range(1, repetitions + 1)]
    found = {index: [] for index in range(len(points))}
    for number, seed in enumerate(seeds, 1):
        task = Images(workload, str(data), seed)
        for index, phi in enumerate(points):
            trained = run_trial(task, phi, trial_seed(seed, phi), _Silent())
            found[index].append(trained.scores)
            said = f"{trained.scores['macro_f1']:.4f}"
            say(f"seed {number}/{repetitions}, φ {index + 1}/{len(points)}: {phi} → {said}")
    known = facts(data)
    return Reference(
        dataset=known.name,
        dataset_sha256=known.sha256,
        workload=workload,
        seeds=seeds,
        threads=1,
        command=command,
        packages=packages,
        seconds=round(time.monotonic() - began, 1),
        points=[
            PointScores(
                phi=phi,
                macro_f1=[each["macro_f1"] for each in found[index]],
                accuracy=[each["accuracy"] for each in found[index]],
            )
            for index, phi in enumerate(points)
        ],
    )
