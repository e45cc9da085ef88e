"""Files that may be a stranger's, read within bounds: a plain file, of a size that there is reason
for, and JSON that no reader of ours trips over.

A named pipe would wait for ever, a device has no end, a page of brackets exhausts the stack, and
two equal keys let two readers see different values. What is refused is told in words.
"""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from trialwatt import plainfile
from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.provenance import jsontext

FILE_BYTES = 2 << 30
"""Of any file: as archivefile.LIMITS."""
JSON_BYTES = 64 << 20
_VALUES = 2_000_000
_MISSING = (errno.ENOENT, errno.ENOTDIR)


class Unreadable(TrialwattError):
    """A file that cannot be used; the message begins with its path."""


class Missing(Unreadable):
    """There is no file at this path."""


def opened(path: Path, most: int = FILE_BYTES) -> BinaryIO:
    """A plain file of at most `most` bytes, open for reading; links to one are followed.

    Raises Missing, or Unreadable for a folder, a pipe, a device, a larger file, one without rights.
    """
    try:
        return plainfile.opened(path, most)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise _said(path, error, most) from error


def read_bytes(path: Path, most: int = FILE_BYTES) -> bytes:
    """The content of a plain file of at most `most` bytes. Raises as `opened`."""
    try:
        return plainfile.read_plain(path, most)
    except (OSError, ValueError) as error:
        raise _said(path, error, most) from error


def read_text(path: Path, most: int = FILE_BYTES) -> str:
    """The same as text. Raises as `opened`, and Unreadable where it is not UTF-8."""
    return _decoded(read_bytes(path, most), _named(path))


def read_json(path: Path, most: int = JSON_BYTES) -> object:
    """What a JSON file says. Raises as `opened` and `parse_json`."""
    return parse_json(read_bytes(path, most), _named(path))


def parse_json(text: bytes | str, where: str) -> object:
    """What a text says as JSON; `where`, which is printable, begins the message.

    Raises Unreadable where it is not UTF-8, has over two million values, or is not JSON as ours is
    (provenance.jsontext).
    """
    whole = text if isinstance(text, str) else _decoded(text, where)
    if whole.count(",") + whole.count("[") + whole.count("{") > _VALUES:
        raise Unreadable(f"{where}: damaged, it has over {_VALUES} values")
    try:
        return jsontext.parse_json(whole)
    except ValueError as error:
        raise Unreadable(f"{where}: damaged, not JSON ({shown(error, 200)})") from error


def checksum(path: Path, most: int = FILE_BYTES) -> str:
    """SHA-256 of a plain file's bytes, in hex. Raises as `opened`."""
    with opened(path, most) as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _said(path, error) from error


def names_below(folder: Path, most: int = 200_000) -> list[str]:
    """Every entry below a folder that is no folder, relative to it, sorted; links are not followed.

    Raises Unreadable where there are more than `most` entries, or a folder cannot be listed.
    """
    found: list[str] = []
    left, entries = [""], 0
    while left:
        inside = left.pop()
        try:
            with os.scandir(folder / inside) as listed:
                for entry in listed:
                    name = f"{inside}/{entry.name}" if inside else entry.name
                    (left if entry.is_dir(follow_symlinks=False) else found).append(name)
                    entries += 1
                    if entries > most:
                        raise Unreadable(f"{_named(folder)}: holds over {most} files and folders")
        except (OSError, ValueError) as error:
            raise _said(folder / inside, error) from error
    return sorted(found)


def _said(path: Path, error: OSError | ValueError, most: int = 0) -> Unreadable:
    if isinstance(error, ValueError) or error.errno in _MISSING:
        return Missing(f"{_named(path)}: there is no such file")
    known = {
        errno.EISDIR: "a folder, where a file should be",
        errno.EINVAL: "a pipe or device, it is not opened",
        errno.EFBIG: f"larger than {most} bytes, it is not read",
    }
    why = known.get(error.errno, f"cannot be read ({error.strerror})")
    return Unreadable(f"{_named(path)}: {why}")


def _named(path: Path) -> str:
    return shown(path, 500)


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{where}: damaged, not UTF-8 (at byte {error.start})") from error
