"""run.json: what was run, on what, how it ended, and the checksum of every file of its folder."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NAME = "run.json"
PACKAGES = (
    "trialwatt",
    "torch",
    "numpy",
    "optuna",
    "hyperopt",
    "pyspark",
    "ray",
    "safetensors",
    "pydantic",
    "pyRAPL",
    "nvidia-ml-py",
    "psutil",
    "snakemake",
)
"""Packages whose version can change what a run does or measures."""


def packages() -> dict[str, str]:
    """Installed versions; a package that is not installed is left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below `folder` but the manifest, by its relative path, sorted."""
    return {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: dict) -> None:
    """Write run.json with the checksums of all other files, atomically and to the disk."""
    text = json.dumps(manifest | {"files": checksums(folder)}, indent=1, sort_keys=True) + "\n"
    partial = folder / f".{NAME}.partial"
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / NAME)
