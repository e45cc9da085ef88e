"""Walk from a figure, a table or a run's folder back to its records, and check every link."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from trialwatt.errors import TrialwattError
from trialwatt.printed import printable
from trialwatt.provenance.chain import Chain, read_manifest, validated
from trialwatt.provenance.embed import FIGURES, NoProvenance, embedded, read_sidecar, sidecar_of
from trialwatt.provenance.files import sha256
from trialwatt.provenance.light import is_light, left_out
from trialwatt.records.manifest import headline_domains

State = Literal["intact", "missing", "changed", "left out"]
"""left out: of a light archive, which need not have it (provenance.light)."""


@dataclass(frozen=True)
class Check:
    """One file of the chain against the disk. `sha256` is the one that the chain names."""

    path: str
    part: Literal["config", "table", "manifest", "record"]
    run: str  # the repetition folder; empty for config and tables
    sha256: str
    state: State


@dataclass(frozen=True)
class Number:
    """A number of a file that is made of tables. Only `folders` and `tables` of the chain matter.

    made_of: sentences, how it follows from which rows and columns. methods: those of its energies.
    """

    name: str
    value: str
    made_of: tuple[str, ...]
    folders: frozenset[str]
    tables: frozenset[str]
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """A file's chain and how it stands. Problems break the chain, warnings do not."""

    file: str
    chain: Chain
    sidecar: str  # a sentence
    results: Path | None  # the results folder that was found
    checks: tuple[Check, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    number: Number | None = None  # the number that is traced, where it is one

    @property
    def ok(self) -> bool:
        return not self.problems


def trace(path: Path, results: Path | None = None, number: Number | None = None) -> Trace:
    """Trace a figure (SVG, PDF, PNG), a table with a sidecar, a sidecar, or a run's folder.

    The results folder is looked for above `path` and the present folder, unless it is given.
    number: of the file, if only what that is made of is to be traced. Raises TrialwattError where
    there is nothing to trace: no file, no provenance, damaged.
    """
    if not path.exists():
        raise TrialwattError(f"{path}: there is no such file")
    if path.is_dir() or path.name == "run.json":
        return _trace_run(path if path.is_dir() else path.parent)
    return _trace_file(path, results, number)


def _trace_file(path: Path, results: Path | None, number: Number | None) -> Trace:
    problems: list[str] = []
    beside = read_sidecar(path)
    if path.suffix.lower() in FIGURES:
        try:
            found = embedded(path)
        except NoProvenance as error:
            if beside is None:
                raise
            problems.append(str(error))
            found = beside[0]
    elif beside is not None:
        found = beside[0]
    else:
        raise NoProvenance(
            f"{path}: not a figure with provenance inside, and there is no sidecar "
            f"{sidecar_of(path).name} next to it, so it cannot be traced"
        )
    known = validated(found, where=str(path))
    warnings: list[str] = []
    sidecar = _compare_sidecar(path, found, beside, problems, warnings)
    known = known if number is None else _only(known, number)

    folders = [run.folder for run in known.runs]
    base = results or _results_folder(path, [*folders, *known.tables])
    if base is None:
        problems.append(
            "no results folder found above the file or here: its records are gone, or elsewhere"
        )
    root = _root_of(path, base, [*known.config, known.experiment.file])
    checks = [*_check_config(known, root), *_check_results(known, base)]
    if not known.runs and number is None:
        problems.append("it names no run: nothing of it comes from records")
    return _judged(str(path), known, sidecar, base, checks, problems, warnings, number)


def _only(known: Chain, number: Number) -> Chain:
    """The part of a chain that a number hangs on."""
    runs = [run for run in known.runs if run.folder in number.folders]
    hashes = {run.hash for run in runs}
    energy = known.energy.model_copy(update={"methods": list(number.methods)})
    return known.model_copy(
        update={
            "runs": runs,
            "tables": {f: known.tables[f] for f in known.tables if f in number.tables},
            "configurations": {h: c for h, c in known.configurations.items() if h in hashes},
            "energy": energy,
        }
    )


def _trace_run(folder: Path) -> Trace:
    """A repetition folder: its manifest is the chain, its files are checked against it."""
    manifest = read_manifest(folder / "run.json")
    name, repetition = PurePosixPath(manifest.get("folder", "")), f"rep{manifest['repetition']}"
    name = name if name.name == repetition else name / repetition
    headline = manifest.get("headline_meter")
    used = [domain for own in headline_domains(manifest).values() for domain in own]
    known = validated(
        {
            "kind": "run",
            "experiment": {"id": "(any that shares this configuration)"},
            "config": {},
            "tables": {},
            "runs": [
                {
                    "folder": name.as_posix(),
                    "hash": manifest["hash"],
                    "repetition": manifest["repetition"],
                    "status": manifest["status"],
                    "run_json_sha256": sha256(folder / "run.json"),
                    "records": manifest["files"],
                }
            ],
            "configurations": {manifest["hash"]: manifest["config"]},
            "energy": {
                "methods": sorted({domain.get("method", "?") for domain in used}),
                "meters": [headline] if headline else [],
            },
            "hosts": [manifest.get("host", {})],
            "packages": [manifest.get("packages", {})],
            "code": {
                "this": manifest.get("code", {"version": "unknown"}),
                "runs": [manifest.get("code", {"version": "unknown"})],
            },
        },
        where=str(folder / "run.json"),
    )
    run = known.runs[0]
    checks = [
        Check(file, "record", run.folder, checksum, _state(folder / file, checksum))
        for file, checksum in sorted(run.records.items())
    ]
    present = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}
    extra = sorted(present - run.records.keys() - {"run.json"})
    warnings = [f"{file}: not in the manifest" for file in extra]
    sidecar = "none: run.json is the manifest"
    return _judged(str(folder), known, sidecar, None, checks, [], warnings)


