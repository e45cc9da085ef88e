"""Watch a run from outside while it goes on, and look for what it leaves behind."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from trialwatt.lifecycle.reap import PARTIAL
from trialwatt.platforms.groups.processes import carriers
from trialwatt.platforms.liveness import runtime_folder


class Observer:
    """In a thread, as long as the `with` lasts: the run's id and the ports that it listens on.

    act: called again and again with the run's folder and id, until it returns True.
    """

    def __init__(self, results: Path, act: Callable[[Path, str], bool] | None = None):
        self._results, self._act = results, act
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.run_id = ""
        self.ports: set[int] = set()
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
                    self.acted = self._act(folder, folder.name)
                if time.monotonic() - looked > 1:
                    self.ports |= ports_of(folder.name)
                    looked = time.monotonic()


def processes_of(run_id: str) -> dict[int, str]:
    """Process id → component, of all processes that carry the run's id."""
    return carriers(run_id, psutil.pids())


def ports_of(run_id: str) -> set[int]:
    """The TCP ports on which processes of the run listen."""
    found = set()
    for pid in processes_of(run_id):
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            continue
        found |= {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}
    return found


def is_listened_on(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(1)
        return caller.connect_ex(("127.0.0.1", port)) == 0


def left_behind(run_id: str, ports: set[int], results: Path) -> dict[str, list]:
    """All traces of a run on this machine but its results: empty lists where it is gone."""
    groups = Path("/sys/fs/cgroup")
    return {
        "processes": list(processes_of(run_id).items()),
        "ports": [port for port in sorted(ports) if is_listened_on(port)],
        "groups": [path for path, _, _ in os.walk(groups) if run_id in path],
        "folders": [
            *(results / PARTIAL).glob("*"),
            *(results / "failed").glob("*"),
            *(path for path in runtime_folder().iterdir() if run_id in path.name),
        ],
    }


NOTHING = {"processes": [], "ports": [], "groups": [], "folders": []}


def kill_a_training_worker(folder: Path, run_id: str) -> bool:
    """Once a worker trains, kill it with all its processes, as when its machine goes down."""
    for path in (folder / "records").glob("worker-*.jsonl"):
        lines = path.read_text().splitlines()
        try:
            last = json.loads(lines[-1]) if lines else {}
        except json.JSONDecodeError:  # it is being written
            continue
        if last.get("kind") == "trial" and last.get("step") == "train":
            for pid, component in processes_of(run_id).items():
                if component == path.stem:
                    os.kill(pid, signal.SIGKILL)
            return True
    return False
