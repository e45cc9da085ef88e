"""The chain from a figure or table back to records and configuration, as data.

All paths in a chain are relative: `experiment.file` and `config` to the project's root, the rest
to the results folder. A chain read from a file may come from a stranger, so it is validated, and
a path that leaves its folder is refused.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from trialwatt.config.paths import RelativePath, placed
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.printable import shown
from trialwatt.records.manifest import MANIFEST, TRACED, headline_domains, read_manifest

Sha256 = str

_IN_MANIFESTS = {"configurations": True, "runs": {"__all__": {"records"}}}
"""What a file's chain leaves to the manifests, whose checksums it has."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Code(_Part):
    """Version, and commit where there was a git checkout."""

    version: str
    commit: str | None = None
    dirty: bool | None = None


class ExperimentLink(_Part):
    """The experiment's identifier and the file that describes it."""

    id: str
    file: RelativePath | None = None
    sha256: Sha256 | None = None


class RunLink(_Part):
    """One repetition: its folder and manifest, which names the record files with checksums and the
    configuration. `records` are there where the manifest was read, and in chains of format 1.
    """

    folder: RelativePath
    hash: str
    repetition: int
    status: str
    run_json_sha256: Sha256
    records: dict[RelativePath, Sha256] = {}


class EnergyNote(_Part):
    """How the energy came about; `methods` holds "modelled" wherever any of it is modelled."""

    methods: list[str]
    meters: list[str]


class CodeNote(_Part):
    """The code that made this file, and the versions that made the runs."""

    this: Code
    runs: list[Code]


class Chain(_Part):
    """Everything between a file and its records; `kind` is "figure/…", "table/…" or "run".

    What stands in the manifests of the runs is not repeated in a file's chain: `records` and
    `configurations` (by hash) are filled from them (`completed`). Format 1 had both.
    """

    generator: Literal["trialwatt"] = "trialwatt"
    format: Literal[1, 2] = 2
    kind: str
    experiment: ExperimentLink
    config: dict[RelativePath, Sha256]
    tables: dict[RelativePath, Sha256]
    runs: list[RunLink]
    configurations: dict[str, dict] = {}
    energy: EnergyNote
    hosts: list[dict]
    packages: list[dict]
    code: CodeNote

    def links(self) -> dict[str, Sha256]:
        """SHA-256 of each file that it names but the runs' records, by its name in an archive."""
        found = {f"results/{file}": checksum for file, checksum in self.tables.items()}
        found |= {f"results/{run.folder}/{MANIFEST}": run.run_json_sha256 for run in self.runs}
        found |= self.config
        if self.experiment.file and self.experiment.sha256:
            found[self.experiment.file] = self.experiment.sha256
        return found


def chain(
    *,
    kind: str,
    experiment: Mapping,
    folders: Iterable[str],
    tables: Iterable[Path],
    results: Path,
    root: Path,
    config_files: Iterable[Path] = (),
    energy_methods: Iterable[str] = (),
    code: Mapping | None = None,
) -> dict:
    """Describe where a figure or table comes from; reads the manifests of its runs.

    experiment: `id`, and `file` (a path) with, if known, its `sha256`.
    folders: repetition folders relative to `results` (runs/<testbed>/…/rep<n>).
    tables: the metrics tables that were read. config_files: settings, workload, space, testbed.
    energy_methods: those of the metrics tables; without them, those of the runs' meters.
    code: of the program that makes the figure (see provenance.chain.code_version).

    The same disk gives the same dict. Raises TrialwattError where a run's manifest or a file
    that is named here is missing.
    """
    runs = chain_of_runs(_manifest(results, folder) for folder in sorted(set(folders)))
    if methods := sorted(set(energy_methods)):
        runs["energy"]["methods"] = methods
    link = {"id": experiment["id"]}
    if experiment.get("file"):
        file = Path(experiment["file"])
        file = file if file.is_absolute() else root / file
        link["file"] = placed(file, root)
        link["sha256"] = experiment.get("sha256") or _checksum(file)
    described = {
        "kind": kind,
        "experiment": link,
        "config": {placed(root / f, root): _checksum(root / f) for f in config_files},
        "tables": {placed(Path(t), results): _checksum(Path(t)) for t in tables},
        **runs,
        "code": {"this": dict(code or {"version": "unknown"}), **runs["code"]},
    }
    return validated(described, where=kind).model_dump(mode="json", exclude=_IN_MANIFESTS)


