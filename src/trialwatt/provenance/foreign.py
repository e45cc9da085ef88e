"""Files that may be a stranger's, read within bounds: a plain file, of a size that there is reason
for, and JSON that no reader of ours trips over.

A named pipe would wait for ever, a device has no end, a page of brackets exhausts the stack, and
two equal keys let two readers see different values. What is refused is told in words.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from trialwatt.errors import TrialwattError
from trialwatt.printed import shown

FILE_BYTES = 2 << 30
"""Of any file: as archivefile.LIMITS."""
JSON_BYTES = 64 << 20
_DEPTH = 100
_VALUES = 2_000_000
_LARGEST = 1 << 64
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
        _refuse_unless_plain(path, path.stat(), most)  # before it is opened: that alone can wait
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise _said(path, error) from error
    try:
        _refuse_unless_plain(path, os.fstat(file.fileno()), most)
    except Unreadable:
        file.close()
        raise
    return file


def read_bytes(path: Path, most: int = FILE_BYTES) -> bytes:
    """The content of a plain file of at most `most` bytes. Raises as `opened`."""
    with opened(path, most) as file:
        try:
            data = file.read(most + 1)
        except OSError as error:
            raise _said(path, error) from error
    if len(data) > most:
        raise _too_large(path, most)
    return data


def read_text(path: Path, most: int = FILE_BYTES) -> str:
    """The same as text. Raises as `opened`, and Unreadable where it is not UTF-8."""
    return _decoded(read_bytes(path, most), _named(path))


def read_json(path: Path, most: int = JSON_BYTES) -> object:
    """What a JSON file says. Raises as `opened` and `parse_json`."""
    return parse_json(read_bytes(path, most), _named(path))


def parse_json(text: bytes | str, where: str) -> object:
    """What a text says as JSON; `where`, which is printable, begins the message.

    Raises Unreadable where it is not UTF-8 or not JSON, nests over 100 levels, has over two
    million values, a key twice in one object, a number that is not finite or an integer beyond
    64 bits, or text that no file can hold (half of a surrogate pair).
    """
    whole = text if isinstance(text, str) else _decoded(text, where)
    if whole.count(",") + whole.count("[") + whole.count("{") > _VALUES:
        raise Unreadable(f"{where}: damaged, it has over {_VALUES} values")
    try:
        value = json.loads(whole, object_pairs_hook=_each_key_once, parse_constant=_not_finite)
        _refuse_odd_values(value)
    except RecursionError as error:
        raise Unreadable(f"{where}: damaged, it nests over {_DEPTH} levels") from error
    except ValueError as error:
        raise Unreadable(f"{where}: damaged, not JSON ({shown(error, 200)})") from error
    return value


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


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_unless_plain(path: Path, found: os.stat_result, most: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise Unreadable(f"{_named(path)}: a folder, where a file should be")
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable(f"{_named(path)}: a pipe or device, it is not opened")
    if found.st_size > most:
        raise _too_large(path, most)


def _said(path: Path, error: OSError | ValueError) -> Unreadable:
    if isinstance(error, ValueError) or error.errno in _MISSING:
        return Missing(f"{_named(path)}: there is no such file")
    return Unreadable(f"{_named(path)}: cannot be read ({error.strerror})")


def _too_large(path: Path, most: int) -> Unreadable:
    return Unreadable(f"{_named(path)}: larger than {most} bytes, it is not read")


def _named(path: Path) -> str:
    return shown(path, 500)


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{where}: damaged, not UTF-8 (at byte {error.start})") from error


def _each_key_once(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"key {shown(twice, 60)!r} stands twice in one object")
    return found


def _not_finite(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _refuse_odd_values(value: object) -> None:
    """Level by level, as a value that nests deeply must not be walked by recursion."""
    level = [value]
    for _ in range(_DEPTH):
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inner += one
                inner += one.values()
            elif isinstance(one, list):
                inner += one
            elif isinstance(one, str):
                one.encode()  # ValueError: half of a surrogate pair
            elif isinstance(one, float) and not math.isfinite(one):
                raise ValueError("a number that is too large")
            elif isinstance(one, int) and not -_LARGEST < one < _LARGEST:
                raise ValueError("an integer beyond 64 bits")
        if not inner:
            return
        level = inner
    raise RecursionError
