"""Checksums are of bytes: a clone has the same, whatever git is told to do with line ends."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from trialwatt.provenance import crate

ROOT = Path(__file__).resolve().parents[1]
LINK = "120000 "
"""Git's mode of a link, of which it keeps where it leads."""


def git(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        input=stdin,
    ).stdout


def is_a_checkout() -> bool:
    if shutil.which("git") is None:
        return False
    asked = ["git", "-C", str(ROOT), "rev-parse", "--verify", "HEAD"]
    found = subprocess.run(asked, capture_output=True, check=False).returncode == 0
    return found and (ROOT / ".git").exists()


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A clone as one has it where git turns line ends into those of Windows."""
    if not is_a_checkout():
        pytest.skip("this is no git checkout, so there is nothing to clone")
    folder = tmp_path_factory.mktemp("clone") / "trialwatt"
    options = ["-c", "core.autocrlf=true", "-c", "core.eol=crlf", "--depth", "1", "--quiet"]
    git(ROOT, "clone", *options, f"file://{ROOT}", str(folder))
    return folder


def test_every_file_is_the_one_that_was_committed(clone):
    lines = git(clone, "ls-files", "-sz").split("\0")
    listed = [line.split("\t", 1) for line in lines if line and not line.startswith(LINK)]
    names = [name for _, name in listed]
    assert {"Snakefile", "config/config.yaml", "paper/main.typ"} <= set(names)
    asked = "".join(f"{name}\n" for name in names)
    there = git(clone, "hash-object", "--no-filters", "--stdin-paths", stdin=asked).split()
    changed = [
        name
        for (about, name), found in zip(listed, there, strict=True)
        if about.split()[1] != found
    ]
    assert changed == []


def test_every_file_of_the_reference_has_its_checksum(clone):
    reference = clone / "results/reference"
    if not (reference / crate.NAME).is_file():
        pytest.skip("results/reference has not been committed")
    listed = crate.checksums(reference / crate.NAME)
    assert len(listed) > 100
    changed = [
        name
        for name, checksum in sorted(listed.items())
        if hashlib.sha256((reference / name).read_bytes()).hexdigest() != checksum
    ]
    assert changed == []
