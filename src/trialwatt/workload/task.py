"""What the trials of a job do: the seam between a worker and a workload, and one trial on it."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
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


class Task(Protocol):
    """The trials of a job, as one process runs them."""

    workload: Workload
    keeps: bool
    """Whether the models of trials are kept, so that the best one can be tested."""

    def load(self) -> Any:
        """What all trials of the process train on; read once."""

    def train(self, phi: Phi, data: Any, seed: int, report: Report) -> tuple[Mapping, Any]:
        """Scores on the validation split, and the model. Begins in the step load."""

    def save(self, model: Any, path: Path) -> None:
        """Write a model into a file."""

    def test(self, path: Path, phi: Phi) -> dict[str, float]:
        """Scores of a saved model on the test split; trains nothing."""


@dataclass(frozen=True)
class Trained:
    """A finished trial: validation scores, and the model as its task has it."""

    scores: dict[str, float]
    model: Any


def run_trial(task: Task, phi: Phi, seed: int, report: Report) -> Trained:
    """Train φ and score it on the validation split; `seed` decides all that is drawn in it.

    Raises TrialFailed("nan") where a score is not a number, and what else the task raises.
    """
    report.step("load")
    data = task.load()
    seed_everything(seed)
    scores, model = task.train(phi, data, seed, report)
    return Trained(dict(scores), model)


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
