"""What the kernel counts for a control group, of either version, read at every sample."""

from __future__ import annotations

import os
from pathlib import Path

from trialwatt.platforms.cgroups.base import Group

_V1 = (
    "cpuacct.usage",
    "memory.usage_in_bytes",
    "memory.max_usage_in_bytes",
    "memory.oom_control",
)
_V2 = ("cpu.stat", "memory.current", "memory.peak", "memory.events")


class CounterFile:
    """Opened at the first read; opening would be most of the work.

    A read raises OSError where the file is not there, or where its group is gone (ENODEV). An
    open file does not keep the kernel from removing its group.
    """

    def __init__(self, path: Path):
        self._path = path
        self._descriptor = -1

    def number(self) -> int:
        """The file's only word."""
        return int(self._read())

    def field(self, name: bytes) -> int:
        """The number behind `name` on a line of its own; 0 where there is no such line."""
        for line in self._read().splitlines():
            key, _, value = line.partition(b" ")
            if key == name:
                return int(value)
        return 0

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _read(self) -> bytes:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDONLY)
        return os.pread(self._descriptor, 4096, 0)


class Counters:
    """Of one group; nothing is opened before it is read. The readers raise OSError as a
    CounterFile does."""

    def __init__(self, cpu: Path, memory: Path | None = None):
        """cpu: the group's folder; of version 1 that of cpuacct, and `memory` that of memory."""
        self._is_v2 = memory is None
        names = _V2 if memory is None else _V1
        self.source = f"{'cpustat' if self._is_v2 else 'cpuacct'}:{cpu / names[0]}"
        self._cpu = CounterFile(cpu / names[0])
        self._memory, self._peak, self._events = (
            CounterFile((memory or cpu) / name) for name in names[1:]
        )

    def cpu_ns(self) -> int:
        return self._cpu.field(b"usage_usec") * 1000 if self._is_v2 else self._cpu.number()

    def memory_bytes(self) -> int:
        return self._memory.number()

    def peak_bytes(self) -> int:
        try:
            return self._peak.number()
        except FileNotFoundError:  # version 2 before Linux 5.19
            return 0

    def oom_kills(self) -> int:
        return self._events.field(b"oom_kill")

    def close(self) -> None:
        for file in (self._cpu, self._memory, self._peak, self._events):
            file.close()


class CountedGroup(Group):
    """A group whose use the kernel counts."""

    def __init__(self, counters: Counters):
        self.counters, self.cpu_counter = counters, counters.source

    def cpu_ns(self) -> int:
        return self.counters.cpu_ns()

    def memory_bytes(self) -> int:
        return self.counters.memory_bytes()

    def peak_bytes(self) -> int:
        return self.counters.peak_bytes()

    def oom_kills(self) -> int:
        return self.counters.oom_kills()
