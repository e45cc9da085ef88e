"""What this container uses, from its own control group (version 1 or 2)."""

from __future__ import annotations

import os
import resource
import time
from functools import cache
from pathlib import Path

from trialwatt.platforms.base import Usage
from trialwatt.platforms.cgroups.counters import Counters
from trialwatt.platforms.cgroups.tree import v1_hierarchies, v2_hierarchy

UNLIMITED_BYTES = 1 << 60
"""Version 1 says "no limit" with a number of about 2^63."""

VARIABLE = "TRIALWATT_CPU_COUNTER"
"""Set by the platform: "cpuacct:<file>" (nanoseconds), "cpustat:<file>" (usage_usec), "self"."""


class OwnGroup:
    """Counters of the control group that this process is in. Raises OSError where it has none."""

    def __init__(self, proc: Path = Path("/proc")):
        v1 = v1_hierarchies(proc)
        self._peak_seen = 0
        if "memory" in v1 and "cpuacct" in v1:
            memory, cpu = v1["memory"].own, v1["cpuacct"].own
            self._counters = Counters(cpu, memory)
            self._limit = memory / "memory.limit_in_bytes"
            quota = v1["cpu"].own if "cpu" in v1 else cpu
            self._quota = (quota / "cpu.cfs_quota_us", quota / "cpu.cfs_period_us")
        else:
            tree = v2_hierarchy(proc)
            if tree is None:
                raise OSError("this container has no control group: its use cannot be measured")
            self._counters = Counters(tree.own)
            self._limit = tree.own / "memory.max"
            self._quota = (tree.own / "cpu.max",)
        self.counter = self._counters.source
        self.usage()  # says at once what cannot be read

    def usage(self) -> Usage:
        """CPU time, memory and peak so far (with page cache, as the limit counts it)."""
        cpu_ns, memory = self._counters.cpu_ns(), self._memory_bytes()
        self._peak_seen = max(self._peak_seen, self._counters.peak_bytes(), memory)
        return Usage(cpu_ns, memory, self._peak_seen)

    def oom_kills(self) -> int:
        try:
            return self._counters.oom_kills()
        except FileNotFoundError:  # the top of a tree has no such file: no container
            return 0

    def limits(self) -> dict:
        """cpu (cores) and memory_mb as they are really set; None where there is no limit."""
        return {"cpu": self._cores(), "memory_mb": self._memory_mb()}

    def _memory_bytes(self) -> int:
        try:
            return self._counters.memory_bytes()
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


def read_cpu_ns() -> int:
    """CPU time of this component so far, in nanoseconds.

    From its control group where it has one: all its processes, the dead ones too. Else ("self",
    or no platform) this process and those of its children that it has waited for.
    """
    kind, descriptor = _counter()
    if kind == "self":
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        waited_ns = round((children.ru_utime + children.ru_stime) * 1e9)
        return time.process_time_ns() + waited_ns
    text = os.pread(descriptor, 64, 0)
    if kind == "cpuacct":
        return int(text)
    return int(text.split(None, 2)[1]) * 1000  # its first line is "usage_usec <n>"


@cache
def _counter() -> tuple[str, int]:
    """The kind, and the file held open: opening would be most of the work."""
    kind, _, path = os.environ.get(VARIABLE, "self").partition(":")
    if kind == "self":
        return kind, -1
    if kind not in ("cpuacct", "cpustat"):
        raise ValueError(f"{VARIABLE}: unknown kind of counter {kind!r}")
    return kind, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
