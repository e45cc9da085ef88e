"""Agents as real processes of this machine, without any cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.platforms.hub.process import KEY, HubProcess

from trialwatt.platforms.hub.journal import Entry
from trialwatt.platforms.hub.tokens import token_of


def _of_a_pod() -> dict[str, str]:
    """This environment without what is set for the tests: a pod has none of it."""
    return {name: text for name, text in os.environ.items() if not name.startswith("TRIALWATT_")}


class AgentProcess:
    """An agent, and the command that it starts."""

    def __init__(self, hub: HubProcess, folder: Path, *command: str, **keys: str):
        self.component = keys.pop("component", "worker-0")
        self.life = keys.pop("life", f"{self.component}-1")
        self.folder = folder / self.life
        environment = {
            "TRIALWATT_HUB": hub.url,
            "TRIALWATT_HUB_TOKEN": token_of(KEY, self.life),
            "TRIALWATT_COMPONENT": self.component,
            "TRIALWATT_LIFE": self.life,
            "TRIALWATT_FOLDER": str(self.folder),
            "TRIALWATT_HOST": "10.0.0.7",
            "TRIALWATT_SPEAKS": "1",
            "TRIALWATT_SAMPLE_HZ": "10",
            "TRIALWATT_START_S": "60",
        }
        given = " ".join(environment | keys)
        environment["TRIALWATT_GIVEN"] = f"{given} PATH PYTHONPATH"
        self._output = folder / f"{self.life}.out"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trialwatt.platforms.kubernetes.agent", *command],
            stdout=self._output.open("wb"),
            stderr=subprocess.STDOUT,
            env=_of_a_pod() | environment | keys,
            start_new_session=True,
        )

    def wait(self, timeout_s: float = 120) -> int:
        return self.process.wait(timeout_s)

    def output(self) -> str:
        return self._output.read_text()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)  # it takes its command with it
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def ended(entry: Entry) -> bool:
    return entry.stream == "agent" and b'"ended"' in entry.data
