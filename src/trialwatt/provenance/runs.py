"""The trace of what is made of runs: a run's folder, a file in it, a configuration's folder, and
what has no chain of its own but that of the plan."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from trialwatt.config.plan_parts import PlannedExperiment
from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.provenance import crate
from trialwatt.provenance.bounds import is_company
from trialwatt.provenance.chain import chain_of_runs, validated
from trialwatt.provenance.disk import Disk
from trialwatt.provenance.foreign import Missing, checksum, names_below, read_json
from trialwatt.provenance.kinds import Kind, Made
from trialwatt.provenance.place import MANIFEST, RESULTS, Place, repetitions_in
from trialwatt.provenance.traced import Check, Trace, judged
from trialwatt.records.manifest import SNAKEMAKES, TRACED, read_manifest, repetition_folder
from trialwatt.records.sealed import SUFFIX, record_file

_UNNAMED = 20
_UNKNOWN = {"code": {"version": "unknown"}}

_SIDECARS = ("tables/*.json", "tables/best/*.json", "tables/cost/*.json", "paper/paper.json")
"""Between them they name all metrics, manifests and configuration files."""


_NOT_COUNTED = {
    "warm-up": ["a warm-up: its SUT ran before the runs, and no result is made of it"],
    "scouting run": ["a scouting run: it showed a sweep where to look, and no table is made of it"],
}


class _Runs:
    """The runs of one trace: their manifests as far as they can be read, each file checked."""

    def __init__(self, disk: Disk, named: Named):
        self.disk, self.named = disk, named
        self.manifests: list[tuple[str, str, dict]] = []
        self.checks: list[Check] = []
        self.problems: list[str] = []

    def add(self, name: str, folder: Path) -> dict | None:
        """Read a run and check its files. name: of its folder below the results folder."""
        file = folder / MANIFEST
        try:
            known = checksum(file)
            manifest = read_manifest(file, TRACED)
            validated(_described("run", "", {}, {}, [(name, known, manifest)]), where=str(file))
        except Missing:
            self.problems.append(f"{name}/{MANIFEST}: missing: not run to its end, or gone")
            return None
        except TrialwattError as error:
            self.problems.append(str(error))
            return None
        self.manifests.append((name, known, manifest))
        self.checks.append(self._manifest(name, known))
        for file, wanted in sorted(manifest["files"].items()):
            self.checks.append(self.disk.record(name, file, wanted, folder))
        return manifest

    def _manifest(self, name: str, known: str) -> Check:
        if self.disk.results is None:
            return Check(MANIFEST, "manifest", name, known, "no checksum")
        return self.disk.manifest(name, self.named.get(f"{RESULTS}/{name}/{MANIFEST}", {}))


def trace_run(path: Path, folder: Path, place: Place | None) -> Trace:
    """A repetition's, warm-up's or scouting run's folder, or a file in it; run.json is its
    manifest."""
    runs, warnings = _start(place)
    read = read_manifest(folder / MANIFEST, TRACED)
    name = _name_of(folder, place, read)
    kind = _kind(name)
    experiments, more = _experiments_of(place, name)
    manifest = runs.add(name, folder)
    if manifest is None:
        raise TrialwattError(runs.problems[0])
    problems = list(_misplaced(name, manifest)) if place and kind == "run" else []
    unnamed = _unnamed(folder, manifest["files"])
    asked = Path(os.path.relpath(path.absolute(), folder)).as_posix()
    said = _NOT_COUNTED.get(kind, [])[:]
    if asked not in (".", MANIFEST):
        said.append(_of_file(asked, path, folder, manifest["files"], problems))
    warnings += [f"{file}: not in the manifest" for file in unnamed if file != asked]
    known = _described(
        kind,
        _ids(experiments) if place else "not known, there is no plan.json above it",
        *_files_of(place, experiments, runs),
        runs.manifests,
    )
    return judged(
        path,
        validated(known, where=str(folder / MANIFEST)),
        f"none: {MANIFEST} is the manifest",
        runs.disk.results,
        [*_configs(place, experiments, runs), *runs.checks],
        problems,
        [*warnings, *more],
        said,
    )


def trace_configuration(path: Path, place: Place | None) -> Trace:
    """A configuration's folder: all its repetitions, those that the plan asks for too."""
    runs, warnings = _start(place)
    there = {folder.name: folder for folder in repetitions_in(path)}
    above = path.absolute().relative_to(place.results.absolute()) if place else None
    experiments: list[PlannedExperiment] = []
    planned: set[str] = set()
    if place and above:
        experiments, faults = _experiments_of(place, above.as_posix())
        warnings += faults
        planned = {
            folder.rpartition("/")[2]
            for one in experiments
            for folder in place.repetitions(one)[0]
            if folder.rpartition("/")[0] == above.as_posix()
        }
    problems = []
    for name in sorted({*there, *planned}, key=lambda name: (int(name[3:]), name)):
        folder = there.get(name, path / name)
        run = f"{above.as_posix() if above else f'runs/{path.parent.name}/{path.name}'}/{name}"
        manifest = runs.add(run, folder)
        if manifest is not None:
            problems += _misplaced(run, manifest)
            files = _unnamed(folder, manifest["files"])
            warnings += [f"{name}/{file}: not in the manifest" for file in files]
    return judged(
        path,
        validated(
            _described(
                "configuration",
                _ids(experiments) if place else "not known, there is no plan.json above it",
                *_files_of(place, experiments, runs),
                runs.manifests,
            ),
            where=str(path),
        ),
        f"none: each repetition has its {MANIFEST}",
        runs.disk.results,
        [*_configs(place, experiments, runs), *runs.checks],
        [*problems, *runs.problems],
        warnings,
        [f"its repetitions: {', '.join(sorted(there)) or 'none'}"],
    )


