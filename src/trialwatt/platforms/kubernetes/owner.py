"""Which coordinator a namespace belongs to, and whether that one still lives."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path

from trialwatt.platforms.groups.processes import read_stat


def facts() -> dict:
    """This process, so that another one of this machine can tell whether it lives."""
    stat = read_stat(os.getpid())
    return _place() | {"pid": os.getpid(), "start": stat.start if stat else 0}


def label(owner: dict) -> str:
    """A short hash of an owner, as the value of a label."""
    return hashlib.sha256(json.dumps(owner, sort_keys=True).encode()).hexdigest()[:16]


def is_here(owner: dict) -> bool:
    """Whether it is, or was, a process that this machine can judge.

    Another container of this machine has processes of its own, which are not seen from here.
    """
    here = _place()
    rebooted = owner.get("boot") != here["boot"]
    return owner.get("host") == here["host"] and (
        rebooted or owner.get("processes") == here["processes"]
    )


def lives(owner: dict) -> bool:
    """Whether an owner of this machine lives: the same boot, process number and start time."""
    here = _place()
    if any(owner.get(key) != here[key] for key in here):
        return False
    stat = read_stat(int(owner.get("pid", 0)))
    return stat is not None and stat.start == owner.get("start") and stat.state != "Z"


def _place() -> dict:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {
        "host": socket.gethostname(),
        "boot": boot,
        "processes": str(Path("/proc/self/ns/pid").readlink()),
    }
