"""The workflow's own files in an archive against those of the version that it names.

An archive brings its Snakefile, rules and scripts, so that whoever has the machine can measure
again. They are programs: `snakemake` in an unpacked archive runs them. Nothing here does.

`code.json` holds the checksums for each version, the newest last; `python -m trialwatt.review.code`
in a checkout writes the entry of the version that is installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from trialwatt.files import sha256, write_whole
from trialwatt.review.structure import Problem, Sums
from trialwatt.review.tree import Tree, workflow_files

_LISTING = Path(__file__).with_name("code.json")


def check_code(tree: Tree, sums: Sums) -> Iterator[Problem]:
    """Every file of the workflow that is not as in the version that is installed here."""
    version = metadata.version("trialwatt")
    expected = _listing().get(version, {})
    present = workflow_files(tree.root)
    for name in sorted(expected.keys() | set(present)):
        if name not in expected:
            said = f"code differs from version {version}, which has no such file"
        elif name not in present:
            said = f"code differs from version {version}: this file of it is missing"
        elif sums[name] != expected[name]:
            said = f"code differs from version {version}"
        else:
            continue
        yield Problem(name, f"{said}: do not run it unread")


def write_listing(root: Path) -> Path:
    """Put the workflow's files of a checkout into the listing, as those of this version."""
    version = metadata.version("trialwatt")
    files = {name: sha256(root / name) for name in sorted(workflow_files(root))}
    text = json.dumps(_listing() | {version: files}, indent=1) + "\n"
    write_whole(_LISTING, text)
    _listing.cache_clear()
    return _LISTING


@cache
def _listing() -> dict[str, dict[str, str]]:
    return json.loads(_LISTING.read_text(encoding="utf-8")) if _LISTING.is_file() else {}


if __name__ == "__main__":
    print(write_listing(Path.cwd()))
