"""`trialwatt import`: take another lab's results, once they are verified.

| file | what |
|---|---|
| `results/contrib/<name>/` | the archive, unpacked; `trialwatt verify` works on it |
| `results/contrib/<name>.json` | its name, file name and checksum, and which version verified it |
"""

from __future__ import annotations

import json
import re
import shutil
from importlib import metadata
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.provenance.archivefile import unpack
from trialwatt.provenance.files import sha256, write_whole
from trialwatt.review.verdict import Verdict
from trialwatt.review.verify import unpacked, verify_tree

FOLDER = "contrib"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


class NotVerified(TrialwattError):
    """The archive was looked at, and does not hold."""

    def __init__(self, verdict: Verdict, said: str):
        self.verdict = verdict
        super().__init__(said)


def take_over(archive: Path, name: str, results: Path, code_read: bool = False) -> Path:
    """Verify an archive and unpack it into `results`/contrib/<name>; returns that folder.

    code_read: see review.verify.verify. Raises TrialwattError where the name is taken or the
    archive does not hold: then nothing of it is kept.
    """
    if not _NAME.fullmatch(name):
        raise TrialwattError(
            f"--name {name!r}: must be made of lower-case letters, digits and dashes, 41 at most"
        )
    archive, folder = Path(archive), Path(results) / FOLDER / name
    if folder.exists() or folder.with_name(f"{name}.json").exists():
        raise TrialwattError(
            f"{folder}: there are contributed results of this name already; choose another --name, "
            "or remove those"
        )
    if archive.is_dir():
        raise TrialwattError(f"{archive}: is a folder; contributed results come as an archive file")
    part = folder.with_name(f".{name}.part")
    if part.exists():
        shutil.rmtree(part)  # of an import that was cut off
    try:
        part.mkdir(parents=True)
        unpack(archive, part)
        verdict = verify_tree(unpacked(part, str(archive)), str(archive), code_read)
        if not verdict.ok:
            first = verdict.problems[0]
            raise NotVerified(
                verdict,
                f"{archive}: not imported, as it does not hold: {len(verdict.problems)} problems, "
                f"the first: {first['path']}: {first['said']}\n"
                f"`trialwatt verify {archive}` lists them.",
            )
        part.rename(folder)
    finally:
        if part.exists():
            shutil.rmtree(part)
    about = {
        "name": name,
        "archive": archive.name,
        "sha256": sha256(archive),
        "verified_with": metadata.version("trialwatt"),
    }
    write_whole(folder.with_name(f"{name}.json"), json.dumps(about, indent=1) + "\n")
    return folder