def trace_made(path: Path, place: Place, kind: Kind, made: Made) -> Trace:
    """A file without a sidecar, of which the plan says what it is made of."""
    runs, warnings = _start(place)
    for folder in made.folders:
        runs.add(folder, place.results / folder)
    own = runs.disk.file(path, runs.named.get(place.name, {}))
    tables = [
        runs.disk.table(name, runs.named.get(f"{RESULTS}/{name}", {})) for name in made.tables
    ]
    configs = list(_configs(place, made.experiments, runs))
    experiment, config = _files_of(place, made.experiments, runs)
    known = _described(
        kind.kind,
        _ids(made.experiments, of_all=len(place.plan.experiments)),
        experiment,
        config,
        runs.manifests,
        {check.path: check.sha256 for check in tables},
    )
    said = [kind.said, *made.said]
    if kind.kind == "testbed":
        said.append(_host_said(path, runs.manifests))
    return judged(
        path,
        validated(known, where=str(path)),
        "none: its chain follows from plan.json and the manifests of its runs",
        runs.disk.results,
        [own, *configs, *tables, *runs.checks],
        [*made.faults, *runs.problems],
        warnings,
        said,
    )


def _kind(name: str) -> str:
    """Of a run, by its folder below the results folder."""
    return {"warm-ups": "warm-up", "scouts": "scouting run"}.get(name.split("/")[0], "run")


def _start(place: Place | None) -> tuple[_Runs, list[str]]:
    if place is None:
        return _Runs(Disk(None, None), {}), []
    try:
        root = place.root
    except TrialwattError:
        root = place.results.parent  # a run needs no plan; who does says what is wrong with it
    named, faults = witnesses(place.results, root)
    return _Runs(Disk(place.results, root), named), faults


def _described(kind, experiment, link, config, manifests, tables=None) -> dict:
    runs = chain_of_runs(manifests)
    return {
        "kind": kind,
        "experiment": {"id": experiment, **link},
        "config": config,
        "tables": tables or {},
        **runs,
        "code": {"this": _UNKNOWN["code"], **runs["code"]},
    }


def _files_of(
    place: Place | None, experiments: Iterable[PlannedExperiment], runs: _Runs
) -> tuple[dict, dict]:
    """The link to the experiment's file, where it is one; configuration files with checksums."""
    experiments = list(experiments)
    link = {"file": experiments[0].file} if len(experiments) == 1 else {}
    return link, {check.path: check.sha256 for check in _configs(place, experiments, runs)}


def _configs(
    place: Place | None, experiments: Iterable[PlannedExperiment], runs: _Runs
) -> Iterator[Check]:
    names = [one.id for one in experiments] if place else []
    for file in sorted({file for name in names for file in place.plan.files_of(name)}):
        yield runs.disk.config(file, runs.named.get(file, {}))


