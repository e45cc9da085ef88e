"""Where one run comes from, as the page shows it: what `trialwatt trace` walks along."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.provenance.chain import validated, without_places
from trialwatt.provenance.embed import read_sidecar
from trialwatt.records.manifest import MANIFEST, TRACED, read_manifest

SHARED = ("config", "testbed", "host", "packages", "code", "data")
"""What many runs have in common: kept once, and named by its number."""


class Pool:
    """Equal values, each kept once."""

    def __init__(self) -> None:
        self.values: list = []
        self._known: dict[str, int] = {}

    def number(self, value: object) -> int:
        text = json.dumps(value, sort_keys=True)
        if text not in self._known:
            self._known[text] = len(self.values)
            self.values.append(value)
        return self._known[text]


def origin(results: Path, folder: str, pools: Mapping[str, Pool]) -> dict:
    """The chain of a run's folder from its manifest, and the manifest's own checksum.

    What is SHARED is a number in its pool, and so is the `testbed` of a configuration.
    Raises TrialwattError where the manifest is missing or damaged.
    """
    file = results / folder / MANIFEST
    manifest = read_manifest(file, TRACED)
    config = without_places(manifest["config"])
    if not isinstance(manifest["files"], dict):
        raise TrialwattError(f"{file}: not a run's manifest: it lists no files")
    config = config | {"testbed": pools["testbed"].number(config.get("testbed"))}
    return {
        "config": pools["config"].number(config),
        "manifest": sha256(file),
        "records": dict(sorted(manifest["files"].items())),
        "host": pools["host"].number(manifest.get("host") or {}),
        "packages": pools["packages"].number(manifest.get("packages") or {}),
        "code": pools["code"].number(manifest.get("code") or {}),
        "data": pools["data"].number(manifest.get("dataset") or {}),
        "started": _moment(manifest.get("started_utc_ns")),
        "ended": _moment(manifest.get("ended_utc_ns")),
    }


def configuration(sidecar: Path) -> dict[str, str]:
    """The configuration files that a table's sidecar names: path → SHA-256; none without it."""
    read = read_sidecar(sidecar) if sidecar.is_file() else None
    if read is None:
        return {}
    known = validated(read[0], where=str(sidecar))
    files = dict(known.config)
    if known.experiment.file:
        files[known.experiment.file] = known.experiment.sha256
    return dict(sorted(files.items()))


def _moment(utc_ns: object) -> str:
    """Of nanoseconds since 1970, to the second; empty where it is not known."""
    if not isinstance(utc_ns, int):
        return ""
    moment = datetime.datetime.fromtimestamp(utc_ns // 1_000_000_000, datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
