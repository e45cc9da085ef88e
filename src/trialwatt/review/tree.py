"""Results on the disk: where their root is, which runs an experiment has, which files belong."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import filterfalse, islice
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter

from trialwatt.analysis.sweeping import Move
from trialwatt.config.blocks import is_scouted
from trialwatt.config.paths import Measured
from trialwatt.config.plan import ELSEWHERE, Plan
from trialwatt.config.plan import NAME as PLAN
from trialwatt.config.plan_parts import PlannedExperiment
from trialwatt.errors import TrialwattError
from trialwatt.figures.products import PAPER, PRODUCTS, archived
from trialwatt.printable import shown
from trialwatt.provenance import crate
from trialwatt.provenance.archivefile import company_in_results, content_of
from trialwatt.provenance.bounds import is_company, note_on
from trialwatt.provenance.crate import is_light, left_out
from trialwatt.provenance.plans import read_plan
from trialwatt.records.later import later_flags, later_notes
from trialwatt.records.manifest import MANIFEST, files_of, read_manifest

RESULTS = "results"
"""The results folder's name in an archive."""
WORKFLOW = ("Snakefile", "rules", "scripts", "captions", "local", "k8s", "envs")
PROJECT = "pyproject.toml"
ABOUT = ("LICENSE", "CITATION.cff", PROJECT)
CONFIG = "config"
_FOLDERS = TypeAdapter(list[Measured])
_NOTES = 20
_LETTERS = 200


@dataclass(frozen=True)
class Tree:
    """root: holds config/. results: runs, metrics, figures, … is_archive: an unpacked one.
    to_be_light: a light archive is made of it. inner: the one folder that the archive lay in,
    below the place that was named. skipped: what of a zip file was not unpacked, as company."""

    root: Path
    results: Path
    is_archive: bool
    to_be_light: bool = False
    inner: str = ""
    skipped: tuple[str, ...] = ()

    @cached_property
    def plan(self) -> Plan:
        return read_plan(self.results)

    @cached_property
    def light(self) -> bool:
        """Whether it is an archive without figures, report, logs and weights, or to be one."""
        return self.to_be_light or (self.is_archive and is_light(self.results))

    def file(self, name: str) -> Path:
        """Where a file of the archive is: results/… in the results folder, the rest in the root,
        but for what lay outside it, of which the results folder has a copy."""
        inside = name.removeprefix(f"{RESULTS}/")
        if inside != name:
            return self.results / inside
        copy = self.results / ELSEWHERE / name
        is_copied = not self.is_archive and "/" not in name and copy.is_file()
        return copy if is_copied else self.root / name


