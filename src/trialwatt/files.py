"""Checksums, and files that are either whole or not there."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, data: bytes | str, synced: bool = False) -> None:
    """Write under a temporary name in the same folder, then rename: nothing half-written.

    synced: the content is on the disk when this returns.
    """
    content = data.encode() if isinstance(data, str) else data
    with whole(path) as part, part.open("wb") as file:
        file.write(content)
        if synced:
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder, to write to: the file is at `path` after the block,
    and nowhere if the block raises. Nobody who shares the folder can foresee that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
