"""run.json: what was run, on what, how it ended, and the checksum of every file of its folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trialwatt.files import sha256, write_whole
from trialwatt.meters.methods import method_of
from trialwatt.provenance.company import is_company

NAME = "run.json"
SNAKEMAKES = ".snakemake_timestamp"
"""Snakemake puts it into every folder that a rule makes."""
MOST_BYTES = 16 << 20
"""It lists every file of its folder."""
_CONTROL_BEFORE_FLAGS = "plain"
"""The one control of records that do not say of a run whether its SUT is one."""


def versions(names: Iterable[str]) -> dict[str, str]:
    """Installed versions by PyPI name, sorted; a package that is not installed is left out."""
    found = {}
    for name in sorted(set(names)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def is_control(flag: bool | None, sut: str) -> bool:
    """Whether others are compared with this SUT: as its run recorded (`control` in run.json); None
    where it is not on record."""
    return sut == _CONTROL_BEFORE_FLAGS if flag is None else flag


def headline_domains(manifest: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Meter → the domains of it that are added up: those that the manifest names, else all that
    count of its one headline meter. The method of each is that of its kind of meter, where that
    is known: a manifest that says otherwise is not believed.
    """
    config = manifest.get("config")
    testbed = config.get("testbed") if isinstance(config, Mapping) else None
    meters = manifest.get("meters") or {}
    headline = manifest.get("headline_meter") or ""
    named = manifest.get("headline_domains") or dict.fromkeys([headline] if headline else [])
    found = {}
    for meter, names in named.items():
        domains = (meters.get(meter) or {}).get("domains", [])
        found[meter] = [
            domain | _method(meter, domain, testbed)
            for domain in domains
            if (domain.get("counts", True) if names is None else domain.get("name") in names)
        ]
    return found


def files_of(folder: Path) -> list[str]:
    """The files of a run's folder but its manifest, relative and sorted; hidden ones too, but no
    harmless company (provenance.company), and not what Snakemake leaves there."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name not in (NAME, SNAKEMAKES) and not is_company(name))


def _method(meter: str, domain: Mapping[str, Any], testbed: object) -> dict[str, Any]:
    known = method_of(meter, domain, testbed if isinstance(testbed, Mapping) else {})
    return {"method": known} if known else {}


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each of `files_of` by its relative path, sorted."""
    return {name: sha256(folder / name) for name in files_of(folder)}


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write run.json with the checksums of all other files, atomically and to the disk."""
    text = json.dumps(manifest | {"files": checksums(folder)}, indent=1, sort_keys=True) + "\n"
    write_whole(folder / NAME, text, synced=True)
