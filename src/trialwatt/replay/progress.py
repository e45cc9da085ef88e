"""How far replayed searches are, and how long the rest will take: a line now and then."""

from __future__ import annotations

import sys
import time

SAY_S = 10.0
"""Between two lines."""


class Progress:
    """Counts searches, of one strategy or of several; says nothing of what is soon done.

    name: what a line begins with. total: of all strategies.
    """

    def __init__(self, total: int, name: str = ""):
        self._total, self._name = total, f"{name}: " if name else ""
        self._done, self._begun = 0, time.monotonic()
        self._said = self._begun

    def __call__(self, more: int) -> None:
        """So many more are done."""
        self._done += more
        now = time.monotonic()
        if now - self._said < SAY_S or self._done >= self._total:
            return
        self._said = now
        left = (now - self._begun) / self._done * (self._total - self._done)
        print(
            f"{self._name}{self._done} of {self._total} searches, about {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    def skip(self, some: int) -> None:
        """So many will not be replayed."""
        self._total -= some
