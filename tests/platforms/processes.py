"""Roles to start and what became of them; what this machine offers to limit them."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

from trialwatt.platforms.base import Ending, Role
from trialwatt.platforms.cgroups.base import EnforcementError, Host
from trialwatt.platforms.cgroups.chooser import KINDS, probe
from trialwatt.platforms.local import LocalPlatform


@cache
def offered() -> dict[str, str]:
    """Kind of enforcement → why this machine does not offer it; empty where it does."""
    found = {}
    with tempfile.TemporaryDirectory() as runtime:
        for kind in KINDS:
            try:
                probe(kind, Path(runtime), Host())
            except EnforcementError as error:
                found[kind] = str(error)
            else:
                found[kind] = ""
    return found


def python(source: str, **keys) -> Role:
    """A worker that runs `source`, with json, os, sys and time at hand."""
    command = (sys.executable, "-c", "import json, os, sys, time\n" + source)
    return Role(
        **{"name": "worker", "kind": "worker", "cpu": 1, "memory_mb": 128} | keys, command=command
    )


def shell(source: str, **keys) -> Role:
    defaults = {"name": "worker", "kind": "worker", "cpu": 0.5, "memory_mb": 64}
    return Role(**defaults | keys, command=("sh", "-c", source))


def body(platform: LocalPlatform, timeout_s: float = 120) -> dict:
    message = platform.inbox.get(timeout=timeout_s)
    assert message.ending is None, message
    return message.body


def ending(platform: LocalPlatform, component: str, timeout_s: float = 120) -> Ending:
    message = platform.inbox.get(timeout=timeout_s)
    assert message.ending is not None, message
    assert message.component == component
    return message.ending


def is_dead(pid: int) -> bool:
    """Gone, or a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until(condition, timeout_s: float = 60) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def group_folders(run_id: str) -> list[Path]:
    """Folders of a run in any hierarchy of control groups."""
    mounts = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    roots = [left.split()[4] for left, right in mounts if right.startswith("cgroup")]
    return [
        Path(folder, name)
        for root in roots
        for folder, names, _ in os.walk(root)
        for name in names
        if run_id in name
    ]
