"""A hub as a real process of this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from trialwatt.platforms.hub.client import HubClient
from trialwatt.platforms.hub.journal import Entry, entries
from trialwatt.platforms.hub.tokens import COORDINATOR, token_of

KEY = "a-key-of-the-tests"


class HubProcess:
    """A hub on a port of this machine."""

    def __init__(self, folder: Path, port: int = 0, *options: str):
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "trialwatt.platforms.hub.server"),
                *("--folder", str(folder / "hub")),
                *("--address", "127.0.0.1", "--port", str(port), *options),
            ],
            stdout=subprocess.PIPE,
            env=os.environ | {"TRIALWATT_HUB_KEY": KEY},
        )
        line = self.process.stdout.readline().decode()
        self.port = int(re.search(r"port (\d+)", line)[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def client(self, holder: str = COORDINATOR, patience_s: float = 60) -> HubClient:
        return HubClient(self.url, token_of(KEY, holder), patience_s)

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
