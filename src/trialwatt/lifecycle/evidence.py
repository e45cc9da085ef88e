"""Whether a treatment is to blame where a run cannot go on: without evidence it is not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import LOST_PLACE, NO_PLACE, Ending

OUT_OF_MEMORY = re.compile(r"\b(MemoryError|OutOfMemoryError|bad_alloc)\b")
"""How a process that may have no more memory ends by itself, in its last words."""
FAULTS = ("error", "lost")
"""Reasons of a failed trial that may be its surroundings' as well as its treatment's."""


class RunFailed(TrialwattError):
    """The run failed for a reason that says nothing about its treatment."""


def is_of_the_place(ending: Ending) -> bool:
    """Whether a component never had its place, or it was taken from outside."""
    return ending.reason in NO_PLACE | LOST_PLACE


def is_of_the_treatment(ending: Ending, killed: bool) -> bool:
    """Whether a component ended for want of the memory that the treatment gave it.

    killed: whether a process of it was killed for memory just before.
    """
    last = ending.tail.rstrip().rpartition("\n")[2]
    return ending.reason == "memory" or killed or bool(OUT_OF_MEMORY.search(last))


def fault_of_all(ends: Iterable[Mapping[str, Any]]) -> str:
    """What to say of trials (their end events) that all failed for what may be a fault of their
    surroundings, with the detail of the first one; empty where one of them did not."""
    found = sorted(ends, key=lambda end: end["t"])
    if not found or any(end["outcome"] != "failed" or end["reason"] not in FAULTS for end in found):
        return ""
    first = found[0]
    return (
        f"no trial completed, and none failed for memory, time or its scores: all {len(found)} "
        f"ended with an error; the first one, {first['trial']}: {first['detail']}"
    )
