"""The SUTs of this package with trials that compute for a millisecond: what is left is their cost.

They are registered as SUTs of another package are (docs/add-a-sut.md), under the names short-plain,
short-ray, … A short trial imports no torch and keeps no weights, in whatever process it runs.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from trialwatt import suts
from trialwatt.lifecycle import trials as recorded
from trialwatt.suts.base import Sut

TRIAL_S = 0.001
PREFIX = "short-"


def register(folder: Path) -> None:
    """Make this module a package of `folder`, on the path of this process and of its workers."""
    info = folder / "short_trials-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: short-trials\nVersion: 1.0\n")
    lines = [f"{PREFIX}{name} = short_trials:{name}\n" for name in suts.names(own=True)]
    (info / "entry_points.txt").write_text(f"[{suts.GROUP}]\n{''.join(lines)}")
    shutil.copy(__file__, folder)
    sys.path.insert(0, str(folder))
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), before)))


def __getattr__(name: str) -> type[Sut]:
    """The class of a SUT; the others' modules are not loaded."""
    if name not in suts.names(own=True):
        raise AttributeError(name)
    return type(name, (Short, suts.get(name)), {"name": PREFIX + name})


class Short:
    """What a SUT does otherwise when its trials are short."""

    def work(self, job, index, trials) -> None:
        _shorten()
        trials.here = here
        super().work(job, index, trials)

    def best(self, job) -> None:
        return None  # there are no weights that could be tested


def here():
    """The Trials of a process that a worker's daemon has started."""
    _shorten()
    return recorded.trials_here()


def _shorten() -> None:
    recorded._train = _trial
    recorded.RecordedTrials._keep = lambda self, trial, phi, trained: None


def _trial(job, phi, seed, watch) -> SimpleNamespace:
    """Compute for TRIAL_S, in the steps of a real trial."""
    watch.step("load")
    watch.step("train")
    end = time.perf_counter() + TRIAL_S
    while time.perf_counter() < end:
        pass
    watch.step("validate")
    return SimpleNamespace(scores={"macro_f1": 0.5, "accuracy": 0.5}, epochs=1, stopped=False)
