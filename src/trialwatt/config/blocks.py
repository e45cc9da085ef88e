"""Blocks: one repetition of every configuration, all mixed, in an order that is drawn.

Time of day, temperature and neighbours drift; in a drawn order they line up neither with the SUTs
nor with the treatments, and within a block they are the same for all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

SCOUTS, _SCOUTED = 0, "scouts"
"""In place of a block's number: what sweeps scout before the first block."""


def scout_folder(folder: str) -> str:
    """Where the scouting run of a configuration is recorded; both below the results folder."""
    return folder.replace("runs/", f"{_SCOUTED}/", 1)


def is_scouted(folder: str) -> bool:
    """Whether a run's folder below the results folder is such a one: kept, shown, not counted."""
    return folder.startswith(f"{_SCOUTED}/")


def scouted_of(folder: str) -> str:
    """The configuration's folder of a scouting run's; any other folder as it is."""
    return folder.replace(f"{_SCOUTED}/", "runs/", 1) if is_scouted(folder) else folder


def drawn(seed: int, block: int, folders: Iterable[str]) -> list[str]:
    """The configurations' folders in the order of a block.

    It follows from the seed, the block's number and their names alone, so that one that is added
    leaves the order of the others as it is.
    """
    return sorted(
        folders, key=lambda name: hashlib.sha256(f"{seed}/{block}/{name}".encode()).digest()
    )


@lru_cache(maxsize=256)
def places(seed: int, block: int, folders: tuple[str, ...]) -> dict[str, int]:
    """Folder → its place in the order of a block, from 0."""
    return {folder: place for place, folder in enumerate(drawn(seed, block, folders))}


def plan_digest(folders: Iterable[str]) -> str:
    """Ten hex digits that tell plans apart by the configurations that they have."""
    return hashlib.sha256("\n".join(sorted(folders)).encode()).hexdigest()[:10]
