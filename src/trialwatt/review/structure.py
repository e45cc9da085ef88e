"""Is everything there, unchanged, and does each part name the same things as the others?

Checksums of the archive, manifests of the runs, chains of the figures and tables, and the plan
against the configuration files. Nothing is made again here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from trialwatt.config import goals
from trialwatt.config.identity import hash_of
from trialwatt.config.models import AS_RECORDED, Model, Testbed
from trialwatt.config.plan import ELSEWHERE, NAME, Plan
from trialwatt.config.plan_parts import Context, PlannedExperiment
from trialwatt.config.tables import CarbonTable, PowerTable, PriceTable
from trialwatt.config.yaml_files import read_yaml
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.paper.lint import typed_digits
from trialwatt.provenance import crate
from trialwatt.provenance.archivefile import plain_files
from trialwatt.provenance.bounds import is_company
from trialwatt.provenance.chain import Chain, validated
from trialwatt.provenance.crate import left_out
from trialwatt.provenance.foreign import read_json
from trialwatt.records.manifest import MANIFEST, check_shape, files_of
from trialwatt.review.tree import (
    PAPER,
    RESULTS,
    Tree,
    made_of,
    made_of_all,
    made_of_replays,
    made_of_the_paper,
    not_counted,
    run_folders,
)

_CONFIG_BYTES = 4 << 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. path: as the archive calls it. unsafe: nothing may be made of it."""

    path: str
    said: str
    unsafe: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.said}"


class Sums:
    """Checksums of a tree's files by their names in the archive, each read once."""

    def __init__(self, tree: Tree):
        self._tree = tree
        self._known: dict[str, str | None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, name: str) -> str | None:
        """SHA-256 in hex; None where there is no such file."""
        if name not in self._known:
            file = self._tree.file(name)
            self._known[name] = sha256(file) if file.is_file() else None
        return self._known[name]

    def fault(self, name: str, expected: str) -> str:
        """What is wrong with a file that should have this checksum; empty if nothing is."""
        found = self[name]
        if found is None:
            return "missing"
        return "" if found == expected else "changed (its checksum differs)"


def check_listing(tree: Tree, sums: Sums) -> Iterator[Problem]:
    """The files of an unpacked archive against the checksums in its RO-Crate."""
    listed = crate.checksums(tree.root / crate.NAME)
    present = set(plain_files(tree.root)) - {crate.NAME}
    for name in sorted(listed.keys() | present):
        if name not in listed:
            yield Problem(name, f"is not listed in {crate.NAME}")
        elif is_company(name):
            yield Problem(name, "listed, but only a file manager or an editor leaves such a file")
        elif name not in present:
            yield Problem(name, "missing")
        elif fault := sums.fault(name, listed[name]):
            yield Problem(name, fault)


def check_runs(tree: Tree, sums: Sums) -> Iterator[Problem]:
    """Each run's folder against its manifest, and that against the plan."""
    folders = {folder for own in run_folders(tree).values() for folder in own}
    for folder in sorted(folders):
        planned = tree.plan.config(folder.rpartition("/")[0])
        yield from _check_run(tree, sums, folder, planned)
    for folder in not_counted(tree):
        if (tree.results / folder).is_dir():
            yield from _check_files(tree, sums, folder)


def check_chains(tree: Tree, sums: Sums) -> Iterator[Problem]:
    """The chain in each sidecar of a figure or table: its outputs, tables, runs, configuration."""
    own = [name for part in tree.plan.experiments.values() for name in made_of(part)]
    folders = {folder for runs in run_folders(tree).values() for folder in runs}
    paper = [f"{RESULTS}/{PAPER}/paper.json"] if (tree.results / PAPER).is_dir() else []
    for name in [*own, *made_of_replays(tree.plan), *made_of_all(), *paper]:
        if not name.endswith(".json") or name.startswith(f"{RESULTS}/metrics/"):
            continue
        if not tree.file(name).is_file():
            continue  # told where it is compared with the one that is made again
        try:
            content = read_json(tree.file(name))
            if not isinstance(content, dict) or not isinstance(content.get("outputs"), dict):
                raise TrialwattError("damaged, not a sidecar of trialwatt")
            known = validated(content.get("provenance"), where=name)
        except TrialwattError as error:
            yield Problem(name, str(error).removeprefix(f"{name}: "))
            continue
        beside = name.rpartition("/")[0]
        for output, checksum in sorted(content["outputs"].items()):
            if "/" in output or output in ("", ".", ".."):
                yield Problem(name, "names an output outside its folder")
            elif fault := sums.fault(f"{beside}/{output}", checksum):
                yield Problem(f"{beside}/{output}", f"{fault} since it was made")
        yield from _check_links(tree, name, known, folders, sums)


def check_configuration(tree: Tree) -> Iterator[Problem]:
    """Every configuration file that the plan names, and what the plan says that they say."""
    plan, name = tree.plan, f"{RESULTS}/{NAME}"
    missing = [file for file in plan.files if not tree.file(file).is_file()]
    for file in missing:
        outside = not tree.is_archive and "/" not in file
        kept = f"results/{ELSEWHERE}/{file}"
        where = f", from outside the project: copy it to {kept}" if outside else ""
        yield Problem(file, f"missing: a configuration file that the plan names{where}")
    for part in plan.experiments.values():
        yield from (Problem(name, said) for said in _faults_of_runs(plan, part))
    if not missing:
        yield from (Problem(name, said) for said in _faults_of_tables(tree))


def check_paper(tree: Tree) -> Iterator[Problem]:
    """No number is typed into the paper's source: every one is asked for by its name."""
    if not made_of_the_paper(tree):
        return
    for file, line in typed_digits(tree.root / PAPER):
        yield Problem(f"{PAPER}/{file}", f"a number is typed by hand, it is of no record: {line!a}")


