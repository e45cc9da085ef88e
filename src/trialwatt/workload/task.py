"""What the trials of a job do: the seam between a worker and a workload, and one trial on it."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trialwatt.config.models import Workload
from trialwatt.config.space import Phi


class Report(Protocol):
    """What a trial reports to, as it goes on."""

    each_epoch: bool
    """Whether every epoch is to be validated and reported."""

    def step(self, name: str) -> None:
        """The step `name` (load, train, validate) begins now."""

    def __call__(self, epoch: int, scores: dict[str, float] | None = None) -> bool:
        """An epoch is over, from 1, and was validated where there are scores; True: stop here."""


class TrialFailed(Exception):
    """The trial cannot go on; `reason` is one word for the records."""

    def __init__(self, reason: str, detail: str):
        self.reason = reason
        super().__init__(detail)


@dataclass(frozen=True)
class Part:
    """Which epochs of a trial are trained: those after `after`, up to and including `until`.

    state: where the trial is, after `after` epochs, if these are not its first.
    """

    until: int
    after: int = 0
    state: Path | None = None


@dataclass(frozen=True)
class Trained:
    """Validation scores of a trial that was trained, and the model as its task has it.

    state: what Task.pause writes, where the task can go on.
    """

    scores: dict[str, float]
    model: Any
    state: Any = None


class Task(Protocol):
    """The trials of a job, as one process runs them."""

    workload: Workload
    keeps: bool
    """Whether the models of trials are kept, so that the best one can be tested."""

    def load(self) -> Any:
        """What all trials of the process train on; read once."""

    def train(self, phi: Phi, data: Any, seed: int, report: Report, part: Part) -> Trained:
        """Begins in the step load. Trained further from a state, it is the same to the last digit
        as trained in one go."""

    def save(self, model: Any, path: Path) -> None:
        """Write a model into a file."""

    def pause(self, state: Any, path: Path) -> None:
        """Write into a file what a trial needs to go on. Raises TrialFailed where it cannot."""

    def test(self, path: Path, phi: Phi) -> dict[str, float]:
        """Scores of a saved model on the test split; trains nothing."""


def run_trial(task: Task, phi: Phi, seed: int, report: Report, part: Part | None = None) -> Trained:
    """Train φ and score it on the validation split; `seed` decides all that is drawn in it.

    part: which epochs; all of them if it is not given.

    Raises TrialFailed("nan") where a score is not a number, and what else the task raises.
    """
    report.step("load")
    data = task.load()
    seed_everything(seed)
    return task.train(phi, data, seed, report, part or Part(task.workload.epochs))


def seed_everything(seed: int) -> None:
    """Seed Python, and NumPy and torch where they are in use (all devices); convolutions on a GPU
    must repeat exactly."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.manual_seed(seed)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
