"""The two clocks of every record: UTC for people and other machines, monotonic for durations."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

AHEAD = "TRIALWATT_CLOCK_AHEAD_NS"
"""Environment variable: how far a monotonic clock that all machines of the run have been measured
against is ahead of the one of here."""


class Stamp(NamedTuple):
    """One moment on both clocks, in nanoseconds."""

    utc_ns: int
    mono_ns: int


def now() -> Stamp:
    """This moment. CLOCK_MONOTONIC is one clock for all processes of a machine."""
    return Stamp(time.time_ns(), time.monotonic_ns())


class Sent(NamedTuple):
    """A moment, told to a process that may be on another machine."""

    stamp: Stamp
    clock: str  # which one it stands on
    common_ns: int | None  # on the clock of AHEAD, where there is one

    def here(self) -> Stamp:
        """The moment on the clocks of this machine.

        Monotonic clocks of two machines have nothing in common. Where nobody has measured how far
        they are apart, UTC tells how long ago it was, and is as wrong as their UTC differs.
        """
        if self.clock == _clock():
            return self.stamp
        utc_ns, mono_ns = now()
        if self.common_ns is not None and AHEAD in os.environ:
            ago_ns = mono_ns + int(os.environ[AHEAD]) - self.common_ns
        else:
            ago_ns = utc_ns - self.stamp.utc_ns
        return Stamp(utc_ns - ago_ns, mono_ns - ago_ns)


def sent() -> Sent:
    """This moment, to be told to another process."""
    stamp, ahead = now(), os.environ.get(AHEAD)
    return Sent(stamp, _clock(), stamp.mono_ns + int(ahead) if ahead else None)


def boot_id() -> str:
    """Of the machine that this process is on: another one after each of its starts."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@cache
def _clock() -> str:
    """Which CLOCK_MONOTONIC this is: each boot has its own, and each time namespace."""
    boot = boot_id()
    with suppress(OSError):  # a kernel without such namespaces
        return f"{boot} {Path('/proc/self/ns/time').readlink()}"
    return boot
