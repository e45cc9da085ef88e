"""The archive's ro-crate-metadata.json: a Workflow Run RO-Crate with a checksum of every file.

The workflow (Snakefile) is the main entity. Its execution, and each run of a system under test as
a process of its own, is an action with its time, software, inputs and results. Profiles: Process
Run Crate 0.5, Workflow Run Crate 0.5, Workflow RO-Crate 1.0.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.printable import shown
from trialwatt.provenance import crate
from trialwatt.provenance.foreign import Missing, Unreadable, read_json

NAME = "ro-crate-metadata.json"
WORKFLOW = "Snakefile"
MOST_BYTES = 64 << 20
_PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
_TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".yaml": "application/yaml",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".parquet": "application/vnd.apache.parquet",
    ".py": "text/x-python",
    ".log": "text/plain",
}

_MADE_AGAIN = ("results/figures/", "results/report.html")
_USED_BY_NOTHING = re.compile(
    r"results/(runs|scouts|warm-ups)/(.+/logs(/.+|\.zst)|.+\.safetensors)"
)
"""Logs of the components, and the weights of the best models."""


@dataclass(frozen=True)
class RunAction:
    """One run as an action. folder: in the archive. Times: ns since 1970, UTC; None if unknown."""

    folder: str
    sut: str
    version: str | None
    status: str
    started_utc_ns: int | None
    ended_utc_ns: int | None
    results: Sequence[str]


@dataclass(frozen=True)
class Described:
    """What the crate says of the whole. code: `{version, commit, dirty}`."""

    name: str
    description: str
    license: str
    code: Mapping
    inputs: Sequence[str]
    results: Sequence[str]
    runs: Sequence[RunAction] = field(default=())


def metadata(contents: Mapping[str, Path | bytes], described: Described) -> bytes:
    """ro-crate-metadata.json of these contents (name → file or bytes); the same for the same."""
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(_TERMS)
    crate.name, crate.description = described.name, described.description
    crate.datePublished = _moment(_last(described.runs))
    crate.root_dataset["license"] = described.license
    crate.root_dataset["softwareVersion"] = described.code.get("version")
    profiles = [
        crate.add(
            ContextEntity(crate, at, {"@type": "CreativeWork", "name": name, "version": version})
        )
        for at, name, version in _PROFILES
    ]
    crate.root_dataset["conformsTo"] = profiles
    workflow = crate.add_workflow(
        dest_path=WORKFLOW, main=True, lang="snakemake", properties=_about(contents[WORKFLOW])
    )
    workflow["name"] = "Trialwatt's workflow"
    workflow["version"] = _code(described.code)
    files = {WORKFLOW: workflow}
    for name in sorted(contents.keys() - {WORKFLOW, NAME}):
        properties = _about(contents[name])
        if kind := _TYPES.get(Path(name).suffix):
            properties["encodingFormat"] = kind
        files[name] = crate.add_file(dest_path=name, properties=properties)
    whole = {
        "@type": "CreateAction",
        "name": "Execution of the workflow",
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "startTime": _moment(_first(described.runs)),
        "endTime": _moment(_last(described.runs)),
    }
    action = crate.add(ContextEntity(crate, "#workflow-execution", whole))
    action["instrument"] = workflow
    action["object"] = [files[name] for name in described.inputs]
    action["result"] = [files[name] for name in described.results]
    actions = [action, *(_run(crate, run, files) for run in described.runs)]
    crate.root_dataset["mentions"] = actions
    return (json.dumps(crate.metadata.generate(), indent=1, sort_keys=True) + "\n").encode()


def checksums(file: Path) -> dict[str, str]:
    """Name → SHA-256 of each file that a crate lists, as a stranger's ro-crate-metadata.json says.

    Raises TrialwattError where it is missing, damaged, or describes another workflow.
    """
    try:
        content = read_json(file, MOST_BYTES)
        entities = {entity["@id"]: dict(entity) for entity in content["@graph"]}
        root = entities["./"]
        main = entities[root["mainEntity"]["@id"]]
        ours = main["@id"] == WORKFLOW and str(main["name"]).startswith("Trialwatt")
    except Missing as error:
        raise TrialwattError(f"{NAME}: missing; this is no archive of trialwatt") from error
    except (Unreadable, ValueError, KeyError, TypeError) as error:
        raise TrialwattError(
            f"{NAME}: damaged, or no RO-Crate of a workflow ({shown(repr(error), 300)})"
        ) from error
    if len(entities) < len(content["@graph"]):
        raise TrialwattError(f"{NAME}: describes one thing twice: an @id must be there once")
    if not ours:
        raise TrialwattError(f"{NAME}: describes another workflow than trialwatt's")
    found = {}
    for name, entity in entities.items():
        kind = entity.get("@type")
        if "File" in (kind if isinstance(kind, list) else [kind]) and isinstance(name, str):
            place = _place(name)
            if place in found:
                raise TrialwattError(
                    f"{NAME}: names {shown(place, 200)} twice, spelled differently"
                )
            found[place] = str(entity.get("sha256", "")).lower()
    return found


def _place(name: str) -> str:
    """The path that an @id stands for. Raises TrialwattError where it is none in the archive."""
    place = unquote(name).removeprefix("./")
    parts = place.split("/")
    if not place or "\0" in place or {"", ".", ".."} & set(parts) or len(place.encode()) > 4000:
        raise TrialwattError(f"{NAME}: names what is no file in the archive: {shown(name, 200)}")
    return place


def _run(crate, run: RunAction, files: Mapping):
    from rocrate.model import ContextEntity

    software = f"#sut-{run.sut}-{run.version or 'unknown'}"
    instrument = crate.get(software) or crate.add(
        ContextEntity(
            crate,
            software,
            {
                "@type": "SoftwareApplication",
                "name": run.sut,
                **({"softwareVersion": run.version} if run.version else {}),
            },
        )
    )
    good = run.status == "completed"
    about = {
        "@type": "CreateAction",
        "name": f"{run.folder}: {run.status}",
        "actionStatus": f"http://schema.org/{'Completed' if good else 'Failed'}ActionStatus",
    }
    for key, moment in (("startTime", run.started_utc_ns), ("endTime", run.ended_utc_ns)):
        if moment is not None:
            about[key] = _moment(moment)
    action = crate.add(ContextEntity(crate, f"#{run.folder}", about))
    action["instrument"] = instrument
    action["result"] = [files[name] for name in run.results]
    return action


def _about(content: Path | bytes) -> dict:
    import hashlib

    if isinstance(content, bytes):
        return {"contentSize": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
    return {"contentSize": str(content.stat().st_size), "sha256": sha256(content)}


def _code(code: Mapping) -> str:
    commit = f"+{code['commit'][:12]}" if code.get("commit") else ""
    return f"{code.get('version', 'unknown')}{commit}{'.dirty' if code.get('dirty') else ''}"


def _first(runs: Sequence[RunAction]) -> int:
    return min((run.started_utc_ns for run in runs if run.started_utc_ns is not None), default=0)


def _last(runs: Sequence[RunAction]) -> int:
    return max((run.ended_utc_ns for run in runs if run.ended_utc_ns is not None), default=0)


def _moment(utc_ns: int) -> str:
    moment = datetime.datetime.fromtimestamp(utc_ns // 1_000_000_000, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def left_out(name: str) -> bool:
    """Whether a light archive leaves this file out; name: as the archive calls it."""
    return name.startswith(_MADE_AGAIN) or bool(_USED_BY_NOTHING.fullmatch(name))


def is_light(results: Path) -> bool:
    """Whether this results folder is that of an unpacked light archive."""
    return (results.parent / crate.NAME).is_file() and not (results / "figures").exists()
