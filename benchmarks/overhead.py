"""Our own part of what a trial costs: RecordedTrials.run around a trial of 1 ms, records on.

The same trial is called bare, in turns with the recorded one; the figure is the median of the
recorded calls less that of the bare ones. Exits with 1 if a limit is exceeded.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from onerun import report

from trialwatt.config.models import RunConfig, Testbed, Workload
from trialwatt.lifecycle import trials
from trialwatt.records.writer import EventWriter
from trialwatt.suts.base import Job
from trialwatt.workload.images import Images
from trialwatt.workload.task import Trained, run_trial

TRIALS, EPOCHS, TRIAL_S = 200, 5, 0.001
LIMIT_MS = 5.0
PHI = {"lr": 0.001, "ls": 128}
SPACE = {"lr": {"choices": [0.001]}, "ls": {"choices": [32, 128]}}
WEIGHTS = {  # of the largest network of the base grid, on MNIST
    name: torch.zeros(*shape)
    for name, shape in {"0": (128, 784), "1": (128, 128), "2": (10, 128)}.items()
}


class NoReport:
    """What the bare trial reports to."""

    each_epoch = False

    def step(self, name: str) -> None: ...
    def __call__(self, epoch: int, scores: dict | None = None) -> bool:
        return False


class Short(Images):
    """A trial that computes for 1 ms in all, with the steps and reports of a real one."""

    def __init__(self, workload: Workload, score: Callable[[], float]):
        super().__init__(workload, "", 1)
        self._score = score

    def load(self) -> None: ...

    def train(self, phi, data, seed, report, part):
        end = time.perf_counter() + TRIAL_S
        scores = {"macro_f1": self._score(), "accuracy": 0.5}
        for epoch in range(1, EPOCHS + 1):
            report.step("train")
            if report.each_epoch:
                report.step("validate")
                report(epoch, scores)
        report.step("validate")
        report(EPOCHS)
        while time.perf_counter() < end:
            pass
        return Trained(scores, WEIGHTS)


def overhead_ms(folder: Path, score: Callable[[], float], pruner=None) -> float:
    """Median milliseconds that recording adds to one trial."""
    job = Job(
        run_id="overhead",
        config=RunConfig(
            sut="plain",
            workload=Workload.model_validate({"space": SPACE, "epochs": EPOCHS}),
            testbed_name="bench",
            testbed=Testbed(),
            seed=1,
        ),
        repetition=1,
        seed=1,
        folder=str(folder),
        data="",
        threads=1,
        worker_cpu=1.0,
    )
    events = EventWriter(folder, job.run_id, "worker-0")
    recorded = trials.RecordedTrials(job, "worker-0", events, [])
    recorded._task = task = Short(job.workload, score)
    times: dict[str, list[float]] = {"bare": [], "recorded": []}
    for number in range(TRIALS):
        times["bare"].append(_timed(lambda: run_trial(task, PHI, 1, NoReport())))
        times["recorded"].append(
            _timed(lambda number=number: recorded.run(PHI, number, report=pruner))
        )
    events.close()
    return 1e3 * (statistics.median(times["recorded"]) - statistics.median(times["bare"]))


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> bool:
    falling, rising = itertools.count(-1, -1), itertools.count(1)
    cases = {
        "per-trial overhead, 1 ms trial": (lambda: next(falling) / 1e6, None),
        "per-trial overhead, weights kept each time": (lambda: next(rising) / 1e6, None),
        "per-trial overhead, 5 epochs reported": (lambda: next(falling) / 1e6, lambda *_: False),
    }
    kept = []
    for name, (score, pruner) in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            kept.append(report(name, overhead_ms(Path(folder), score, pruner), LIMIT_MS, "ms"))
    return all(kept)


if __name__ == "__main__":
    sys.exit(not main())
