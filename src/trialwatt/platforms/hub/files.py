"""Whole files that a hub keeps for others, under names relative to the run's folder."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from trialwatt.files import sha256
from trialwatt.platforms.hub.client import CHUNK

MOST_PARTS = 8


class Refused(Exception):
    """An answer that is no success: its status, and why."""

    def __init__(self, status: int, message: str):
        self.status = status
        super().__init__(message)


class Files:
    """A file appears when all of it is there and has the right checksum."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._digests: dict[str, tuple[int, str]] = {}  # name → (inode, sha256)
        self._lock = threading.Lock()

    def put(self, name: str, source: BinaryIO, length: int, digest: str) -> None:
        """Take `length` bytes from `source`. Raises Refused (400: another sha256), OSError."""
        target = self._path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{secrets.token_hex(4)}.part")
        seen, left = hashlib.sha256(), length
        try:
            with part.open("wb") as file:
                while left:
                    chunk = source.read(min(left, CHUNK))
                    if not chunk:
                        raise ConnectionError("the sender was cut off")
                    seen.update(chunk)
                    file.write(chunk)
                    left -= len(chunk)
            if digest and seen.hexdigest() != digest:
                raise Refused(400, f"{name}: its sha256 is not {digest}")
            with self._lock:
                self._digests[name] = (part.stat().st_ino, seen.hexdigest())
                part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def open(self, name: str) -> Iterator[tuple[BinaryIO, int, str]]:
        """The file, its length and its sha256. Raises Refused (404)."""
        try:
            file = self._path(name).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise Refused(404, f"there is no file {name}") from error
        with file:
            status = os.fstat(file.fileno())
            with self._lock:
                inode, digest = self._digests.get(name, (0, ""))
            if inode != status.st_ino:  # from before this process started
                digest = sha256(self._path(name))
                with self._lock:
                    self._digests[name] = (status.st_ino, digest)
            yield file, status.st_size, digest

    def delete(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        if len(parts) > MOST_PARTS or not all(
            re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}", part) for part in parts
        ):
            raise Refused(400, f"{name[:200]!r} is no name of a file here")
        return self._folder.joinpath(*parts)
