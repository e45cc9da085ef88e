"""The seam between the local platform and the ways in which a machine limits a process tree."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from trialwatt.errors import TrialwattError

PERIOD_US = 100_000
"""Period of the CPU quota: the kernel's default."""

GATE = 'read -r _ || exit 125; exec "$@"'
"""Launcher: waits until the coordinator has placed it in its group, then becomes the command.

It reads one line of its stdin, byte by byte as POSIX asks of `read` on a pipe, and leaves the
rest to the command. Where the coordinator dies first, it ends.
"""


class EnforcementError(TrialwattError):
    """Limits cannot be had in this way: why, and what to do."""


@dataclass(frozen=True)
class Host:
    """The machine as the groups see it; tests give it other folders and programs.

    proc: where the tables of mounts and groups are read, /proc/<pid>/{mountinfo,cgroup}.
    """

    proc: Path = Path("/proc")
    uid: int = field(default_factory=os.geteuid)
    systemd_run: str = "systemd-run"
    systemctl: str = "systemctl"


class Group(ABC):
    """The group of one component: limits, counters, and every process in it."""

    cpu_counter: str
    """Value of TRIALWATT_CPU_COUNTER; see trialwatt.platforms.cgroups.container."""

    pass_fds: tuple[int, ...] = ()

    def launcher(self, command: tuple[str, ...]) -> list[str]:
        """The command that waits at the gate and then becomes `command`."""
        return ["sh", "-c", GATE, "sh", *command]

    @abstractmethod
    def admit(self, pid: int) -> None:
        """Put the waiting launcher into the group. Raises EnforcementError."""

    @abstractmethod
    def limits(self) -> dict:
        """The limits as they are really set: cpu (cores), memory_mb, swap ("off", "on")."""

    @abstractmethod
    def pids(self) -> list[int]:
        """All living processes of the group."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL to all of them, once."""

    @abstractmethod
    def cpu_ns(self) -> int:
        """CPU time since the start, of the dead too. The readers raise OSError if it is gone."""

    @abstractmethod
    def memory_bytes(self) -> int: ...

    @abstractmethod
    def peak_bytes(self) -> int:
        """The most that memory_bytes has been; 0 where the kernel does not tell."""

    @abstractmethod
    def oom_kills(self) -> int:
        """Processes killed for memory so far."""

    def main_exited(self, pid: int) -> None:
        """The first process has ended and is not reaped yet: last chance to read it."""

    @abstractmethod
    def remove(self) -> None:
        """Remove the empty group; idempotent."""


class Groups(ABC):
    """The groups of one run."""

    kind: str

    @abstractmethod
    def __init__(self, run_id: str, host: Host):
        """Find where the groups go; creates nothing. Raises EnforcementError."""

    def traces(self) -> list[dict]:
        """What this run will create, for the reaper: {"group": folder}, ..."""
        return []

    def trace(self, component: str) -> list[dict]:
        """The same for what a component adds to it: {"unit": name}."""
        return []

    @abstractmethod
    def make(self, component: str, cpu: float, memory_mb: int) -> Group:
        """A group with its limits set. cpu in cores. Raises EnforcementError."""

    def remove(self) -> None:
        """Kill what is left in any group of the run and remove the groups; idempotent."""


def quota_us(cpu: float) -> int:
    """CPU quota per period, in microseconds. The kernel takes no less than 1 ms."""
    quota = round(cpu * PERIOD_US)
    if quota < 1000:
        raise EnforcementError(
            f"{cpu:g} cores is less than a control group can give (0.01): raise the worker's cpu "
            "or the testbed's cpu_per_vcpu"
        )
    return quota


def cause(error: OSError) -> str:
    """An OSError in words: what failed, on which file."""
    return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
