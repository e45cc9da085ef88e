"""Coordinators, as they mark what they have on a cluster: which each is, and whether it lives."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from trialwatt.platforms.kubernetes.manifests import HEARTBEAT, OWNER_FACTS
from trialwatt.platforms.processes import WORKFLOW_PID, read_stat

SILENCE_S = 600
"""A coordinator of another machine that has been silent for so long counts as dead."""


def own_facts() -> dict:
    """This process, so that another one of this machine can tell whether it lives."""
    return _facts(os.getpid())


def coordinator() -> dict:
    """The same of the workflow that this process is of; without one, of this process."""
    return _facts(int(os.environ.get(WORKFLOW_PID) or os.getpid()))


def owner_label(owner: Mapping) -> str:
    """A short hash of an owner, as the value of a label."""
    return hashlib.sha256(json.dumps(dict(owner), sort_keys=True).encode()).hexdigest()[:16]


def is_dead(annotations: Mapping[str, str], all_hosts: bool, now_s: float) -> bool:
    """Whether the coordinator that these annotations name is dead, as far as that can be known.

    now_s: by the API server's clock (Api.utc). all_hosts: one of another machine, too, that has
    been silent for SILENCE_S.
    """
    marked = _read(annotations)
    if marked is None:
        return False
    who, beat_s = marked
    if is_here(who):
        return not lives(who)
    return all_hosts and now_s - beat_s > SILENCE_S


def lives_elsewhere(annotations: Mapping[str, str], now_s: float) -> bool:
    """Whether they name a living coordinator that this machine's measuring lock does not hold."""
    marked = _read(annotations)
    return marked is not None and not is_here(marked[0]) and now_s - marked[1] <= SILENCE_S


def _read(annotations: Mapping[str, str]) -> tuple[dict, float] | None:
    """Who it is, and its last sign of life; None where somebody else has written them."""
    try:
        who = json.loads(annotations.get(OWNER_FACTS, "{}"))
        beat_s = float(annotations.get(HEARTBEAT, "0"))
    except ValueError:
        return None
    return (who, beat_s) if isinstance(who, dict) and who else None


def is_here(owner: Mapping) -> bool:
    """Whether it is, or was, a process that this machine can judge.

    Another container of this machine has processes of its own, which are not seen from here.
    """
    here = _place()
    rebooted = owner.get("boot") != here["boot"]
    return owner.get("host") == here["host"] and (
        rebooted or owner.get("processes") == here["processes"]
    )


def lives(owner: Mapping) -> bool:
    """Whether an owner of this machine lives: the same boot, process number and start time."""
    here = _place()
    if any(owner.get(key) != here[key] for key in here):
        return False
    stat = read_stat(int(owner.get("pid", 0)))
    return stat is not None and stat.start == owner.get("start") and stat.state != "Z"


def _facts(pid: int) -> dict:
    stat = read_stat(pid)
    return _place() | {"pid": pid, "start": stat.start if stat else 0}


def _place() -> dict:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {
        "host": socket.gethostname(),
        "boot": boot,
        "processes": str(Path("/proc/self/ns/pid").readlink()),
    }