def _check_run(tree: Tree, sums: Sums, folder: str, planned: Mapping | None) -> Iterator[Problem]:
    manifest = yield from _check_files(tree, sums, folder)
    if manifest is None:
        return
    name = f"{RESULTS}/{folder}/{MANIFEST}"
    place, _, last = folder.rpartition("/")
    config = manifest.get("config")
    if manifest.get("folder") != place or f"rep{manifest.get('repetition')}" != last:
        there = f"{manifest.get('folder')}, repetition {manifest.get('repetition')}"
        yield Problem(name, f"is of {there}", unsafe=True)
    elif not isinstance(config, dict) or not isinstance(config.get("testbed"), dict):
        yield Problem(name, "has no configuration")
    elif hash_of(config) != manifest.get("hash") or not place.endswith(f"-{manifest['hash']}"):
        yield Problem(name, f"its configuration does not have the hash {manifest.get('hash')}")
    elif planned is None:
        yield Problem(name, "is of a run that the plan does not name")
    elif hash_of(planned) != manifest["hash"]:
        yield Problem(f"{RESULTS}/{NAME}", f"runs.{place}: not the configuration that ran")


def _check_files(tree: Tree, sums: Sums, folder: str):
    """A generator of problems that returns the manifest, None where it cannot be used."""
    name = f"{RESULTS}/{folder}/{MANIFEST}"
    try:
        manifest = read_json(tree.results / folder / MANIFEST)
    except TrialwattError as error:
        yield Problem(name, str(error).partition(": ")[2])
        return None
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict):
        yield Problem(name, "not a run's manifest: it lists no files", unsafe=True)
        return None
    try:
        check_shape(manifest, name)
    except TrialwattError as error:
        yield Problem(name, str(error).removeprefix(f"{name}: "), unsafe=True)
        return None
    for file in sorted({*files, *files_of(tree.results / folder)}):
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            yield Problem(name, "lists a file outside the run's folder", unsafe=True)
        elif file not in files:
            yield Problem(f"{RESULTS}/{folder}/{file}", f"is not in the run's {MANIFEST}")
        elif _is_left_out(tree, f"{RESULTS}/{folder}/{file}"):
            continue
        elif fault := sums.fault(f"{RESULTS}/{folder}/{file}", str(files[file])):
            yield Problem(f"{RESULTS}/{folder}/{file}", f"{fault} since the run")
    return manifest


def _is_left_out(tree: Tree, name: str) -> bool:
    """Whether it is one of the files that a light archive need not have, and is not there."""
    return tree.light and left_out(name) and not tree.file(name).exists()


def _check_links(
    tree: Tree, name: str, known: Chain, folders: set[str], sums: Sums
) -> Iterator[Problem]:
    """folders: of the runs whose records `check_runs` compares with their manifests."""
    links = known.links()
    for run in known.runs:
        place = f"{RESULTS}/{run.folder}"
        if run.folder not in folders:
            yield Problem(name, f"names {run.folder}, which is no run of the plan's")
        links |= {f"{place}/{file}": checksum for file, checksum in run.records.items()}
    for file, checksum in sorted(links.items()):
        if _is_left_out(tree, file):
            continue
        if fault := sums.fault(file, checksum):
            yield Problem(file, f"{fault} since {name} was made from it")


def _faults_of_runs(plan: Plan, part: PlannedExperiment) -> Iterator[str]:
    """Each treatment of an experiment against the configuration that it stands for."""
    for number, run in enumerate(part.runs):
        for key, value in run.treatment.items():
            found = _at(plan.workload_of(run.folder), key)
            if isinstance(found, int | float | str) and found != value:
                where = f"experiments.{part.id}.runs.{number}"
                yield f"{where}: says {key}={value}, but it ran with {found}"


def _at(value: object, key: str) -> object:
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _faults_of_tables(tree: Tree) -> Iterator[str]:
    """Prices, intensities, power models and goals: the plan's against the files'."""
    plan = tree.plan
    testbed = _model(tree, f"config/testbeds/{plan.testbed_name}.yaml", Testbed)
    prices = _model(tree, "config/prices.yaml", PriceTable).sets
    carbon = _model(tree, "config/carbon.yaml", CarbonTable).regions
    power = _model(tree, "config/power.yaml", PowerTable).models
    if testbed.prices not in prices or testbed.region not in carbon:
        named = f"config/testbeds/{plan.testbed_name}.yaml"
        yield f"{named} names prices or a region that there are not"
        return
    stated = Context.of(
        testbed,
        prices[testbed.prices],
        carbon[testbed.region],
        goals.targets(tree.root),
        *(tree.file(file) for file in plan.carbon_series),
    )
    said, found = stated.model_dump(), plan.context.model_dump()
    for values in (said, found):
        values["targets"] = {
            name: target for name, target in values["targets"].items() if name in plan.datasets
        }
    for key in said:
        if said[key] != found[key]:
            yield f"context.{key} is {found[key]}, but by config/ it is {said[key]}"
    if power != plan.power:
        yield "power is not what config/power.yaml says"


def _model(tree: Tree, name: str, kind: type[Model]):
    file = tree.file(name)
    if not file.is_file() or file.stat().st_size > _CONFIG_BYTES:
        raise TrialwattError(f"{name}: missing, or too large for a configuration file")
    data, problems = read_yaml(file, name)
    if problems or data is None:
        raise TrialwattError(str(problems[0]))
    try:
        return kind.model_validate(data, context=AS_RECORDED)
    except ValueError as error:
        raise TrialwattError(f"{name}: {str(error).splitlines()[0]}") from error