def _experiments_of(place: Place | None, name: str) -> tuple[list[PlannedExperiment], list[str]]:
    """The experiments that have this run or one below it, and what keeps them from being known."""
    if place is None or _kind(name) != "run":
        return [], []
    try:
        experiments, faults = [], []
        for one in place.plan.experiments.values():
            folders, missing = place.repetitions(one)
            faults += missing
            if any(folder == name or folder.startswith(f"{name}/") for folder in folders):
                experiments.append(one)
    except TrialwattError as error:
        return [], [f"which experiments it is of is not known: {error}"]
    return experiments, faults


def _ids(experiments: Iterable[PlannedExperiment], of_all: int = 0) -> str:
    ids = [one.id for one in experiments]
    return "all" if of_all and len(ids) == of_all else ", ".join(ids) or "none of the plan's"


def _name_of(folder: Path, place: Place | None, manifest: dict) -> str:
    """What a run's folder is called below the results folder; without one, as it says itself."""
    if place is not None:
        return folder.relative_to(place.results.absolute()).as_posix()
    return repetition_folder(manifest)


def _misplaced(name: str, manifest: dict) -> Iterator[str]:
    """A manifest that says it is of another run; older ones name the repetition with the folder."""
    last = f"rep{manifest['repetition']}"
    says = manifest.get("folder") or ""
    if says and name not in (says, f"{says}/{last}"):
        yield f"{name}/{MANIFEST}: says that it is of {says}, repetition {manifest['repetition']}"


def _unnamed(folder: Path, files: dict) -> list[str]:
    """Files of a run's folder that its manifest does not name, of many the first; no company, and
    nothing of Snakemake's."""
    known = {*files, MANIFEST, SNAKEMAKES}
    there = (file for file in names_below(folder) if file not in known and not is_company(file))
    return list(islice(there, _UNNAMED))


def _of_file(asked: str, path: Path, folder: Path, files: dict, problems: list) -> str:
    """The sentence on the file of a run that was asked for; a problem where it is not of it."""
    if asked in files:
        return f"{asked} is a file of this run, and {MANIFEST} names its checksum"
    holder = asked.partition("/")[0] + SUFFIX
    if holder in files and record_file(folder, asked).is_file():
        return f"{asked} is sealed in {holder}, of which {MANIFEST} names the checksum"
    if path.is_dir():
        return f"{asked}/ is a folder of this run"
    if not os.path.lexists(path):
        raise TrialwattError(
            f"{shown(path, 500)}: there is no such file, and {MANIFEST} does not name one"
        )
    problems.append(f"{asked}: {MANIFEST} does not name it, so nothing says that it is of this run")
    return f"{asked} lies in the folder of this run"


def _host_said(path: Path, manifests: Iterable[tuple[str, str, dict]]) -> str:
    """Whether the testbed's facts are of the machine on which the runs say that they ran."""
    facts = read_json(path)
    host = facts.get("host") if isinstance(facts, dict) else None
    if not isinstance(host, dict):
        raise TrialwattError(f"{shown(path, 500)}: damaged, no facts about a testbed: no `host`")
    others = [name for name, _, one in manifests if (one.get("host") or {}) != host]
    where = f"{host.get('cpu_model')}, {host.get('cores')} cores"
    if not others:
        return f"its host, {where}, is that of every run"
    return f"its host, {where}, is not that of {len(others)} runs, as {others[0]}"


Named = dict[str, dict[str, list[str]]]
"""Name in the archive → SHA-256 → who says so."""


def witnesses(results: Path, root: Path | None) -> tuple[Named, list[str]]:
    """What is on record, and the files that should be a record of it but cannot be read."""
    named: Named = defaultdict(lambda: defaultdict(list))
    faults: list[str] = []
    for pattern in _SIDECARS:
        for sidecar in sorted(results.glob(pattern)):
            own = sidecar.relative_to(results).as_posix()
            try:
                links = validated(_provenance(sidecar), where=str(sidecar)).links()
            except TrialwattError as error:
                faults.append(str(error))
                continue
            for name, known in links.items():
                named[name][known].append(own)
    if root is not None and (root / crate.NAME).exists():
        try:
            for name, known in crate.checksums(root / crate.NAME).items():
                if known:
                    named[name][known].append(crate.NAME)
        except TrialwattError as error:
            faults.append(str(error))
    return {name: dict(sums) for name, sums in named.items()}, faults


def _provenance(sidecar: Path) -> object:
    content = read_json(sidecar)
    return content.get("provenance") if isinstance(content, dict) else content
