"""Files that anybody may have put there, read without waiting for them or filling the memory."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def opened(path: Path, most: int) -> BinaryIO:
    """A plain file of at most `most` bytes, open for reading; links to one are followed.

    Raises OSError where it cannot be read, is larger (EFBIG), or is no file: a folder (EISDIR), a
    pipe, which would never end, or a device, which may have no end (EINVAL).
    """
    _refuse_unless_plain(path, path.stat(), most)  # before it is opened: that alone can wait
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    try:
        _refuse_unless_plain(path, os.fstat(file.fileno()), most)
    except OSError:
        file.close()
        raise
    return file


def read_plain(path: Path, most: int) -> bytes:
    """The bytes of a plain file of at most `most` bytes. Raises as `opened`."""
    with opened(path, most) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _too_large(path, most)
    return data


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_unless_plain(path: Path, found: os.stat_result, most: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "It is no plain file", str(path))
    if found.st_size > most:
        raise _too_large(path, most)


def _too_large(path: Path, most: int) -> OSError:
    return OSError(errno.EFBIG, f"It has more than {most:,} bytes", str(path))
