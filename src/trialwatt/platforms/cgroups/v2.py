"""Control groups version 2, written directly: as root, or in a group that is delegated to us."""

from __future__ import annotations

import os
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
from trialwatt.platforms.cgroups.tree import Hierarchy, v2_hierarchy
from trialwatt.platforms.processes import signal_all

CONTROLLERS = ("cpu", "memory")

LEAF = "trialwatt-coordinator"
"""Where the processes of a delegated group go: only groups without processes may have limits
for groups below them."""


class V2Groups(Groups):
    kind = "cgroup-v2"

    def __init__(self, run_id: str, host: Host, controllers: tuple[str, ...] = CONTROLLERS):
        self._controllers = controllers
        self._run_id = run_id
        hierarchy = v2_hierarchy(host.proc)
        if hierarchy is None:
            raise EnforcementError("no version 2 hierarchy is mounted")
        if host.uid == 0 and self._enabled_at(hierarchy.mount):
            self._base = hierarchy.mount
        else:
            self._base = self._delegated(hierarchy)
        self._run = self._base / tree.TOP / run_id

    def traces(self) -> list[dict]:
        return [{"group": str(self._run)}]

    def make(self, component: str, cpu: float, memory_mb: int) -> V2Group:
        quota = quota_us(cpu)
        try:
            group = tree.make_run(self._base, self._run_id, self._enable) / component
            group.mkdir()
            tree.write(group / "cpu.max", f"{quota} {PERIOD_US}")
            tree.write(group / "memory.max", memory_mb << 20)
            if (group / "memory.swap.max").exists():
                tree.write(group / "memory.swap.max", 0)
        except OSError as error:
            raise EnforcementError(
                f"control groups cannot be made here ({cause(error)})"
            ) from error
        return V2Group(group)

    def remove(self) -> None:
        tree.destroy(self._run)

    def _enable(self, folder: Path) -> None:
        tree.write(folder / "cgroup.subtree_control", " ".join(f"+{c}" for c in self._controllers))

    def _enabled_at(self, folder: Path) -> bool:
        """Whether groups below `folder` have the controllers, or can be given them."""
        self._require(folder)
        try:
            self._enable(folder)
        except OSError:  # the top of a container is no true root: processes are in the way
            return False
        return True

    def _require(self, folder: Path) -> None:
        there = (folder / "cgroup.controllers").read_text().split()
        missing = [name for name in self._controllers if name not in there]
        if missing:
            raise EnforcementError(
                f"the version 2 tree has no controller for: {', '.join(missing)} "
                "(they are bound to version 1, or not handed down to this group)"
            )

    def _delegated(self, hierarchy: Hierarchy) -> Path:
        """Make the coordinator's own group a place for limited groups, if it is ours to use."""
        own = hierarchy.own
        base = own.parent if own.name == LEAF else own
        if not _is_delegated(base):
            raise EnforcementError(
                "this process's control group is not delegated to it: run as root, or under "
                "`systemd-run --user --scope -p Delegate=yes`"
            )
        self._require(base)
        try:
            (base / LEAF).mkdir(exist_ok=True)
            # All of them: what is in a delegated group is ours, and one left would be in the way.
            for pid in tree.pids(base):
                tree.write(base / LEAF / "cgroup.procs", pid)
            self._enable(base)
        except OSError as error:
            raise EnforcementError(
                f"the delegated control group cannot be divided ({cause(error)})"
            ) from error
        return base


class V2Group(CountedGroup):
    def __init__(self, folder: Path):
        self._folder = folder
        super().__init__(Counters(folder))

    def admit(self, pid: int) -> None:
        try:
            tree.write(self._folder / "cgroup.procs", pid)
        except OSError as error:
            raise EnforcementError(f"a process cannot join its group ({cause(error)})") from error

    def limits(self) -> dict:
        quota, period = (self._folder / "cpu.max").read_text().split()
        memory = (self._folder / "memory.max").read_text().strip()
        swap = self._folder / "memory.swap.max"
        swap_off = not swap.exists() or swap.read_text().strip() == "0"
        return {
            "cpu": None if quota == "max" else int(quota) / int(period),
            "memory_mb": None if memory == "max" else int(memory) / (1 << 20),
            "swap": "off" if swap_off else "on",
        }

    def pids(self) -> list[int]:
        return tree.pids(self._folder)

    def kill(self) -> None:
        try:
            tree.write(self._folder / "cgroup.kill", 1)
        except OSError as error:  # before Linux 5.14, or the group is gone
            if not tree.is_gone(error):
                raise
            signal_all(self.pids, signal.SIGKILL)

    def remove(self) -> None:
        self.counters.close()
        tree.remove(self._folder)


def _is_delegated(group: Path) -> bool:
    """Whether a group is handed to this user, and is not just a leaf of somebody's tree.

    It must be writable, and either marked by systemd or the topmost that is.
    """
    files = (group, group / "cgroup.procs", group / "cgroup.subtree_control")
    if not all(os.access(file, os.W_OK) for file in files):
        return False
    return _marked(group) or not os.access(group.parent / "cgroup.procs", os.W_OK)


def _marked(group: Path) -> bool:
    try:
        return os.getxattr(group, "user.delegate") == b"1"
    except OSError:  # no such attribute, or no attributes at all
        return False
