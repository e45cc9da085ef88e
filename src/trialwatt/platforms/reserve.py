"""File descriptors that are kept for the clean-up: it needs some, and others may have taken all."""

from __future__ import annotations

import os
from contextlib import suppress

COUNT = 32
"""Enough to walk through groups and processes while other threads take some too."""


class Reserve:
    """Holds so many until they are released. Fewer where there are no more: then they are needed
    for the run itself, which will say so."""

    def __init__(self, count: int = COUNT):
        self._held = list[int]()
        with suppress(OSError):
            for _ in range(count):
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def release(self) -> None:
        """From now on others can have them."""
        while self._held:
            os.close(self._held.pop())
