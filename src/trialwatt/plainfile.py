"""Files that anybody may have put there, read without waiting for them or filling the memory."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_plain(path: Path, most: int) -> bytes:
    """The bytes of a file of at most `most` bytes.

    Raises OSError where it cannot be read, is larger, or is no file: a pipe would never end, a
    device may have no end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "It is no plain file", str(path))
        data = file.read(most + 1) if about.st_size <= most else b""
        if len(data) > most or about.st_size > most:
            raise OSError(errno.EFBIG, f"It has more than {most:,} bytes", str(path))
    return data
