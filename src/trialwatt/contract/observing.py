"""Watch a run from outside while it goes on, and look for what it leaves behind."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from trialwatt.lifecycle.reap import PARTIAL


class Observer:
    """In a thread, as long as the `with` lasts: the run's id, and what it holds in its place.

    act: called again and again with the place, the run's folder and id, until it returns True.
    """

    def __init__(self, place, results: Path, act: Callable[..., bool] | None = None):
        self._place, self._results, self._act = place, results, act
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.run_id = ""
        self.acted = False

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        self._thread.join(10)

    def _watch(self) -> None:
        looked = 0.0
        while not self._over.wait(0.05):
            for folder in (self._results / PARTIAL).glob("*"):
                self.run_id = folder.name
                if self._act and not self.acted:
                    self.acted = self._act(self._place, folder, folder.name)
                if time.monotonic() - looked > 1:
                    self._place.look(folder.name)
                    looked = time.monotonic()


def left_behind(place, run_id: str, results: Path) -> dict[str, list]:
    """All traces of a run in its place and among the results; only those that there are."""
    halves = [path for name in (PARTIAL, "failed") for path in (results / name).glob("*")]
    found = place.left_behind(run_id) | {"folders": halves}
    return {kind: traces for kind, traces in found.items() if traces}


NOTHING: dict[str, list] = {}

TOO_LARGE = 20_000  # units: two layers of it, or of more, have 1.6 GB of weights


def kill_a_training_worker(place, folder: Path, run_id: str) -> bool:
    """Once a worker trains a trial that has enough memory, kill it."""
    for path in (folder / "records").glob("worker-*.jsonl"):
        if trains(path) and place.kill(run_id, path.stem, lambda path=path: trains(path)):
            return True
    return False


def trains(path: Path) -> bool:
    """Whether the worker whose records these are trains a trial that has enough memory."""
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    except json.JSONDecodeError:  # it is being written
        return False
    trial = [line for line in lines if line["kind"] == "trial"]
    if not trial or trial[-1].get("step") != "train" or lines[-1]["kind"] not in ("trial", "epoch"):
        return False
    starts = [line["phi"] for line in trial if line["status"] == "start"]
    return starts[-1]["ls"] < TOO_LARGE