def tree_of(folder: Path) -> Tree:
    """An unpacked archive, or a results folder with the project around it.

    Raises TrialwattError where it is neither, and where something in it is no plain file: before
    anything is opened.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise TrialwattError(f"{folder}: there is no such folder")
    place = archive_within(folder)
    if (place / crate.NAME).exists():
        content_of(place)
        inner = "" if place == folder else place.name
        return Tree(place, place / RESULTS, is_archive=True, inner=inner)
    if not (folder / PLAN).exists():
        raise TrialwattError(
            f"{folder}: neither an unpacked archive (no {crate.NAME}) nor a results folder of the "
            f"workflow (no {PLAN}; `snakemake --profile local` writes it)"
        )
    company_in_results(folder)
    files = read_plan(folder).files
    above = folder.resolve().parents
    root = next((place for place in above if any((place / f).is_file() for f in files)), None)
    if root is None:
        raise TrialwattError(
            f"{folder}: none of its configuration files is found above it, as {files[0]}; results "
            "are verified where they were made, or as an archive"
        )
    tree = Tree(root, folder, is_archive=False)
    company_of(tree)
    return tree


def archive_within(folder: Path) -> Path:
    """Where the archive in a folder lies: there, or in the one folder that it holds, as file
    managers and forges pack and unpack it; the folder itself where there is none."""
    if (folder / crate.NAME).exists():
        return folder
    try:
        with os.scandir(folder) as entries:
            parts = list(islice((part for part in entries if not is_company(part.name)), 2))
    except OSError as error:
        raise TrialwattError(f"{folder}: cannot be looked into ({error.strerror})") from error
    if len(parts) == 1 and parts[0].is_dir(follow_symlinks=False):
        inner = folder / parts[0].name
        return inner if (inner / crate.NAME).exists() else folder
    return folder


def company_of(tree: Tree) -> list[str]:
    """The harmless company in a tree (see provenance.bounds), by the names that it would have in
    the archive, sorted; with what of a zip file was skipped.

    Raises BadArchive where something in it is no plain file.
    """
    if tree.is_archive:
        return sorted({*tree.skipped, *content_of(tree.root).company})
    found = [f"{RESULTS}/{name}" for name in company_in_results(tree.results)]
    for name in (CONFIG, PAPER, *WORKFLOW):
        if (tree.root / name).is_dir():
            found += [f"{name}/{other}" for other in company_in_results(tree.root / name)]
    return sorted(found)


def notes_of(tree: Tree) -> list[str]:
    """What a user is told of where a tree lies and of the company in it, a line each; it changes
    no claim."""
    notes = [f"the archive lies one folder down, in {shown(tree.inner)}/"] if tree.inner else []
    company = company_of(tree)
    notes += [note_on(shown(name)) for name in company[:_NOTES]]
    if len(company) > _NOTES:
        notes.append(f"and {len(company) - _NOTES} more such files")
    notes += [
        f"results/sweeps/{experiment}/{sweep}: of rules from before blocks, which are no more: "
        "how it went on is taken as it is"
        for experiment in tree.plan.experiments
        for sweep in sweeps_before_blocks(tree, experiment)
    ]
    return [*notes, *_of_what_came_later(tree)]


def _of_what_came_later(tree: Tree) -> Iterator[str]:
    """Readings and headlines that runs have from after their end, a sentence of each kind."""
    found: dict[str, list[str]] = {}
    for folder in sorted({one for own in run_folders(tree).values() for one in own}):
        try:
            manifest = read_manifest(tree.results / folder / MANIFEST, ())
        except TrialwattError:
            continue  # what is wrong with it is told elsewhere
        for said in (*later_notes(manifest), *later_flags(manifest)):
            found.setdefault(said, []).append(folder)
    for said, folders in found.items():
        more = f" and {len(folders) - 1} more runs" if len(folders) > 1 else ""
        yield f"{RESULTS}/{folders[0]}{more}: {shown(said, _LETTERS)}"


def sweeps_before_blocks(tree: Tree, experiment: str) -> list[str]:
    """The sweeps whose moves cannot be made again from the records, as their rules are no more."""
    place = tree.results / "sweeps" / experiment
    return [
        sweep
        for sweep in tree.plan.sweeps(experiment)
        if _is_before_blocks(place / sweep / "move0.json")
    ]


def _is_before_blocks(file: Path) -> bool:
    try:
        return Move.read(file).is_before_blocks
    except TrialwattError:
        return False  # what is wrong with it is told where the sweep is played again


def moves(results: Path, experiment: str, sweep: str) -> list[Move]:
    """The moves of a sweep that are on the disk, to the last one."""
    found: list[Move] = []
    while not found or not found[-1].is_last:
        file = results / "sweeps" / experiment / sweep / f"move{len(found)}.json"
        try:
            move = Move.read(file)
            _FOLDERS.validate_python(move.new)
        except FileNotFoundError as error:
            raise TrialwattError(f"{file}: missing; the sweep has not come to its end") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise TrialwattError(f"{file}: damaged, no move of a sweep ({error!r})") from error
        found.append(move)
    return found


def repetitions(tree: Tree, experiment: str) -> list[str]:
    """Folders of all repetitions of an experiment, below the results folder, sorted."""
    return sorted(
        {*tree.plan.folders(experiment), *filterfalse(is_scouted, _asked(tree, experiment))}
    )


def not_counted(tree: Tree) -> list[str]:
    """Folders of the runs that no table is made of, sorted: warm-ups, and what sweeps scouted."""
    asked = (new for name in tree.plan.experiments for new in _asked(tree, name))
    return sorted({*tree.plan.warm_up_folders.values(), *filter(is_scouted, asked)})


def _asked(tree: Tree, experiment: str) -> Iterator[str]:
    """The runs that the sweeps of an experiment have asked for."""
    for sweep in tree.plan.sweeps(experiment):
        for move in moves(tree.results, experiment, sweep):
            yield from move.new


def made_of(experiment: PlannedExperiment) -> list[str]:
    """The files that the workflow makes of an experiment's records, in the archive."""
    each = [one for one in archived().values() if one.of_each and not one.replayed]
    return [f"{RESULTS}/{file}" for product in each for file in product.files_of([experiment])]


