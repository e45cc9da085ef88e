"""What is installed where a process runs: versions, this package's code, Python, the processor.

It is said by the components that do the work, which are measured: so nothing is imported for it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

INSTALLED = "installed"
"""Kind of the event by which a component that does not speak says it."""
_ROOT = Path(__file__).resolve().parents[1]
_DIGITS = 12


def here(names: Iterable[str]) -> dict[str, Any]:
    """packages: versions by PyPI name, of those of `names` that are installed; code_sha256; python;
    cpu_model."""
    return {
        "packages": versions(names),
        "code_sha256": code_sha256(),
        "python": platform.python_version(),
        "cpu_model": cpu_model(),
    }


def versions(names: Iterable[str]) -> dict[str, str]:
    """Installed versions by PyPI name, sorted; a package that is not installed is left out."""
    found = {}
    for name in sorted(set(names)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@functools.cache
def code_sha256(root: Path = _ROOT) -> str:
    """SHA-256 over the Python sources of this package as they are installed: of each, in the order
    of their paths, the path, its length in bytes, and its content."""
    digest = hashlib.sha256()
    for name, file in sorted((each.relative_to(root).as_posix(), each) for each in _sources(root)):
        content = file.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names if name.endswith(".py"))


def cpu_model() -> str:
    """The processor's name, as far as this machine tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def differences(own: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What `other` has of this package's code and of the packages of `own` in another version, or
    not at all; each is as `here` gives it, and empty where nothing is known of it.

    Versions are public ones: 2.6.0+cpu is another build of 2.6.0.
    """
    ours, theirs = (each.get("packages") or {} for each in (own, other))
    found = [
        f"{name} {theirs.get(name, 'is missing')} (not {known})"
        for name, known in ours.items()
        if _public(theirs.get(name, "")) != _public(known)
    ]
    codes = [str(each.get("code_sha256") or "unknown")[:_DIGITS] for each in (other, own)]
    if codes[0] != codes[1]:
        found.append(f"the code of trialwatt, SHA-256 {codes[0]} (not {codes[1]})")
    return found


def _public(known: str) -> str:
    return known.partition("+")[0]
