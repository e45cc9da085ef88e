"""The CPU time of this process and of all that it has started.

What it cannot know: the CPU time of a process that lived between two readings and was never
waited for, by this process or by one that it started.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from trialwatt.platforms.processes import Stat, read_all, read_stat


class Tree:
    """The process that makes it, and its descendants; those too that have lost their parent."""

    def __init__(self) -> None:
        self._root = os.getpid()
        self._listed = Path(f"/proc/{self._root}/task/{self._root}/children").exists()
        self._known: dict[tuple[int, int], Stat] = {}
        self._gone_ns = 0

    def cpu_ns(self) -> int:
        """Since this process began. May fall a little between two readings, where a process ends
        during one of them."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        waited_ns = round((usage.ru_utime + usage.ru_stime) * 1e9)
        self._look()
        living_ns = sum(stat.cpu_ns for stat in self._known.values())
        return time.process_time_ns() + waited_ns + self._gone_ns + living_ns

    def living(self) -> list[str]:
        """`pid (name)` of the descendants that have not ended."""
        self._look()
        alive = (pid for (pid, _), stat in self._known.items() if stat.state not in "ZX")
        return [f"{pid} ({_name(pid)})" for pid in alive]

    def _look(self) -> None:
        before, found = self._known, dict[tuple[int, int], Stat]()
        listed = self._lister()
        wanted: list[tuple[int, int | None]] = [*before]
        wanted += [(pid, None) for pid in listed(self._root)]
        while wanted:
            pid, start = wanted.pop()
            stat = read_stat(pid)
            if stat is None or start not in (None, stat.start) or (pid, stat.start) in found:
                continue  # ended; another one with its number; a child that is known
            found[pid, stat.start] = stat
            wanted += [(child, None) for child in listed(pid)]
        ours = {self._root, *(pid for pid, _ in before)}
        for key, last in before.items():
            if key not in found and last.parent not in ours:  # nobody of ours has waited for it
                self._gone_ns += last.cpu_ns
        self._known = found

    def _lister(self) -> Callable[[int], list[int]]:
        """What gives the children of a process; a kernel without such lists is read as a whole."""
        if self._listed:
            return _children
        by_parent: dict[int, list[int]] = {}
        for stat in read_all().values():
            by_parent.setdefault(stat.parent, []).append(stat.pid)
        return lambda pid: by_parent.get(pid, [])


def _children(pid: int) -> list[int]:
    """By the list that each of its threads has; empty where it has ended."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_bytes().split())
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:  # it has ended meanwhile
        return "ended"
