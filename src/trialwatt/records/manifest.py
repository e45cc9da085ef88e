"""run.json: what was run, on what, how it ended, and the checksum of every file of its folder."""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trialwatt.provenance.files import sha256

NAME = "run.json"
MOST_BYTES = 16 << 20
"""It lists every file of its folder."""
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


def headline_domains(manifest: dict) -> dict[str, list[dict]]:
    """Meter → the domains of it that are added up: those that the manifest names, else all that
    count of its one headline meter.
    """
    meters = manifest.get("meters") or {}
    headline = manifest.get("headline_meter") or ""
    named = manifest.get("headline_domains") or dict.fromkeys([headline] if headline else [])
    found = {}
    for meter, names in named.items():
        domains = (meters.get(meter) or {}).get("domains", [])
        if names is None:
            found[meter] = [d for d in domains if d.get("counts", True)]
        else:
            found[meter] = [d for d in domains if d.get("name") in names]
    return found


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below `folder` but the manifest, by its relative path, sorted."""
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }


def write_manifest(folder: Path, manifest: dict) -> None:
    """Write run.json with the checksums of all other files, atomically and to the disk."""
    text = json.dumps(manifest | {"files": checksums(folder)}, indent=1, sort_keys=True) + "\n"
    partial = folder / f".{NAME}.partial"
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / NAME)
