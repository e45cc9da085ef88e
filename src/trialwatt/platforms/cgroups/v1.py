"""Control groups version 1: one folder per hierarchy, below the coordinator's own group."""

from __future__ import annotations

import signal
from pathlib import Path

from trialwatt.platforms.cgroups import tree
from trialwatt.platforms.cgroups.base import (
    PERIOD_US,
    EnforcementError,
    Groups,
    Host,
    cause,
    quota_us,
)
from trialwatt.platforms.cgroups.counters import CountedGroup, Counters
from trialwatt.platforms.cgroups.tree import v1_hierarchies
from trialwatt.platforms.processes import signal_all

NEEDED = ("cpu", "cpuacct", "memory")


class V1Groups(Groups):
    kind = "cgroup-v1"

    def __init__(self, run_id: str, host: Host):
        mounted = v1_hierarchies(host.proc)
        missing = [name for name in NEEDED if name not in mounted]
        if missing:
            raise EnforcementError(f"no version 1 hierarchy is mounted for: {', '.join(missing)}")
        wanted = [*NEEDED, *(["pids"] if "pids" in mounted else [])]
        self._bases = {name: mounted[name].own for name in wanted}
        self._runs = {name: base / tree.TOP / run_id for name, base in self._bases.items()}
        self._run_id = run_id

    def traces(self) -> list[dict]:
        return [{"group": str(run)} for run in dict.fromkeys(self._runs.values())]

    def make(self, component: str, cpu: float, memory_mb: int) -> V1Group:
        quota = quota_us(cpu)
        try:
            folders = {}
            for controller, base in self._bases.items():
                folder = tree.make_run(base, self._run_id) / component
                folder.mkdir(exist_ok=folder in folders.values())
                folders[controller] = folder
            tree.write(folders["cpu"] / "cpu.cfs_period_us", PERIOD_US)
            tree.write(folders["cpu"] / "cpu.cfs_quota_us", quota)
            memory = folders["memory"]
            tree.write(memory / "memory.limit_in_bytes", memory_mb << 20)
            if (memory / "memory.memsw.limit_in_bytes").exists():
                tree.write(memory / "memory.memsw.limit_in_bytes", memory_mb << 20)
            tree.write(memory / "memory.swappiness", 0)
        except OSError as error:
            raise EnforcementError(
                f"control groups cannot be made here ({cause(error)}): "
                "run as root, or let enforcement be auto or soft"
            ) from error
        return V1Group(folders)

    def remove(self) -> None:
        for run in dict.fromkeys(self._runs.values()):
            tree.destroy(run)


class V1Group(CountedGroup):
    def __init__(self, folders: dict[str, Path]):
        self._folders = folders
        self._all = list(dict.fromkeys(folders.values()))
        self._memory = folders["memory"]
        super().__init__(Counters(folders["cpuacct"], self._memory))

    def admit(self, pid: int) -> None:
        try:
            for folder in self._all:
                tree.write(folder / "cgroup.procs", pid)
        except OSError as error:
            raise EnforcementError(f"a process cannot join its group ({cause(error)})") from error

    def limits(self) -> dict:
        cpu = self._folders["cpu"]
        swap = self._memory / "memory.memsw.limit_in_bytes"
        limit = _number(self._memory / "memory.limit_in_bytes")
        swap_off = swap.exists() and _number(swap) == limit
        return {
            "cpu": _number(cpu / "cpu.cfs_quota_us") / _number(cpu / "cpu.cfs_period_us"),
            "memory_mb": limit / (1 << 20),
            "swap": "off" if swap_off else "discouraged",
        }

    def pids(self) -> list[int]:
        return list(dict.fromkeys(pid for folder in self._all for pid in tree.pids(folder)))

    def kill(self) -> None:
        # A dying process has work to do, and a tree that forks faster than we kill would live on.
        try:
            tree.write(self._folders["cpu"] / "cpu.cfs_quota_us", -1)
            if "pids" in self._folders:
                tree.write(self._folders["pids"] / "pids.max", 0)
        except FileNotFoundError:
            return
        signal_all(self.pids, signal.SIGKILL)

    def remove(self) -> None:
        self.counters.close()
        for folder in self._all:
            tree.remove(folder)


def _number(path: Path) -> int:
    return int(path.read_text())
