"""Which code made a thing: version and, in a git checkout, the commit."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path


def code_version(root: Path) -> dict:
    """`{version, commit, dirty}` of the checkout at `root`.

    `dirty` says that the checkout holds changes that are in no commit. Where `root` is not the
    top of a git checkout (an unpacked archive, an installed package), or git is not installed,
    `commit` and `dirty` are None.
    """
    commit = dirty = None
    top = _git(root, "rev-parse", "--show-toplevel")
    # A checkout around us (an archive unpacked in someone's repository) says nothing about us.
    if top is not None and Path(top).resolve() == Path(root).resolve():
        commit = _git(root, "rev-parse", "HEAD")
        status = _git(root, "status", "--porcelain") if commit else None
        dirty = None if status is None else bool(status)
    return {"version": metadata.version("trialwatt"), "commit": commit, "dirty": dirty}


def _git(root: Path, *arguments: str) -> str | None:
    """Output of a git command, None where git cannot answer."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
