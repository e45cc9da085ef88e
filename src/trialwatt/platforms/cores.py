"""The cores that components may run on: those that the user has left to this process.

A library that obeys OMP_PROC_BIND binds the thread that uses it first to a single core, and what
that thread starts afterwards inherits it. So what counts is what this process had before any
library could do that, and what its other threads still have.
"""

from __future__ import annotations

import os
from pathlib import Path

_AT_FIRST = frozenset(os.sched_getaffinity(0))


def cores() -> frozenset[int]:
    """Numbers of the cores; those of `taskset`, a batch system or a container, where one of them
    has narrowed it."""
    threads = (int(task.name) for task in Path("/proc/self/task").iterdir())
    return _AT_FIRST.union(*map(_of_thread, threads))


def _of_thread(number: int) -> set[int]:
    try:
        return os.sched_getaffinity(number)
    except ProcessLookupError:  # it has just ended
        return set()