def _compare_sidecar(path, found, beside, problems, warnings) -> str:
    name = sidecar_of(path).name
    if beside is None:
        warnings.append(f"no sidecar {name} next to it; what is embedded was used")
        return f"{name} is missing"
    provenance, outputs = beside
    if provenance != found:
        keys = sorted(
            key for key in provenance.keys() | found.keys() if provenance.get(key) != found.get(key)
        )
        problems.append(f"the sidecar {name} and the figure disagree about: {', '.join(keys)}")
        return f"{name} disagrees"
    if path.name == name:  # the sidecar itself was asked for
        for output, checksum in sorted(outputs.items()):
            file = path.with_name(PurePosixPath(output).name)
            if (state := _state(file, checksum)) != "intact":
                problems.append(f"{file.name}: {state} since {name} was written")
        return f"this is it; it names {', '.join(sorted(outputs))}"
    if path.name not in outputs:
        problems.append(f"the sidecar {name} does not name {path.name}")
        return f"{name} does not name this file"
    if outputs[path.name] != sha256(path):
        problems.append(f"{path.name} was changed after it was made (its checksum differs)")
        return f"{name} has another checksum of this file"
    return f"{name} agrees"


def _check_config(known: Chain, root: Path | None) -> Iterator[Check]:
    files = dict(known.config)
    if known.experiment.file and known.experiment.sha256:
        files[known.experiment.file] = known.experiment.sha256
    for file, checksum in sorted(files.items()):
        yield Check(file, "config", "", checksum, _state(root and root / file, checksum))


def _check_results(known: Chain, base: Path | None) -> Iterator[Check]:
    for file, checksum in sorted(known.tables.items()):
        yield Check(file, "table", "", checksum, _state(base and base / file, checksum))
    for run in known.runs:
        folder = base and base / run.folder
        checksum = run.run_json_sha256
        state = _state(folder and folder / "run.json", checksum)
        yield Check("run.json", "manifest", run.folder, checksum, state)
        for file, checksum in sorted(run.records.items()):
            state = _state(folder and folder / file, checksum)
            if state == "missing" and base and is_light(base):
                state = "left out" if left_out(f"results/{run.folder}/{file}") else state
            yield Check(file, "record", run.folder, checksum, state)


def _state(file: Path | None, checksum: str) -> State:
    if file is None or not file.is_file():
        return "missing"
    return "intact" if sha256(file) == checksum else "changed"


def _judged(file, known, sidecar, base, checks, problems, warnings, number=None) -> Trace:
    for check in checks:
        if check.state in ("intact", "left out"):
            continue
        name = f"{check.run}/{check.path}" if check.run else check.path
        if check.part == "config":
            # The resolved configuration stands in each run.json: the chain holds without it.
            warnings.append(f"{name}: {check.state} since (the runs hold what was used)")
        else:
            problems.append(f"{name}: {check.state}")
    return Trace(
        file, known, sidecar, base, tuple(checks), tuple(problems), tuple(warnings), number
    )


def _above(path: Path) -> Iterator[Path]:
    for start in (path.resolve().parent, Path.cwd()):
        yield start
        yield from start.parents


def _results_folder(path: Path, inside: Iterable[str]) -> Path | None:
    """The nearest folder that holds something of the chain, or at least a `runs` folder."""
    inside = list(inside)
    candidates = [place for above in _above(path) for place in (above, above / "results")]
    for place in candidates:
        if any((place / file).exists() for file in inside):
            return place
    return None


def _root_of(path: Path, base: Path | None, files: Iterable[str | None]) -> Path | None:
    files = [file for file in files if file]
    for place in [*([base, *base.resolve().parents] if base else []), *_above(path)]:
        if any((place / file).is_file() for file in files):
            return place
    return None


# --- rendering --------------------------------------------------------------------------------


