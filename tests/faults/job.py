"""One run, as the workflow's rule starts it, and without the workflow."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.faults import shaky
from tests.faults.scene import Scene

from trialwatt.config.models import RunConfig

COORDINATOR = Path(__file__).with_name("coordinator.py")


class Job(Scene):
    """One repetition of a configuration. data: a copy that a fault may take away."""

    def __init__(self, folder: Path, config: RunConfig, points: int, data: Path, facts: Path):
        super().__init__(folder, folder / "results", config.sut, points)
        self.data = data
        self._config, self._facts = config, facts
        shaky.install(folder / "site")

    def start(self, repetition: int = 1) -> None:
        command = [sys.executable, COORDINATOR, self._config.model_dump_json(), str(repetition)]
        command += [self.folder / "log", self.data, self._facts, self.results]
        environment = {"PYTHONPATH": str(self.folder / "site"), shaky.SWITCH: str(self.switch)}
        self.launch(command, repetition, environment, self.folder)

    def is_whole(self, repetition: int = 1) -> bool:
        return any(folder.name == f"rep{repetition}" for folder in self.counted())

    def next(self) -> int:
        return 2 if self.counted() else 1

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)
