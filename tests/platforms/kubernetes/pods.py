"""A hub and agents as real processes of this machine, without any cluster."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from trialwatt.platforms.kubernetes.hub_client import HubClient
from trialwatt.platforms.kubernetes.journal_file import Entry, entries

TOKEN = "a-token-of-the-tests"
PACKAGE = "trialwatt.platforms.kubernetes"


class HubProcess:
    """A hub on a port of this machine."""

    def __init__(self, folder: Path, port: int = 0, *options: str):
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", f"{PACKAGE}.hub", "--folder", str(folder / "hub")),
                *("--address", "127.0.0.1", "--port", str(port), *options),
            ],
            stdout=subprocess.PIPE,
            env=os.environ | {"TRIALWATT_HUB_TOKEN": TOKEN},
        )
        line = self.process.stdout.readline().decode()
        self.port = int(re.search(r"port (\d+)", line)[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def client(self, life: str = "", patience_s: float = 60, token: str = TOKEN) -> HubClient:
        return HubClient(self.url, token, life, patience_s)

    def journal(self) -> list[Entry]:
        """All entries so far."""
        found, client = [], self.client()
        while True:
            last = found[-1].n if found else 0
            _, data = client.request("GET", f"/journal?after={last}")
            if not data:
                client.close()
                return found
            found += entries(data)

    def wait_for(self, test, timeout_s: float = 120) -> Entry:
        """The first entry for which `test` is true."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for entry in self.journal():
                if entry.component != "hub" and test(entry):
                    return entry
            time.sleep(0.05)
        raise AssertionError(f"it did not come; there is: {self.journal()}")

    def records(self, component: str) -> list[dict]:
        return [
            json.loads(entry.data)
            for entry in self.journal()
            if entry.stream == "records" and entry.component == component
        ]

    def post(self, life: str, *messages: dict) -> None:
        body = "".join(json.dumps({"to": life, "message": each}) + "\n" for each in messages)
        self.client().request("POST", "/inbox", body.encode())

    def resident_mb(self) -> float:
        text = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class AgentProcess:
    """An agent, and the command that it starts."""

    def __init__(self, hub: HubProcess, folder: Path, *command: str, **keys: str):
        self.component = keys.pop("component", "worker-0")
        self.life = keys.pop("life", f"{self.component}-1")
        self.folder = folder / self.life
        environment = {
            "TRIALWATT_HUB": hub.url,
            "TRIALWATT_HUB_TOKEN": TOKEN,
            "TRIALWATT_COMPONENT": self.component,
            "TRIALWATT_LIFE": self.life,
            "TRIALWATT_FOLDER": str(self.folder),
            "TRIALWATT_HOST": "10.0.0.7",
            "TRIALWATT_SPEAKS": "1",
            "TRIALWATT_SAMPLE_HZ": "10",
            "TRIALWATT_START_S": "60",
        }
        self._output = folder / f"{self.life}.out"
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{PACKAGE}.agent", *command],
            stdout=self._output.open("wb"),
            stderr=subprocess.STDOUT,
            env=os.environ | environment | keys,
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
