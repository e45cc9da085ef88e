"""CPU time and memory of the whole machine and of this process, cheap enough to sample (Linux)."""

from __future__ import annotations

import os
import time

from trialwatt.meters.base import MachineLoad

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STEAL = 7
"""Where `steal` stands among the fields of a line of /proc/stat."""
MOST_FOREIGN = 0.05
"""Share of the CPU time of a quiet machine that may be foreign (docs/methodology, rule 12)."""


class Machine:
    """Open files of /proc, read again at each call."""

    def __init__(self, stat: str = "/proc/stat") -> None:
        self.cores = os.cpu_count() or 1
        self.memory_bytes = _PAGE * os.sysconf("SC_PHYS_PAGES")
        self._stat = os.open(stat, os.O_RDONLY)
        self._meminfo = os.open("/proc/meminfo", os.O_RDONLY)
        self._statm = os.open("/proc/self/statm", os.O_RDONLY)

    @property
    def memory_mb(self) -> int:
        """Memory that the machine has, in whole 2^20 bytes, as it stands in the records."""
        return self.memory_bytes // 2**20

    @property
    def memory_gb(self) -> float:
        """Memory that the machine has, in 2^30 bytes: exactly memory_mb / 1024."""
        return self.memory_mb / 1024

    def busy_ns(self) -> int:
        """CPU time since boot of whoever ran here, in ns, in steps of a tick (10 ms).

        user + nice + system + irq + softirq. Not idle and iowait; not steal, which other virtual
        machines had; not guest, which is part of user.
        """
        user, nice, system, _idle, _iowait, irq, softirq = self._ticks()[:_STEAL]
        return (user + nice + system + irq + softirq) * _TICK_NS

    def stolen_ns(self) -> int:
        """CPU time since boot that the hypervisor gave to others while this machine wanted it."""
        return self._ticks()[_STEAL] * _TICK_NS

    def _ticks(self) -> list[int]:
        """The fields of all cores together, in ticks."""
        return list(map(int, os.pread(self._stat, 512, 0).split(b"\n", 1)[0].split()[1:]))

    def used_bytes(self) -> int:
        """Memory in use: all but what the kernel calls available."""
        text = os.pread(self._meminfo, 256, 0)
        available = text.split(b"MemAvailable:", 1)[1].split(None, 1)[0]
        return self.memory_bytes - int(available) * 1024

    def own_usage(self) -> tuple[int, int]:
        """This process (all threads, no children): CPU time in ns and resident bytes."""
        resident = int(os.pread(self._statm, 128, 0).split()[1]) * _PAGE
        return time.process_time_ns(), resident

    def load(self, busy_ns: int, elapsed_ns: int) -> MachineLoad:
        """The load over an interval in which the machine was busy for `busy_ns`."""
        return MachineLoad(self.cores, busy_ns / elapsed_ns, self.memory_gb)

    def close(self) -> None:
        for descriptor in (self._stat, self._meminfo, self._statm):
            os.close(descriptor)
