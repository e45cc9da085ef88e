"""The two clocks of every record: UTC for people and other machines, monotonic for durations."""

from __future__ import annotations

import time
from typing import NamedTuple


class Stamp(NamedTuple):
    """One moment on both clocks, in nanoseconds."""

    utc_ns: int
    mono_ns: int


def now() -> Stamp:
    """This moment. CLOCK_MONOTONIC is one clock for all processes of a machine."""
    return Stamp(time.time_ns(), time.monotonic_ns())
