"""What is installed: Python and the packages against the lock, and what the SUTs lack."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trialwatt import suts
from trialwatt.finding import Finding, note, ok, problem
from trialwatt.suts.base import Sut

LOCK = "envs/requirements.lock"
_PYTHON = re.compile(r"Python (\d+\.\d+)")
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
_NAMED = 8
"""So many packages are named."""


def software(project: Path, planned: Iterable[str]) -> Iterator[Finding]:
    """project: where the lock is. planned: names of the SUTs that are to run."""
    yield from _packages(project / LOCK)
    for name in dict.fromkeys([*planned, *suts.names()]):
        yield _sut(name, name in planned)


def _packages(lock: Path) -> Iterator[Finding]:
    try:
        text = lock.read_text(encoding="utf-8")
    except OSError as error:
        why = f"{lock} cannot be read ({error.strerror})"
        yield note("packages", why, "call it in the folder of the project")
        return
    found, wanted = platform.python_version(), _PYTHON.search(text)
    if wanted and not found.startswith(f"{wanted[1]}."):
        todo = f"make PYTHON=/path/to/python{wanted[1]} run"
        yield problem("Python", f"{found}, and {LOCK} is for {wanted[1]}", todo)
    else:
        yield ok("Python", found)
    pinned = dict(_PINNED.findall(text))
    other = [said for name, pin in pinned.items() if (said := _differs(name, pin))]
    if other:
        more = f" and {len(other) - _NAMED} more" if len(other) > _NAMED else ""
        said = f"not as {LOCK} has them: {', '.join(other[:_NAMED])}{more}"
        todo = "rm .venv/ready and `make run` install what is pinned; each run records what it used"
        yield note("packages", said, todo)
    else:
        yield ok("packages", f"all {len(pinned)} as {LOCK} has them")


def _differs(name: str, pin: str) -> str:
    """How the installed package differs from the pinned one; empty if it does not."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return f"{name} is missing"
    # A local label (+cpu) tells builds of one version apart.
    return "" if found.partition("+")[0] == pin.partition("+")[0] else f"{name} {found} (not {pin})"


def _sut(name: str, is_planned: bool) -> Finding:
    subject = f"SUT {name}"
    try:
        kind: type[Sut] = suts.get(name)
    except (ImportError, AttributeError) as error:
        lacking = f"cannot be loaded: {error}"
    else:
        lacking = kind.available()
    if not lacking:
        return ok(subject, "can run here")
    if is_planned:
        return problem(subject, lacking, f"do so, or take {name} out of suts")
    return note(subject, lacking, "only needed where this SUT is to run")
