"""From a results folder to one archive file: everything that a stranger needs, with its map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from trialwatt import suts
from trialwatt.config.paths import placed
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.provenance import crate
from trialwatt.provenance.archivefile import write_archive
from trialwatt.provenance.chain import code_version
from trialwatt.provenance.crate import left_out
from trialwatt.provenance.foreign import read_json
from trialwatt.records.manifest import MANIFEST
from trialwatt.review import artifact
from trialwatt.review.signature import sign, signature_of
from trialwatt.review.structure import Sums, check_chains, check_configuration, check_runs
from trialwatt.review.tree import (
    RESULTS,
    Tree,
    contents,
    made_of,
    made_of_all,
    made_of_replays,
    run_folders,
    tree_of,
)

FOLDER = "archive"
"""Below the results folder."""
_SHOWN = 5
_RUN_PARTS = 5
"""results/runs/<testbed>/<run>/rep<n>"""


def pack(
    root: Path,
    results: Path,
    output: Path,
    config_files: Iterable[str | Path] = (),
    code: Mapping | None = None,
    light: bool = False,
) -> Path:
    """Write the archive of a results folder whose workflow is done; returns `output`.

    config_files: those of the plan as they were named, so that one outside the root is found of
    which the results have no copy.
    code: of the workflow (default: of the checkout at `root`). light: without figures, report,
    logs and weights, which `trialwatt remake` makes again or nothing is made of. The same results
    give the same bytes; a light archive can be made of the records of a light archive. Raises
    TrialwattError where something is missing, or does not belong together.
    """
    tree = Tree(Path(root), Path(results), is_archive=False)
    named = {placed(Path(root) / file, Path(root)): Path(root) / file for file in config_files}
    elsewhere = {name: file for name, file in named.items() if not tree.file(name).is_file()}
    found: dict[str, Path | bytes] = {
        name: file
        for name, file in contents(tree, elsewhere).items()
        if not (light and left_out(name))
    }
    if not elsewhere:  # where some are, only the archive has them all in their places
        _check(replace(tree, to_be_light=light))
    described = artifact.describe(tree)
    found[artifact.JSON_NAME] = artifact.as_json(described).encode()
    found[artifact.TEXT_NAME] = artifact.as_markdown(described).encode()
    found[crate.NAME] = crate.metadata(found, _described(tree, found, code))
    return write_archive(Path(output), found)


def archive_command(
    place: Path,
    output: Path | None,
    light: bool,
    key: Path | None,
    config_files: Iterable[Path],
) -> str:
    """Write the archive of a results folder and sign it with an SSH key, or sign one that is there
    already; returns a sentence.

    output: by default where the workflow writes it. config_files: those that lay outside the
    project. Raises TrialwattError as `pack` and `signature.sign` do, and where there is nothing to
    do.
    """
    place = Path(place)
    if place.is_file() or (place / crate.NAME).is_file():
        if key is None or output or light:
            raise TrialwattError(f"{place}: is an archive already; it can only be signed (--sign)")
        return _signed(place, key)
    tree = tree_of(place)
    target = output or place / FOLDER / f"trialwatt-{tree.plan.testbed_name}{'-light' * light}.zip"
    named = [tree.file(name) for name in tree.plan.files if tree.file(name).is_file()]
    made = pack(tree.root, place, target, [*named, *map(Path.absolute, config_files)], light=light)
    return _signed(made, key) if key else f"{made}\nSHA-256 {sha256(made)}"


def _signed(archive: Path, key: Path) -> str:
    """Sign an archive's file; of an unpacked one its list of checksums, with the signature beside
    the folder, as nothing is added to an archive."""
    if archive.is_file():
        signed, beside = archive, signature_of(archive)
    else:
        signed, beside = archive / crate.NAME, signature_of(archive.absolute())
    sign(signed, key, beside)
    return f"{archive}\nSHA-256 {sha256(signed)}  {signed.name}\nsigned: {beside}"


def _check(tree: Tree) -> None:
    """Refuse what `trialwatt verify` would find wrong without making anything again."""
    sums = Sums(tree)
    problems = [*check_configuration(tree), *check_runs(tree, sums), *check_chains(tree, sums)]
    if not problems:
        return
    each = "\n".join(f"  {problem}" for problem in problems[:_SHOWN])
    more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise TrialwattError(
        f"the results do not belong together, so there is no archive of them:\n{each}{more}\n"
        "Make the metrics, tables and figures anew from the records: "
        f"rm -r {tree.results}/metrics {tree.results}/tables {tree.results}/figures && "
        "snakemake --profile local archive"
    )


def _described(tree: Tree, found: Mapping[str, Path | bytes], code: Mapping | None):
    plan = tree.plan
    folders = sorted({one for own in run_folders(tree).values() for one in own})
    made = {name for part in plan.experiments.values() for name in made_of(part)}
    made |= {*made_of_replays(plan), *made_of_all()}
    experiments = ", ".join(plan.experiments)
    of_run: dict[str, list[str]] = {}
    for name in sorted(found):
        of_run.setdefault("/".join(name.split("/")[:_RUN_PARTS]), []).append(name)
    return crate.Described(
        name=f"Trialwatt results on {plan.testbed_name}",
        description=(
            "Energy, carbon, money, time and waste of hyperparameter searches: records, metrics, "
            f"tables and figures of the experiments {experiments}. {artifact.TEXT_NAME} maps "
            "contributions to them; `trialwatt verify` checks the whole."
        ),
        license="https://spdx.org/licenses/MIT",
        code=code or code_version(tree.root),
        inputs=plan.files,
        results=sorted(made.intersection(found)),
        runs=[_action(tree, folder, of_run) for folder in folders],
    )


def _action(tree: Tree, folder: str, of_run: Mapping) -> crate.RunAction:
    manifest = read_json(tree.results / folder / MANIFEST)
    sut = manifest["config"]["sut"]
    name = f"{RESULTS}/{folder}"
    return crate.RunAction(
        folder=name,
        sut=sut,
        version=_version_of(sut, manifest.get("packages") or {}),
        status=manifest["status"],
        started_utc_ns=manifest.get("started_utc_ns"),
        ended_utc_ns=manifest.get("ended_utc_ns"),
        results=of_run[name],
    )


def _version_of(sut: str, packages: Mapping[str, str]) -> str | None:
    """That of the package which the SUT declares, else of its own code, where it is known here."""
    if sut not in suts.names():
        return None
    kind = suts.get(sut)
    return packages.get(kind.package or kind.__module__.partition(".")[0])
