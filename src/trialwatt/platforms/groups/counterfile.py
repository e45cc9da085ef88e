"""A file of a control group that is read at every sample: opened once, read again and again."""

from __future__ import annotations

import os
from pathlib import Path


class CounterFile:
    """Opened at the first read; opening would be most of the work.

    A read raises OSError where the file is not there, or where its group is gone (ENODEV). An
    open file does not keep the kernel from removing its group.
    """

    def __init__(self, path: Path):
        self._path = path
        self._descriptor = -1

    def number(self) -> int:
        """The file's only word."""
        return int(self._read())

    def field(self, name: bytes) -> int:
        """The number behind `name` on a line of its own; 0 where there is no such line."""
        for line in self._read().splitlines():
            key, _, value = line.partition(b" ")
            if key == name:
                return int(value)
        return 0

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _read(self) -> bytes:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDONLY)
        return os.pread(self._descriptor, 4096, 0)
