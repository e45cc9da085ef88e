"""What a fault is injected into: a command, what is seen of it from outside, what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pyarrow as pa

from trialwatt.contract.places import Local
from trialwatt.lifecycle.reap import PARTIAL
from trialwatt.platforms.processes import runs_of
from trialwatt.suts.services import scratch

POLL_S = 0.1
LOOK_S = 2
"""Between looks at the ports of all its processes, which are many."""
KINDS = ("partial", "processes", "ports", "groups", "liveness", "scratch")
"""Of traces that a run may leave beside results."""
MOST_S = 1800
"""An injected run that has not ended by then hangs."""


class Missed(Exception):
    """The run was over before its moment came."""


class Scene(ABC):
    """One command in folders of its own, watched from outside.

    points: of the grid, each of which is to be tried once. began: when, on the monotonic clock.
    switch, data, clock: see the faults that use them.
    """

    process: subprocess.Popen

    def __init__(self, folder: Path, results: Path, points: int):
        self.folder, self.results, self.points = folder, results, points
        self.switch, self.data = folder / "switch", folder / "data"
        self.clock = folder / "clock"
        self._place, self._run_ids = Local(), set[str]()
        self.began = time.monotonic()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    # --- the command ----------------------------------------------------------------------------

    @abstractmethod
    def start(self, repetition: int = 1) -> None:
        """Start it, in a session of its own."""

    @abstractmethod
    def is_whole(self, repetition: int = 1) -> bool:
        """Whether there is all that it is to make."""

    @abstractmethod
    def next(self) -> int:
        """Which repetition the next command is to make."""

    @abstractmethod
    def interrupt(self) -> None:
        """What Ctrl-C in a terminal does."""

    def launch(self, command: list, repetition: int, environment: dict, cwd: Path) -> None:
        with (self.folder / f"said-{repetition}").open("ab") as said:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                env=os.environ | environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def end(self) -> int | None:
        """Wait for the end; the exit code, or None where it hangs, and is killed."""
        try:
            return self.process.wait(MOST_S)
        except subprocess.TimeoutExpired:
            self.kill_all()
            self.process.wait()
            return None

    def said(self, repetition: int = 1) -> str:
        return (self.folder / f"said-{repetition}").read_text(errors="replace")

    def tracebacks(self, said: str) -> list[str]:
        """The last line of each that was said in place of a message."""
        return [lines[-1] for lines in tracebacks(said)]

    def kill_all(self) -> None:
        """As when the machine goes down: the coordinator, then all that it has started."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        for pid in (self.process.pid, *(child.pid for child in children), *self.processes()):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)

    def close(self) -> None:
        self._over.set()
        self._watcher.join()
        if self.process.poll() is None:
            self.kill_all()
            self.process.wait()

    # --- what is seen of it -----------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Those of this command's runs → their components."""
        named = runs_of(psutil.pids())
        return {pid: component for pid, (run, component) in named.items() if run in self._run_ids}

    def until(self, condition: Callable[[], bool], seconds: float = MOST_S) -> None:
        """Raises Missed where the process ends first."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Missed
            time.sleep(POLL_S)

    def completed(self) -> dict[str, set[str]]:
        """Run → its trials that have completed, by what is half-written now."""
        return {folder.name: completed_in(folder) for folder in self._partial()}

    def has_entered(self, step: str) -> bool:
        for folder in self._partial():
            with suppress(OSError):
                return f'"step":"{step}"' in (folder / "records" / "harness.jsonl").read_text()
        return False

    def counted(self) -> list[Path]:
        """The folders that the workflow would take for results."""
        return sorted(self.results.glob("runs/*/*/rep*"))

    def left(self) -> dict[str, list]:
        """What there is of it beside results and what failed runs are kept as."""
        found: dict[str, list] = {"partial": self._partial()}
        for run_id in sorted(self._run_ids):
            for kind, traces in self._place.left_behind(run_id).items():
                found.setdefault(kind, []).extend(traces)
            folder = scratch("*", run_id)
            found.setdefault("scratch", []).extend(folder.parent.glob(folder.name))
        return {kind: traces for kind, traces in found.items() if traces}

    def _partial(self) -> list[Path]:
        return sorted((self.results / PARTIAL).glob("*"))

    def _watch(self) -> None:
        looked = 0.0
        while not self._over.wait(POLL_S):
            self._run_ids |= {folder.name for folder in self._partial()}
            if time.monotonic() - looked > LOOK_S:
                for folder in self._partial():
                    self._place.look(folder.name)
                looked = time.monotonic()


def tracebacks(said: str) -> list[list[str]]:
    """The lines of each, its frames' and its error's, and of nothing after it."""
    found = []
    for part in said.split("Traceback (most recent call last):")[1:]:
        lines = [line for line in part.splitlines() if line.strip()]
        end = next((n for n, line in enumerate(lines) if not line.startswith(" ")), len(lines) - 1)
        found.append(lines[: end + 1])
    return found


def trial_events(folder: Path) -> list[dict]:
    """Of a run, sealed or not."""
    return [event for event in _events(folder) if event["kind"] == "trial"]


def _events(folder: Path) -> list[dict]:
    holder = folder / "records.zst"
    if holder.exists():
        with pa.input_stream(str(holder), compression="zstd") as sealed:
            text = sealed.read().decode()
    else:
        text = "\n".join(path.read_text() for path in (folder / "records").glob("*.jsonl"))
    found = []
    for line in text.splitlines():
        with suppress(ValueError):  # one that is being written
            found.append(json.loads(line))
    return found


def never_began(folder: Path) -> int:
    """How many trials of a run were lost with their workers before they began, as it says itself"""
    notes = [event["text"] for event in _events(folder) if event["kind"] == "note"]
    return sum("never began" in text for text in notes)


def completed_in(folder: Path) -> set[str]:
    with suppress(OSError):  # it is moved at this moment
        return {e["trial"] for e in trial_events(folder) if e.get("outcome") == "completed"}
    return set()
