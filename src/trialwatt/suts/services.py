"""What the services of a SUT need of a machine: free ports, a folder beside that of the run, and to
learn when the coordinator is gone."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.private import is_owned

FIRST, LAST = 20000, 32000
"""Below the ports that the kernel gives to outgoing connections."""


def free_blocks(count: int, size: int) -> list[int]:
    """First ports of `count` disjoint blocks of `size` consecutive ports, all free at this moment.

    The search starts anywhere, so that two runs that choose at the same time rarely meet.
    Raises TrialwattError where there are not so many.
    """
    found: list[int] = []
    slots = list(range(FIRST, LAST - size + 2, size))
    start = random.SystemRandom().randrange(len(slots) + 1)
    for first in slots[start:] + slots[:start]:
        if len(found) == count:
            break
        if all(_is_free(port) for port in range(first, first + size)):
            found.append(first)
    if len(found) < count:
        raise TrialwattError(
            f"ports {FIRST} to {LAST}: of the {count} blocks of {size} free ports that this SUT "
            f"needs there are only {len(found)}: end what listens there, or lower workers.count"
        )
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def scratch(sut: str, run_id: str) -> Path:
    """A folder of this run and SUT, the same for all its processes on a machine; not made here.

    Its path is short, and in a place that every user can enter: a socket's path has 107 bytes at
    most, of which Ray needs 64, and PostgreSQL may have to run as another user.
    """
    return _base() / f"tw-{sut}-{_short(run_id)}"


def scratch_left(living: Iterable[str]) -> list[Path]:
    """This user's scratch folders that are of none of the runs `living`, by their ids."""
    ours = {_short(run_id) for run_id in living}
    folders = [path for path in sorted(_base().glob("tw-*-*")) if is_owned(path.lstat())]
    return [path for path in folders if path.name.rpartition("-")[2] not in ours]


def _base() -> Path:
    base = Path("/tmp")
    return base if os.access(base, os.W_OK) else Path(tempfile.gettempdir())


def _short(run_id: str) -> str:
    return hashlib.sha256(run_id.encode()).hexdigest()[:10]


def when_stdin_closes(do: Callable[[], object]) -> None:
    """Have this called, in a thread, once the coordinator is gone."""

    def wait() -> None:
        # Not sys.stdin: a thread that is in it would hold its lock when the interpreter ends.
        while os.read(0, 4096):
            pass
        do()

    threading.Thread(target=wait, daemon=True).start()
