"""`trialwatt import`: take another lab's results, once they are verified.

| file | what |
|---|---|
| `results/contrib/<name>/` | the archive, unpacked; `trialwatt verify` works on it |
| `results/contrib/<name>.json` | its name, file name and checksum, and which version verified it |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.files import sha256, write_whole
from trialwatt.printable import printable, shown
from trialwatt.private import remove_folder
from trialwatt.review.verdict import Verdict
from trialwatt.review.verify import unpacked, verify_tree

FOLDER = "contrib"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


class NotVerified(TrialwattError):
    """The archive was looked at, and does not hold."""

    def __init__(self, verdict: Verdict, said: str):
        self.verdict = verdict
        super().__init__(said)


@dataclass(frozen=True)
class Taken:
    """Where the results of another lab are now, and what else is said of their archive."""

    folder: Path
    notes: Sequence[str]


def take_over(archive: Path, name: str, results: Path, code_read: bool = False) -> Taken:
    """Verify an archive and unpack it into `results`/contrib/<name>.

    code_read: see review.verify.verify. Raises TrialwattError where the name is taken or the
    archive does not hold: then nothing of it is kept.
    """
    if not _NAME.fullmatch(name):
        raise TrialwattError(
            f"--name {shown(name, 60)!r}: must be made of lower-case letters, digits and dashes, "
            "41 at most"
        )
    archive, folder = Path(archive), Path(results) / FOLDER / name
    if folder.exists() or folder.with_name(f"{name}.json").exists():
        raise TrialwattError(
            f"{folder}: there are contributed results of this name already; choose another --name, "
            "or remove those"
        )
    if archive.is_dir():
        raise TrialwattError(f"{archive}: is a folder; contributed results come as an archive file")
    with _folders(folder.parent), _part(folder) as part:
        tree, checksum = unpacked(archive, part), sha256(archive)
        verdict = verify_tree(tree, str(archive), code_read)
        if not verdict.ok:
            first = verdict.problems[0]
            raise NotVerified(
                verdict,
                f"{archive}: not imported, as it does not hold: {len(verdict.problems)} problems, "
                f"the first: {shown(first['path'], 400)}: {shown(first['said'])}\n"
                f"`trialwatt verify {archive}` lists them.",
            )
        about = {
            "name": name,
            "archive": archive.name,
            "sha256": checksum,
            "verified_with": metadata.version("trialwatt"),
        }
        tree.root.rename(folder)
    try:
        write_whole(folder.with_name(f"{name}.json"), json.dumps(about, indent=1) + "\n")
    except BaseException:
        remove_folder(folder)
        raise
    return Taken(folder, verdict.notes)


def import_command(archive: Path, name: str, results: Path, code_read: bool = False) -> str:
    """Take an archive over; returns what is said of it."""
    taken = take_over(archive, name, results, code_read)
    notes = [f"note: {note}" for note in taken.notes]
    return printable([f"verified and imported: {taken.folder}", *notes])


@contextmanager
def _part(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to unpack into; removed in the end, with what is still in it."""
    part = folder.with_name(f".{folder.name}.part")
    remove_folder(part)  # of an import that was cut off
    part.mkdir()
    try:
        yield part
    finally:
        remove_folder(part)


@contextmanager
def _folders(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; where what is inside fails, remove those that are new."""
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for place in new:
            with suppress(OSError):  # another import has put something there
                place.rmdir()
        raise
