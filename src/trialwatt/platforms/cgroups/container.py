"""What this container uses, from its own control group (version 1 or 2)."""

from __future__ import annotations

import resource
from pathlib import Path

from trialwatt.platforms.base import Usage
from trialwatt.platforms.cgroups.mounts import v1_hierarchies, v2_hierarchy
from trialwatt.platforms.cgroups.tree import CounterFile

UNLIMITED_BYTES = 1 << 60
"""Version 1 says "no limit" with a number of about 2^63."""


class OwnGroup:
    """Counters of the control group that this process is in. Raises OSError where it has none."""

    def __init__(self, proc: Path = Path("/proc")):
        v1 = v1_hierarchies(proc)
        self._peak_seen = 0
        if "memory" in v1 and "cpuacct" in v1:
            memory, cpu = v1["memory"].own, v1["cpuacct"].own
            self.counter = f"cpuacct:{cpu / 'cpuacct.usage'}"
            self._cpu, self._cpu_field = CounterFile(cpu / "cpuacct.usage"), b""
            self._memory = CounterFile(memory / "memory.usage_in_bytes")
            self._peak = CounterFile(memory / "memory.max_usage_in_bytes")
            self._oom = CounterFile(memory / "memory.oom_control")
            self._limit = memory / "memory.limit_in_bytes"
            quota = v1["cpu"].own if "cpu" in v1 else cpu
            self._quota = (quota / "cpu.cfs_quota_us", quota / "cpu.cfs_period_us")
        else:
            tree = v2_hierarchy(proc)
            if tree is None:
                raise OSError("this container has no control group: its use cannot be measured")
            self.counter = f"cpustat:{tree.own / 'cpu.stat'}"
            self._cpu, self._cpu_field = CounterFile(tree.own / "cpu.stat"), b"usage_usec"
            self._memory = CounterFile(tree.own / "memory.current")
            self._peak = CounterFile(tree.own / "memory.peak")
            self._oom = CounterFile(tree.own / "memory.events")
            self._limit = tree.own / "memory.max"
            self._quota = (tree.own / "cpu.max",)
        self.usage()  # says at once what cannot be read

    def usage(self) -> Usage:
        """CPU time, memory and peak so far (with page cache, as the limit counts it)."""
        v2 = self._cpu_field
        cpu_ns = self._cpu.field(v2) * 1000 if v2 else self._cpu.number()
        memory = self._memory_bytes()
        try:
            peak = self._peak.number()
        except FileNotFoundError:  # version 2 before Linux 5.19
            peak = 0
        self._peak_seen = max(self._peak_seen, peak, memory)
        return Usage(cpu_ns, memory, self._peak_seen)

    def oom_kills(self) -> int:
        try:
            return self._oom.field(b"oom_kill")
        except FileNotFoundError:  # the top of a tree has no such file: no container
            return 0

    def limits(self) -> dict:
        """cpu (cores) and memory_mb as they are really set; None where there is no limit."""
        return {"cpu": self._cores(), "memory_mb": self._memory_mb()}

    def _memory_bytes(self) -> int:
        try:
            return self._memory.number()
        except FileNotFoundError:  # as above
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

    def _memory_mb(self) -> float | None:
        text = _text(self._limit)
        if text in ("", "max") or int(text) > UNLIMITED_BYTES:
            return None
        return int(text) / (1 << 20)

    def _cores(self) -> float | None:
        words = " ".join(_text(path) for path in self._quota).split()
        if len(words) != 2 or words[0] in ("max", "-1"):
            return None
        return int(words[0]) / int(words[1])


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
