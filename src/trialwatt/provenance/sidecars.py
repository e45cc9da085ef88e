"""The trace of a file whose chain stands in it, or in the sidecar beside it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from trialwatt.printable import shown
from trialwatt.provenance.chain import Chain, completed, validated
from trialwatt.provenance.disk import Disk
from trialwatt.provenance.embed import FIGURES, NoProvenance, embedded, read_sidecar, sidecar_of
from trialwatt.provenance.place import first_with
from trialwatt.provenance.traced import Check, Number, Trace, judged
from trialwatt.records.manifest import MANIFEST, TRACED, read_manifest

_MOST_TRIED = 1_000
"""Files of a chain by which its results folder is looked for."""


def trace_with_chain(path: Path, results: Path | None, number: Number | None) -> Trace:
    """Trace a figure (SVG, PDF, PNG), another file with a sidecar, or a sidecar.

    results, number: as for trace.trace. Raises NoProvenance where the file has no chain, and
    TrialwattError where it is damaged.
    """
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
            f"{shown(path, 500)}: not a figure with provenance inside, and there is no sidecar "
            f"{shown(sidecar_of(path).name)} next to it, so it cannot be traced"
        )
    known = validated(found, where=str(path))
    warnings: list[str] = []
    disk = Disk(None, None)
    sidecar = _compare_sidecar(path, found, beside, disk, problems, warnings)
    known = known if number is None else _only(known, number)

    base = results or _results_folder(path, known)
    if base is None:
        problems.append(
            "no results folder found above the file or here: its records are gone, or elsewhere "
            "(name their folder with --results)"
        )
    disk = Disk(base, _root_of(path, base, known))
    known = completed(known, _manifests(known, disk), where=str(path))
    if not known.runs and number is None:
        problems.append("it names no run: nothing of it comes from records")
    return judged(
        path, known, sidecar, disk.results, _links(known, disk), problems, warnings, number=number
    )


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


def _compare_sidecar(path, found, beside, disk, problems, warnings) -> str:
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
            check = disk.file(path.with_name(output), checksum)
            if check.state == "differs":
                problems.append(f"{output}: its checksum is not the one in {name}")
            elif check.state != "agrees":
                problems.append(f"{output}: {check.state}, though {name} names it")
        return f"this is it; it names {', '.join(sorted(outputs))}"
    if path.name not in outputs:
        problems.append(f"the sidecar {name} does not name {path.name}")
        return f"{name} does not name this file"
    if disk.file(path, outputs[path.name]).state != "agrees":
        problems.append(
            f"{path.name}: its checksum is not the one in {name}; one of them was changed"
        )
        return f"{name} has another checksum of this file"
    return f"{name} agrees"


def _manifests(known: Chain, disk: Disk) -> Iterator[tuple[str, str, dict]]:
    """The manifests of runs whose records the chain does not name itself, where they are those
    that it names."""
    for run in known.runs:
        if run.records or disk.results is None:
            continue
        if disk.manifest(run.folder, run.run_json_sha256).state == "agrees":
            manifest = read_manifest(disk.results / run.folder / MANIFEST, TRACED)
            yield run.folder, run.run_json_sha256, manifest


def _links(known: Chain, disk: Disk) -> Iterator[Check]:
    files = dict(known.config)
    if known.experiment.file and known.experiment.sha256:
        files[known.experiment.file] = known.experiment.sha256
    yield from (disk.config(file, checksum) for file, checksum in sorted(files.items()))
    yield from (disk.table(file, checksum) for file, checksum in sorted(known.tables.items()))
    for run in known.runs:
        yield disk.manifest(run.folder, run.run_json_sha256)
        for file, checksum in sorted(run.records.items()):
            yield disk.record(run.folder, file, checksum)


def _above(path: Path) -> Iterator[Path]:
    for start in (path.absolute().parent, Path.cwd()):
        yield start
        yield from start.parents


def _results_folder(path: Path, known: Chain) -> Path | None:
    """The nearest folder that holds something of the chain."""
    inside = [*(run.folder for run in known.runs), *known.tables]
    places = (place for above in _above(path) for place in (above, above / "results"))
    return first_with(places, islice(inside, _MOST_TRIED))


def _root_of(path: Path, base: Path | None, known: Chain) -> Path | None:
    files = [file for file in (*known.config, known.experiment.file) if file]
    near = [base, *base.absolute().parents] if base else []
    return first_with([*near, *_above(path)], files[:_MOST_TRIED])
