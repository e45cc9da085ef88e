"""`trialwatt verify`: check results, whosever they are, and say what holds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.printable import printable
from trialwatt.private import remove_folder
from trialwatt.provenance import crate
from trialwatt.provenance.archivefile import BadArchive, unpack
from trialwatt.provenance.plans import read_plan
from trialwatt.review.confined import in_a_fresh_process
from trialwatt.review.signature import Signed, check, signature_of
from trialwatt.review.tree import RESULTS, Tree, archive_within, notes_of, tree_of
from trialwatt.review.verdict import Verdict, render_json, render_text


def verify(
    path: Path,
    signature: Path | None = None,
    signers: Path | None = None,
    code_read: bool = False,
) -> Verdict:
    """Check an archive, an unpacked one, or a results folder.

    signature, signers: see review.signature.check; without them one that lies beside is checked
    against the key that stands in it. code_read: the workflow's own files may be others than those
    of the version that is installed here, as the user has read them. Raises TrialwattError where
    it is no archive and no results folder, damaged, of another workflow, or newer.
    """
    path = Path(path)
    with opened(path) as tree:
        verdict = verify_tree(tree, str(path), code_read)
        checksums = _checksums(path, tree)
        signed = _signed(path, tree, signature, signers)
    problems = list(verdict.problems)
    if signed is not None and not signed.ok:
        problems.append({"path": "signature", "said": signed.said})
    said = signed.said if signed and signed.ok else ""
    return replace(verdict, problems=problems, checksums=checksums, signature=said)


def verify_tree(tree: Tree, place: str, code_read: bool = False) -> Verdict:
    """Check a tree; `place` is how the verdict calls it."""
    with tempfile.TemporaryDirectory(prefix="trialwatt-") as folder:
        answer = in_a_fresh_process("verify", tree, Path(folder, "work"))
        problems, notes, code = answer["problems"], notes_of(tree), answer["code"]
        if tree.plan.replay and answer["is_sound"]:
            again = in_a_fresh_process("replay", tree, Path(folder, "replay"))
            problems, notes = [*problems, *again["problems"]], [*again["notes"], *notes]
    if code_read:
        notes = [*notes, *(f"{one['path']}: {one['said']}" for one in code)]
    else:
        problems = [*problems, *code]
    rounding = answer["rounding"]
    return Verdict(place, problems, answer["counts"], answer["claims"], rounding, notes)


def _checksums(path: Path, tree: Tree) -> dict[str, str]:
    """What tells this archive from any other, however its files lie."""
    if not tree.is_archive:
        return {}
    inside = {
        sha256(tree.root / crate.NAME): f"{crate.NAME}, which lists the checksums of all else"
    }
    return ({sha256(path): path.name} if path.is_file() else {}) | inside


def _signed(path: Path, tree: Tree, signature: Path | None, signers: Path | None) -> Signed | None:
    """Of the archive's file, or of an unpacked one's list of checksums; None if there is none."""
    beside = signature_of(path.absolute())
    if signature is None and not (tree.is_archive and beside.is_file()):
        if signers is None:
            return None
        raise TrialwattError(f"{beside}: missing, and without --signature it is looked for there")
    if not tree.is_archive:
        raise TrialwattError(f"{path}: a results folder; what is signed is an archive of it")
    signed_file = path if path.is_file() else tree.root / crate.NAME
    return check(signed_file, signature or beside, signers)


def remake_command(path: Path, output: Path) -> str:
    """Make everything of an archive's or folder's records again in `output`; returns a sentence."""
    output = Path(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise TrialwattError(f"{output}: is there already; name a new folder with --output")
    part = output.with_name(f".{output.name}.part")
    if part.exists():
        raise TrialwattError(f"{part}: left by a call that was cut off; remove it")
    with opened(path) as tree:
        try:
            answer = in_a_fresh_process("remake", tree, part)
            _leave_records_out(part)
            if output.exists():
                output.rmdir()
            part.rename(output)
        finally:
            remove_folder(part)
        notes = [f"note: {note}" for note in notes_of(tree)]
    failed = [f"{name}: {why}" for name, why in answer["failed"].items()]
    if failed:
        said = printable([f"not everything could be made again in {output}:", *failed])
        raise TrialwattError(said)
    paper = ", and the paper" if answer["paper"] else ""
    made = f"{answer['figures']} figures, all metrics and tables{paper}: {output / RESULTS}"
    return printable([made, *notes])


@contextmanager
def opened(path: Path) -> Iterator[Tree]:
    """The tree of an archive (unpacked for as long as it is looked at), or of a folder."""
    path = Path(path)
    if path.is_dir():
        yield _known(tree_of(path))
        return
    with tempfile.TemporaryDirectory(prefix="trialwatt-") as folder:
        yield unpacked(path, Path(folder))


def unpacked(archive: Path, folder: Path) -> Tree:
    """Unpack an archive into `folder` (empty); its tree, there or one folder down.

    Raises BadArchive where it is none, damaged, not safe, of another workflow, or newer.
    """
    content = unpack(archive, folder)
    place = archive_within(folder)
    if not (place / crate.NAME).is_file():
        raise BadArchive(f"{archive}: no archive of trialwatt, it has no {crate.NAME}")
    inner = "" if place == folder else place.name
    skipped = tuple(content.company)
    try:
        return _known(Tree(place, place / RESULTS, True, inner=inner, skipped=skipped))
    except TrialwattError as error:
        raise BadArchive(f"{archive}: {error}") from error


def _known(tree: Tree) -> Tree:
    """Refuse what is of another workflow, or newer, before anything else is said of it."""
    if tree.is_archive:
        crate.checksums(tree.root / crate.NAME)
    read_plan(tree.results)
    return tree


def _leave_records_out(folder: Path) -> None:
    """The records are the archive's; here they were only linked."""
    for link in (folder / RESULTS).iterdir():
        if link.is_symlink():
            link.unlink()


def verify_command(path: Path, as_json: bool = False, **options) -> int:
    """Print the verdict; 0 where everything holds, else 1. options: as verify takes them."""
    verdict = verify(path, **options)
    print(render_json(verdict) if as_json else render_text(verdict))
    return 0 if verdict.ok else 1