def made_of_all() -> list[str]:
    """The files that the workflow makes of all experiments together, in the archive, but the paper
    that there need not be."""
    whole = [
        one
        for name, one in archived().items()
        if not one.of_each and not one.replayed and name != PAPER
    ]
    return [f"{RESULTS}/{file}" for product in whole for file in product.files]


def made_of_replays(plan: Plan, kept: bool = True) -> list[str]:
    """The files that the workflow makes of a plan's replay, in the archive. kept: those too that
    are taken as they are when all else is made again."""
    each = [one for one in archived().values() if one.replayed and (kept or not one.kept)]
    return [f"{RESULTS}/{file}" for product in each for file in product.files_in(plan)]


def made_of_the_paper(tree: Tree) -> list[str]:
    """The files of the paper, in the archive, where a paper was made."""
    there = (tree.results / PAPER).is_dir()
    return [f"{RESULTS}/{file}" for file in PRODUCTS[PAPER].files] if there else []


def contents(tree: Tree, elsewhere: Mapping[str, Path] = MappingProxyType({})) -> dict[str, Path]:
    """Every file that belongs into the archive: name → where it is.

    elsewhere: configuration files outside the root, by their names in the archive.
    Raises TrialwattError naming what is missing of it.
    """
    found = {name: elsewhere.get(name) or tree.file(name) for name in names_of(tree)}
    missing = [name for name, file in found.items() if not file.is_file()]
    if missing:
        raise TrialwattError(
            f"{', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}: missing; make "
            f"{'it' if len(missing) == 1 else 'them'} with `snakemake --profile local`"
        )
    return found


def run_folders(tree: Tree) -> dict[str, list[str]]:
    """Experiment → its repetitions' folders below the results folder."""
    return {name: repetitions(tree, name) for name in tree.plan.experiments}


def files_below(folder: Path, name: str) -> list[str]:
    """Names (beginning with `name`) of the files in a folder, but hidden ones and harmless
    company; sorted. It is for what is to be packed: in an archive, every file counts."""
    if not folder.is_dir():
        return []
    return sorted(
        f"{name}/{relative.as_posix()}"
        for relative in (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
        if not _hidden(relative)
    )


def names_of(tree: Tree) -> Iterator[str]:
    """The names of all files that belong into the archive, but its map and its RO-Crate."""
    return (name for name in _all_names(tree) if not (tree.light and left_out(name)))


def _all_names(tree: Tree) -> Iterator[str]:
    plan = tree.plan
    yield f"{RESULTS}/{PLAN}"
    yield from plan.files
    yield from _workflow(tree.root)
    yield from files_below(tree.root / PAPER, PAPER)
    yield from made_of_the_paper(tree)
    yield f"{RESULTS}/testbeds/{plan.testbed_name}.json"
    for folder in not_counted(tree):
        yield from _run(tree, folder)
    for experiment in plan.experiments.values():
        for sweep in experiment.sweeps:
            place = f"{RESULTS}/sweeps/{experiment.id}/{sweep.id}"
            count = len(moves(tree.results, experiment.id, sweep.id))
            yield from (f"{place}/move{number}.json" for number in range(count))
            yield f"{place}/end.json"
        yield from made_of(experiment)
    for folder in sorted({f for own in run_folders(tree).values() for f in own}):
        yield from _run(tree, folder)
    yield from made_of_replays(plan)
    yield from made_of_all()


def _run(tree: Tree, folder: str) -> Iterable[str]:
    name = f"{RESULTS}/{folder}"
    return [f"{name}/{file}" for file in (MANIFEST, *files_of(tree.results / folder))]


def workflow_files(root: Path) -> list[str]:
    """Names of the workflow's own files: what `snakemake` in this folder reads as programs."""
    return [name for name in _workflow(root) if name not in ABOUT or name == PROJECT]


def _workflow(root: Path) -> Iterator[str]:
    for name in (*WORKFLOW, *ABOUT):
        if (root / name).is_dir():
            yield from files_below(root / name, name)
        elif (root / name).is_file() or name == crate.WORKFLOW:
            yield name


def _hidden(relative: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
    return hidden or is_company(relative.as_posix())
