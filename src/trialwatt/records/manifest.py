"""run.json: what was run, on what, how it ended, and the checksum of every file of its folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from trialwatt.errors import TrialwattError
from trialwatt.files import sha256, write_whole
from trialwatt.meters import method_of
from trialwatt.printable import shown
from trialwatt.provenance.bounds import is_company
from trialwatt.provenance.foreign import Missing, read_json
from trialwatt.records.later import as_it_holds

MANIFEST = "run.json"
SNAKEMAKES = ".snakemake_timestamp"
"""Snakemake puts it into every folder that a rule makes."""
MOST_BYTES = 16 << 20
"""It lists every file of its folder."""
_CONTROL_BEFORE_FLAGS = "plain"
"""The one control of records that do not say of a run whether its SUT is one."""

MOST_NS = 2**61
"""Of a time or an offset: 73 years, and the sum of two is still one of 64 bits."""


MEASURED = ("run_id", "hash", "repetition", "config", "host")
"""What the metrics need of a manifest, with the size of the host."""
TRACED = ("hash", "repetition", "status", "config", "files")
"""What a chain needs of it."""


def read_manifest(file: Path, needs: Iterable[str] = MEASURED) -> dict[str, Any]:
    """A run's run.json, as it holds now (records.later). needs: keys that must be there.

    Raises TrialwattError where it is missing, damaged, incomplete, no manifest of format 1, or
    where a value is of another type than such a manifest's.
    """
    where, needs = shown(file, 500), tuple(needs)
    try:
        manifest = read_json(file, MOST_BYTES)
    except Missing as error:
        raise TrialwattError(f"{where}: missing; the records of this run are gone") from error
    if not isinstance(manifest, dict) or manifest.get("format") != 1:
        raise TrialwattError(f"{where}: not a run's manifest of format 1, the only one known here")
    lacking = [key for key in needs if key not in manifest]
    if not lacking:
        check_shape(manifest, where)
        host = manifest.get("host") or {}
        size = ("cores", "memory_mb") if "host" in needs else ()
        lacking = [f"host.{key}" for key in size if not host.get(key)]
    if lacking:
        raise TrialwattError(f"{where}: lacks {', '.join(lacking)}")
    return as_it_holds(manifest)


def repetition_folder(manifest: Mapping[str, Any]) -> str:
    """The run's folder below that of the results, as it says itself; older manifests name the
    repetition with the folder."""
    folder, last = manifest.get("folder") or "", f"rep{manifest['repetition']}"
    return folder if folder.rsplit("/", 1)[-1] == last else f"{folder}/{last}".lstrip("/")


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
    harmless company (provenance.bounds), and not what Snakemake leaves there."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(
        name for name in names if name not in (MANIFEST, SNAKEMAKES) and not is_company(name)
    )


def _method(meter: str, domain: Mapping[str, Any], testbed: object) -> dict[str, Any]:
    known = method_of(meter, domain, testbed if isinstance(testbed, Mapping) else {})
    return {"method": known} if known else {}


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each of `files_of` by its relative path, sorted."""
    return {name: sha256(folder / name) for name in files_of(folder)}


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write run.json with the checksums of all other files, atomically and to the disk."""
    text = json.dumps(manifest | {"files": checksums(folder)}, indent=1, sort_keys=True) + "\n"
    write_whole(folder / MANIFEST, text, synced=True)


def rewrite_manifest(folder: Path, added: Mapping[str, Any], files: Mapping[str, str]) -> None:
    """Put what came later into the run.json of a finished run, atomically and to the disk.

    added: keys and their values, None: the key goes; files: checksums that are listed besides. All
    else stays, and so do the checksums of what the run wrote. Snakemake is told that the folder is
    another one, so that what is made of it is made again.
    """
    manifest = read_json(folder / MANIFEST, MOST_BYTES)
    assert isinstance(manifest, dict), "it was read before"
    gone = {key for key, value in added.items() if value is None}
    manifest = {k: value for k, value in {**manifest, **added}.items() if k not in gone}
    manifest["files"] = {**(manifest.get("files") or {}), **files}
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    write_whole(folder / MANIFEST, text, synced=True)
    if (stamp := folder / SNAKEMAKES).exists():
        stamp.touch()


Finite = Annotated[float, Field(allow_inf_nan=False)]


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


Size = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]


Offset = Annotated[int, Field(ge=-MOST_NS, le=MOST_NS)]


Moment = Annotated[int, Field(ge=0, le=2 * MOST_NS)]


Period = Annotated[float, Field(gt=0, le=1e6)]


MeterName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")]
"""It stands in the name of a file."""


MeterNames = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+-]{0,100}$")]


def _configuration(value: dict[str, Any]) -> dict[str, Any]:
    """As it is, where all of its numbers are finite, as they go into its hash, and the testbed is
    of key and value, with at most a path for a series of intensities."""
    json.dumps(value, allow_nan=False)
    testbed = value.get("testbed")
    if testbed is not None and not isinstance(testbed, dict):
        raise ValueError("testbed must be an object")
    if not isinstance((testbed or {}).get("carbon_series"), str | None):
        raise ValueError("testbed.carbon_series must be text")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Host(_Part):
    cores: Size | None = None
    memory_mb: Size | None = None
    name_hash: str | None = None


class _Clock(_Part):
    offsets_ns: dict[str, Offset] | None = None


class _Domain(_Part):
    name: str = ""
    unit: Literal["uj", "w", ""] = ""
    resource: Literal["cpu", "memory", "accelerator", ""] = ""
    method: str = ""
    counts: bool = True
    wraps_at: Positive | None = None
    max_w: Positive | None = None


class _Parameters(_Part):
    period_s: Period | None = None
    step_s: Period | None = None


class _Meter(_Part):
    available: bool = True
    domains: list[_Domain] = []
    parameters: _Parameters | None = None


class _Idle(_Part):
    meter: str | None = None
    watts: dict[str, Finite | None] | None = None


class _Best(_Part):
    phi: dict[str, bool | int | Finite | str] | None = None
    score: float | None = None
    number: int | None = None
    trial: str | None = None


class _Added(_Part):
    containers: int = 0
    cpu: float = 0.0
    memory_mb: float = 0.0


class _Kind(_Part):
    kind: str = ""
    added: _Added | None = None


class _Environment(_Part):
    kept: dict[str, str | None] = {}
    left_out: dict[str, str | None] = {}
    set: dict[str, dict[str, str | None]] = {}


class _Code(_Part):
    version: str | None = None
    commit: str | None = None
    dirty: bool | None = None


class _Installed(_Part):
    components: list[str] = []
    packages: dict[str, str] | None = None
    code_sha256: str | None = None
    python: str | None = None
    cpu_model: str | None = None


class _Block(_Part):
    number: Annotated[int, Field(ge=1, lt=1_000_000)]
    position: Annotated[int, Field(ge=1)]
    runs: Annotated[int, Field(ge=1)]
    plan: str


class _Collected(_Part):
    utc_ns: Moment
    command: str
    parameters: _Parameters | None = None
    notes: list[str] = []


class _Instead(_Part):
    of: str
    utc_ns: Moment
    command: str
    headline_meter: MeterNames
    headline_domains: dict[MeterName, list[str]]
    idle: _Idle | None = None


class _Manifest(_Part):
    run_id: str = ""
    hash: str = ""
    folder: str = ""
    repetition: Annotated[int, Field(ge=0, lt=1_000_000)] = 0
    block: _Block | None = None
    status: str = ""
    reason: str | None = None
    seed: int | None = None
    started_utc_ns: Moment | None = None
    ended_utc_ns: Moment | None = None
    config: Annotated[dict[str, Any], AfterValidator(_configuration)] = {}
    files: dict[str, str] | None = None
    host: _Host | None = None
    clock: _Clock | None = None
    meters: dict[MeterName, _Meter | None] | None = None
    headline_meter: MeterNames | None = None
    headline_domains: dict[MeterName, list[str] | None] | None = None
    meter_errors: list[str] | None = None
    collected: dict[MeterName, _Collected] | None = None
    instead: _Instead | None = None
    idle: _Idle | None = None
    best: _Best | None = None
    test: dict[str, float | None] | None = None
    enforcement: _Kind | None = None
    environment: _Environment | None = None
    packages: dict[str, str] | None = None
    coordinator: _Installed | None = None
    installed: list[_Installed] | None = None
    control: bool | None = None
    code: _Code | None = None
    dataset: dict[str, Any] | None = None


def check_shape(manifest: dict[str, Any], where: object) -> None:
    """Raises TrialwattError naming `where`, and the first key whose value cannot be."""
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key, got = ".".join(map(str, first["loc"])), shown(repr(first["input"]), 100)
        raise TrialwattError(
            f"{where}: not a run's manifest: {shown(key, 200)}: {first['msg']} (got {got}); "
            "take it from its source again"
        ) from error
