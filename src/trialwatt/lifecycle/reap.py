"""Clean up after a coordinator that was killed: processes, groups and half-written folders."""

from __future__ import annotations

import shutil
from importlib.metadata import entry_points
from pathlib import Path

PARTIAL = ".partial"
"""Folder in the results where a run lives until it is whole."""


def reap(results: Path, platform: str) -> list[str]:
    """Remove what dead runs have left; returns a sentence for each. Call with the measuring lock.

    Runs that are alive on this machine (another user's, say) are not touched.
    """
    kind = entry_points(group="trialwatt.platforms")[platform].load()
    said = [f"removed the processes of run {run}, which was cut off" for run in kind.reap()]
    for folder in sorted((results / PARTIAL).glob("*")):
        shutil.rmtree(folder)
        said.append(f"removed the half-written records of run {folder.name}")
    return said