def render_text(found: Trace) -> str:
    """The chain as a tree, for people; ends with a verdict."""
    known = found.chain
    branches: list[tuple[str, list]] = [
        (f"kind: {known.kind}", []),
        (f"experiment: {known.experiment.id}", []),
        (f"sidecar: {found.sidecar}", []),
        (f"made by: {_code(known.code.this)}", []),
        (f"energy: {_energy(known)}", []),
    ]
    branches += [(f"host of the runs: {_host(host)}", []) for host in known.hosts]
    branches += [(f"code of the runs: {_code(code)}", []) for code in known.code.runs]
    branches += [(f"packages of the runs: {_packages(p)}", []) for p in known.packages if p]
    for part, title in (("config", "configuration files"), ("table", "metrics tables")):
        lines = [(_line(check), []) for check in found.checks if check.part == part]
        if lines:
            branches.append((title, lines))
    per_run: dict[str, list] = {run.folder: [] for run in known.runs}
    for check in found.checks:
        if check.run:
            per_run[check.run].append((_line(check), []))
    runs = [
        (
            f"{run.folder}  {run.status}",
            [(f"configuration {run.hash}: {_configuration(known, run.hash)}", [])]
            + per_run[run.folder],
        )
        for run in known.runs
    ]
    branches.append((f"runs: {len(known.runs)} of {_count(known)}", runs))

    if number := found.number:
        made = [(sentence, []) for sentence in number.made_of]
        branches = [(f"{number.name}: {number.value}", []), ("made of", made), *branches]
    lines = [found.file, *_tree(branches), ""]
    lines += [f"note: {warning}" for warning in found.warnings]
    lines += [f"problem: {problem}" for problem in found.problems]
    records = [check for check in found.checks if check.part != "config"]
    if found.ok:
        lines.append(f"The chain holds: {len(records)} files are present and unchanged.")
    else:
        lines.append(f"The chain is broken: {len(found.problems)} of its links do not hold.")
    return printable(lines)


def render_json(found: Trace) -> str:
    """The same as JSON, for programs; paths of this machine are not in it, but for `file`."""
    return json.dumps(
        {
            "file": found.file,
            "ok": found.ok,
            "sidecar": found.sidecar,
            "problems": found.problems,
            "warnings": found.warnings,
            "checks": [asdict(check) for check in found.checks],
            "provenance": found.chain.model_dump(mode="json"),
            **({"number": _number(found.number)} if found.number else {}),
        },
        indent=1,
        sort_keys=True,
    )


def _number(number: Number) -> dict:
    return {
        "name": number.name,
        "value": number.value,
        "made_of": list(number.made_of),
        "tables": sorted(number.tables),
        "runs": sorted(number.folders),
    }


def trace_command(
    path: Path,
    as_json: bool = False,
    results: Path | None = None,
    traced: Callable[[], Trace] | None = None,
) -> int:
    """Print the trace of a file to stdout; 0 where the chain holds, else 1.

    traced: what traces it, where that is not `trace` of the whole file.
    """
    try:
        found = traced() if traced else trace(Path(path), results)
    except TrialwattError as error:
        if as_json:
            print(json.dumps({"file": str(path), "ok": False, "problems": [str(error)]}))
        else:
            print(error, file=sys.stderr)
        return 1
    print(render_json(found) if as_json else render_text(found))
    return 0 if found.ok else 1


def _tree(branches: list[tuple[str, list]], indent: str = "") -> Iterator[str]:
    for index, (text, children) in enumerate(branches):
        last = index == len(branches) - 1
        yield f"{indent}{'└─' if last else '├─'} {text}"
        yield from _tree(children, indent + ("   " if last else "│  "))


def _line(check: Check) -> str:
    return f"{check.path}  sha256 {check.sha256[:16]}…  {check.state}"


def _code(code) -> str:
    commit = f", commit {code.commit[:12]}" if code.commit else ", commit unknown"
    dirty = " with uncommitted changes" if code.dirty else ""
    return f"trialwatt {code.version}{commit}{dirty}"


def _energy(known: Chain) -> str:
    methods = ", ".join(known.energy.methods) or "no method on record"
    meters = ", ".join(known.energy.meters) or "none"
    return f"{methods} (meter: {meters})"


def _host(host: dict) -> str:
    wanted = ("cpu_model", "cores", "memory_mb", "kernel")
    units = {"cores": " cores", "memory_mb": " MB"}
    parts = [f"{host[key]}{units.get(key, '')}" for key in wanted if host.get(key)]
    return ", ".join(parts) or "not on record"


def _packages(packages: dict) -> str:
    return ", ".join(f"{name} {packages[name]}" for name in sorted(packages))


def _configuration(known: Chain, key: str) -> str:
    config = known.configurations.get(key, {})
    load = config.get("workload", {})
    workers, search = load.get("workers", {}), load.get("search", {})
    parts = [
        config.get("sut"),
        load.get("dataset"),
        search.get("sampler"),
        workers and f"{workers.get('count')} × {workers.get('cpu')} vCPU",
        workers and f"{workers.get('memory_mb')} MB",
        f"seed {config['seed']}" if "seed" in config else None,
        config.get("testbed_name"),
    ]
    return ", ".join(str(part) for part in parts if part)


def _count(known: Chain) -> str:
    number = len({run.hash for run in known.runs})
    return f"{number} configuration" if number == 1 else f"{number} configurations"