def completed(known: Chain, manifests: Iterable[tuple[str, str, dict]], where: str) -> Chain:
    """With what these manifests (as for chain_of_runs) say of the records and configurations.

    Raises TrialwattError naming `where` and what of a manifest cannot be.
    """
    read = chain_of_runs(manifests)
    by_folder = {run["folder"]: {"records": run["records"] or {}} for run in read["runs"]}
    whole = known.model_dump(mode="json")
    whole["runs"] = [run | by_folder.get(run["folder"], {}) for run in whole["runs"]]
    whole["configurations"] |= read["configurations"]
    return validated(whole, where)


def chain_of_runs(manifests: Iterable[tuple[str, str, dict]]) -> dict:
    """The part of a chain that its runs' manifests tell.

    manifests: of each run its folder as the chain names it, the manifest's SHA-256, the manifest.
    """
    manifests = list(manifests)
    meters = {m.get("headline_meter") or "" for _, _, m in manifests} - {""}
    methods = {method for _, _, manifest in manifests for method in _methods(manifest)}
    return {
        "runs": [
            {
                "folder": folder,
                "hash": manifest["hash"],
                "repetition": manifest["repetition"],
                "status": manifest["status"],
                "run_json_sha256": checksum,
                "records": manifest["files"],
            }
            for folder, checksum, manifest in manifests
        ],
        "configurations": {m["hash"]: without_places(m["config"]) for _, _, m in manifests},
        "energy": {"methods": sorted(methods), "meters": sorted(meters)},
        "hosts": _distinct(m.get("host") or {} for _, _, m in manifests),
        "packages": _distinct(m.get("packages") or {} for _, _, m in manifests),
        "code": {"runs": _distinct(m["code"] for _, _, m in manifests if m.get("code"))},
    }


def validated(value: object, where: str) -> Chain:
    """`value` as a Chain. Raises TrialwattError naming `where` and what is wrong with it."""
    try:
        return Chain.model_validate(value)
    except ValidationError as error:
        raise TrialwattError(
            f"{shown(where, 500)}: its provenance cannot be used: {first_fault(error)}"
        ) from error


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong in a stranger's data, as key and reason on one line."""
    first = error.errors(include_url=False)[0]
    return shown(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", 300)


def without_places(config: dict) -> dict:
    """A run's configuration without paths of this machine: of a series of carbon intensities
    outside the project, which only the metrics read, there is the file's name."""
    series = (config.get("testbed") or {}).get("carbon_series")
    if not series or not (series.startswith("/") or ".." in PurePosixPath(series).parts):
        return config
    return config | {"testbed": config["testbed"] | {"carbon_series": PurePosixPath(series).name}}


def _manifest(results: Path, folder: str) -> tuple[str, str, dict]:
    manifest = read_manifest(file := results / folder / MANIFEST, TRACED)
    return folder, sha256(file), manifest


def _methods(manifest: dict) -> set[str]:
    used = [domain for own in headline_domains(manifest).values() for domain in own]
    return {domain["method"] for domain in used if "method" in domain}


def _checksum(file: Path) -> str:
    try:
        return sha256(file)
    except FileNotFoundError as error:
        raise TrialwattError(f"{file}: missing, so that what uses it cannot be traced") from error


def _distinct(values: Iterable[dict]) -> list[dict]:
    by_text = {json.dumps(value, sort_keys=True): value for value in values}
    return [by_text[text] for text in sorted(by_text)]


def code_version(root: Path) -> dict:
    """`{version, commit, dirty}` of the checkout at `root`.

    `dirty` says that the checkout holds changes that are in no commit. Where `root` is not the
    top of a git checkout (an unpacked archive, an installed package), or git is not installed,
    `commit` and `dirty` are None.
    """
    commit = dirty = None
    top = _git(root, "rev-parse", "--show-toplevel")
    # A checkout around us (an archive unpacked in someone's repository) says nothing about us.
    if top is not None and Path(top).resolve() == Path(root).resolve():
        commit = _git(root, "rev-parse", "HEAD")
        status = _git(root, "status", "--porcelain") if commit else None
        dirty = None if status is None else bool(status)
    return {"version": metadata.version("trialwatt"), "commit": commit, "dirty": dirty}


def _git(root: Path, *arguments: str) -> str | None:
    """Output of a git command, None where git cannot answer."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
