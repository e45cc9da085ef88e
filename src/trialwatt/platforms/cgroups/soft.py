"""No control groups: CPU affinity, and a watchdog on the resident memory of a process tree.

What it cannot do: a fraction of a core (affinity is to whole cores), an exact memory limit
(0.1 s pass between two looks, shared pages count once per process), the CPU time of a process
that lived between two looks and was never waited for.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterable
from typing import NamedTuple

from trialwatt.platforms.cgroups.base import EnforcementError, Group, Groups, Host, cause
from trialwatt.platforms.cores import cores as all_cores
from trialwatt.platforms.processes import Stat, carriers, read_all, read_stat, signal_all

WATCH_S = 0.1
SEARCH_EVERY = 10
"""New processes are searched for at every tenth look: that reads all of /proc."""


class Found(NamedTuple):
    """A picture of the machine: all processes, and which carry the name of which component."""

    everyone: dict[int, Stat]
    carriers: dict[int, str]


NOTHING = Found({}, {})


def _again(keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Stat]:
    """Those of the processes (number, start) that live yet, read anew."""
    read = {key: read_stat(key[0]) for key in keys}
    return {key: stat for key, stat in read.items() if stat and stat.start == key[1]}


class SoftGroups(Groups):
    kind = "soft"

    def __init__(self, run_id: str, host: Host):
        self._run_id = run_id
        self._groups: list[SoftGroup] = []
        self._reserved = dict.fromkeys(sorted(all_cores()), 0.0)
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None

    def make(self, component: str, cpu: float, memory_mb: int) -> SoftGroup:
        with self._lock:
            count = min(math.ceil(cpu), len(self._reserved))
            cores = sorted(self._reserved, key=self._reserved.get)[:count]
            for core in cores:
                self._reserved[core] += cpu / count
            group = SoftGroup(self, component, frozenset(cores), cpu / count, memory_mb)
            self._groups.append(group)
            if self._watcher is None:
                self._watcher = threading.Thread(
                    target=self._watch, name="memory-watchdog", daemon=True
                )
                self._watcher.start()
        return group

    def search(self) -> Found:
        everyone = read_all()
        return Found(everyone, carriers(self._run_id, everyone))

    def forget(self, group: SoftGroup) -> None:
        with self._lock:
            if group in self._groups:
                self._groups.remove(group)
                for core in group.cores:
                    self._reserved[core] -= group.share

    def remove(self) -> None:
        with self._lock:
            groups = list(self._groups)
        for group in groups:
            group.kill()
            group.remove()

    def _watch(self) -> None:
        """Look at every tree until there is none left."""
        count = 0
        while True:
            with self._lock:
                groups = list(self._groups)
                if not groups:
                    self._watcher = None
                    return
            found = NOTHING if count % SEARCH_EVERY else self.search()
            for group in groups:
                group.look(found)
            count += 1
            time.sleep(WATCH_S)


class SoftGroup(Group):
    cpu_counter = "self"

    def __init__(
        self,
        groups: SoftGroups,
        component: str,
        cores: frozenset[int],
        share: float,
        memory_mb: int,
    ):
        self.cores, self.share = cores, share
        self._groups, self._component = groups, component
        self._limit = memory_mb << 20
        self._lock = threading.Lock()
        self._main: int | None = None
        self._living: dict[tuple[int, int], Stat] = {}
        self._gone_ns = 0
        self._cpu_ns = 0
        self._peak = 0
        self._kills: set[tuple[int, int]] = set()

    def admit(self, pid: int) -> None:
        try:
            os.sched_setaffinity(pid, self.cores)
        except OSError as error:
            raise EnforcementError(f"the CPU affinity cannot be set ({cause(error)})") from error
        self._affinity = sorted(os.sched_getaffinity(pid))
        self._main = pid
        self.look(self._groups.search())

    def limits(self) -> dict:
        return {
            "cpu": float(len(self._affinity)),
            "affinity": self._affinity,
            "memory_mb": self._limit / (1 << 20),
            "swap": "on",
        }

    def look(self, found: Found = NOTHING) -> int:
        """Read the tree once; kill it if it is over its memory. Returns its resident bytes.

        New ones come from `found`: children of known ones, those of the component's session,
        those that carry its name. All numbers are read anew.
        """
        with self._lock:
            now = self._read(found)
            for key, last in self._living.items():
                # A dead child's time is its parent's, if that one is ours and has waited for it.
                if key not in now and not any(stat.pid == last.parent for stat in now.values()):
                    self._gone_ns += last.cpu_ns
            self._living = now
            living_ns = sum(stat.cpu_ns for stat in now.values())
            self._cpu_ns = max(self._cpu_ns, self._gone_ns + living_ns)
            resident = sum(stat.resident_bytes for stat in now.values())
            self._peak = max(self._peak, resident)
            if resident > self._limit:
                self._kills |= now.keys()
                signal_all(lambda: [stat.pid for stat in _again(now).values()], signal.SIGKILL)
            return resident

    def _read(self, found: Found) -> dict[tuple[int, int], Stat]:
        keys, everyone = set(self._living), found.everyone
        ours = {pid for pid, _ in keys}
        more = {pid for pid, stat in everyone.items() if stat.session == self._main}
        more |= {pid for pid, name in found.carriers.items() if name == self._component}
        while more := more - ours:
            keys |= {(pid, everyone[pid].start) for pid in more}
            ours |= more
            more = {pid for pid, stat in everyone.items() if stat.parent in ours}
        return _again(keys)

    def pids(self) -> list[int]:
        self.look(self._groups.search())
        with self._lock:
            return [stat.pid for stat in self._living.values() if stat.state not in "ZX"]

    def kill(self) -> None:
        signal_all(self.pids, signal.SIGKILL)

    def cpu_ns(self) -> int:
        self.look()
        return self._cpu_ns

    def memory_bytes(self) -> int:
        return self.look()

    def peak_bytes(self) -> int:
        return self._peak

    def oom_kills(self) -> int:
        return len(self._kills)

    def main_exited(self, pid: int) -> None:
        self.look()

    def remove(self) -> None:
        self._groups.forget(self)
