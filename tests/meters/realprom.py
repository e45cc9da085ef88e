"""A real Prometheus that scrapes a real node exporter, which reads a RAPL counter of the test's."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from tests.meters.promserver import PromServer

SERVER, EXPORTER = "prometheus", "prometheus-node-exporter"
PACKAGE = "node_rapl_package_joules_total"
QUERIES = {
    "package": {"query": PACKAGE, "unit": "joules"},
    "dram": {"query": "node_rapl_dram_joules_total", "unit": "joules", "resource": "memory"},
}
DRAM_W = 3.0
_RANGE_UJ = 262_143_328_850
_MOST_S = 60.0


def skip_without_programs() -> None:
    for name in (SERVER, EXPORTER):
        if shutil.which(name) is None:
            pytest.skip(f"needs the program {name}: install Debian's package of this name")


def until(holds: Callable[[], object], what: str) -> None:
    """Wait for an event; a machine that never gets there fails the test."""
    over_at = time.monotonic() + _MOST_S
    while not holds():
        assert time.monotonic() < over_at, f"{what}: not within {_MOST_S:g} s"
        time.sleep(0.05)


class Zones:
    """/sys with two powercap zones: a package, whose watts a test sets, and its memory."""

    def __init__(self, sysfs: Path):
        self._files = [self._zone(sysfs, n, name) for n, name in enumerate(("package-0", "dram"))]
        self._lock, self._over = threading.Lock(), threading.Event()
        self._watts, self._joules, self._at = 20.0, 5000.0, time.monotonic()
        self._dram = 0.0
        self._write()
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    @property
    def watts(self) -> float:
        return self._watts

    @watts.setter
    def watts(self, value: float) -> None:
        with self._lock:
            self._write()
            self._watts = value

    def restart(self) -> None:
        """The counters begin again at 0, as at a boot."""
        with self._lock:
            self._joules = self._dram = 0.0

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _zone(self, sysfs: Path, number: int, name: str) -> Path:
        zone = sysfs / "class" / "powercap" / f"intel-rapl:{number}"
        zone.mkdir(parents=True)
        (zone / "name").write_text(f"{name}\n")
        (zone / "max_energy_range_uj").write_text(f"{_RANGE_UJ}\n")
        return zone / "energy_uj"

    def _count(self) -> None:
        while not self._over.wait(0.02):
            with self._lock:
                self._write()

    def _write(self) -> None:
        passed = time.monotonic() - self._at
        self._at += passed
        self._joules += passed * self._watts
        self._dram += passed * DRAM_W
        for file, joules in zip(self._files, (self._joules, self._dram), strict=True):
            new = file.with_suffix(".new")
            new.write_text(f"{round(joules * 1e6)}\n")
            new.replace(file)


class RealPrometheus:
    """Both programs, and the zones. Each can be ended and started again."""

    def __init__(self, folder: Path):
        self.zones = Zones(folder / "sys")
        self._folder, self._running = folder, dict[str, subprocess.Popen]()
        port, exporter = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{port}"
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            "scrape_configs:\n"
            f"- {{job_name: node, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}\n"
        )
        self._commands = {
            SERVER: [
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            EXPORTER: [
                f"--path.sysfs={folder / 'sys'}",
                "--collector.disable-defaults",
                "--collector.rapl",
                f"--web.listen-address=127.0.0.1:{exporter}",
            ],
        }
        self.start(EXPORTER)
        self.start(SERVER)
        until(lambda: self.latest() > 0, "a first scrape")

    def start(self, name: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [name, *self._commands[name]], stdout=log, stderr=log, cwd=self._folder
            )
        if name == SERVER:
            until(self._is_ready, "the server")

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        for name in list(self._running):
            self.kill(name)
        self.zones.close()

    def latest(self) -> float:
        """The moment of the last scrape that has the counter; 0 while there is none."""
        asked = {"query": f"timestamp({PACKAGE})"}
        found = requests.get(f"{self.url}/api/v1/query", params=asked, timeout=10).json()
        values = [float(each["value"][1]) for each in found["data"]["result"]]
        return max(values, default=0.0)

    def scrapes(self, count: int) -> None:
        """Wait until so many scrapes more are there."""
        for _ in range(count):
            before = self.latest()
            until(lambda before=before: self.latest() > before, "the next scrape")

    def is_silent(self) -> bool:
        """Whether the exporter's last scrape has failed."""
        return self.latest() == 0

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=10).ok
        except requests.ConnectionError:
            return False


class Forwarded(PromServer):
    """A port that is forwarded to a real server, until a test breaks it (`always`)."""

    def __init__(self, url: str):
        super().__init__()
        self._real = url

    def answer(self, path: str, asked: dict) -> dict:
        return requests.get(f"{self._real}{path}", params=asked, timeout=30).json()["data"]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
