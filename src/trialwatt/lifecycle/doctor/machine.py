"""What a measuring run needs of this machine: meters, quiet, clocks, room, ports, descriptors."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from trialwatt.config.checks import SPARE_BYTES
from trialwatt.config.models import Testbed
from trialwatt.config.tables import PowerModel
from trialwatt.errors import TrialwattError
from trialwatt.filelock import NoFileLocks, flocked
from trialwatt.finding import Finding, note, ok, problem
from trialwatt.lifecycle.quiet import foreign_now
from trialwatt.meters.choose import meters_table
from trialwatt.meters.machine import MOST_FOREIGN
from trialwatt.suts.services import FIRST, LAST, free_blocks

BLOCKS, BLOCK = 9, 32
"""Of ports that must be free: more than a head and eight workers of a framework take."""
DESCRIPTORS = 1024
STEP_S = 0.01
"""The clock of the day was set where it moves so much otherwise than the monotonic one."""
_UNSYNCHRONISED = 5  # TIME_ERROR of ntp_gettime(3)


def machine(testbed: Testbed, power: PowerModel, results: Path) -> Iterator[Finding]:
    """Of a testbed whose runs happen here."""
    yield from _meters(testbed, power)
    yield from _quiet_and_clocks(testbed)
    yield from room(results)
    yield _ports()
    yield _descriptors()


def _meters(testbed: Testbed, power: PowerModel) -> Iterator[Finding]:
    rows = meters_table(testbed, power)
    for row in rows:
        subject = f"meter {row.meter}"
        if row.use in ("headline", "recorded"):
            yield ok(subject, ", ".join(filter(None, (row.use, row.reason))))
        elif row.meter in testbed.meters:
            yield note(subject, row.reason, "`trialwatt meters` has the others")
        else:
            yield ok(subject, f"not named by the testbed{f'; {row.reason}' if row.reason else ''}")
    if not any(row.use == "headline" for row in rows):
        todo = "name one that works in the testbed's meters (`trialwatt meters`)"
        yield problem("energy", "no meter that the testbed names works here", todo)


def _quiet_and_clocks(testbed: Testbed) -> Iterator[Finding]:
    utc, mono = time.time(), time.monotonic()
    found = foreign_now()
    stepped_s = (time.time() - utc) - (time.monotonic() - mono)
    if found.share <= MOST_FOREIGN:
        yield ok("foreign CPU time", f"{found.share:.0%} now")
    elif testbed.allow_busy_machine:
        yield note("foreign CPU time", str(found), "runs are flagged: end these processes")
    else:
        todo = "end these processes: a run waits for a quiet machine, then refuses to start"
        yield problem("foreign CPU time", str(found), todo)
    if abs(stepped_s) > STEP_S:
        said = f"the clock of the day was set by {stepped_s * 1000:+.0f} ms while it was looked at"
        yield note("clock", said, "wait until the time service has settled")
    else:
        yield ok("clock", "runs evenly with the monotonic one, by which everything is timed")
    if is_synchronised():
        yield ok("NTP", "the kernel's clock is synchronised")
    else:
        said = "the kernel's clock is not synchronised, as far as can be told from here"
        todo = "start a time service (chrony, systemd-timesyncd), above all beside other machines"
        yield note("NTP", said, todo)


def is_synchronised() -> bool:
    """Whether a time service keeps the kernel's clock: ntp_gettime(3)."""
    asked = ctypes.create_string_buffer(256)  # a struct ntptimeval, which is smaller
    try:
        return ctypes.CDLL(None).ntp_gettime(asked) not in (-1, _UNSYNCHRONISED)
    except (OSError, AttributeError):  # no such function in this C library
        return False


def room(results: Path) -> Iterator[Finding]:
    """Whether the results folder can be written to and locked, and has room."""
    folder = next(each for each in (results, *results.absolute().parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    said = f"{free // 2**20} MB free in {folder}"
    if free < SPARE_BYTES:
        yield problem("disk", said, f"make room: a run needs {SPARE_BYTES // 2**20} MB")
    else:
        yield ok("disk", said)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            flocked(file.fileno(), folder)
    except NoFileLocks as error:
        todo = "on one machine this will do; from several, never start two workflows in it"
        yield note("locks", str(error), todo)
    except OSError as error:
        said = f"{folder} cannot be written to ({error.strerror})"
        yield problem("results", said, "have its owner let you, or name another results folder")
    else:
        yield ok("locks", f"{folder} can be written to, and keeps locks")


def _ports() -> Finding:
    try:
        free_blocks(BLOCKS, BLOCK)
    except TrialwattError as error:
        return problem("ports", str(error), "`ss -ltnp` says what listens")
    return ok("ports", f"enough are free from {FIRST} to {LAST}")


def _descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        said = f"a process may have {soft} open files, and has {used}"
        return problem("open files", said, f"`ulimit -n {max(DESCRIPTORS, min(hard, 65536))}`")
    return ok("open files", "a process may have enough of them")
