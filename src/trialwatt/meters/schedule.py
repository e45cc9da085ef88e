"""Beats at fixed moments of the monotonic clock."""

from __future__ import annotations

import time


class Beats:
    """Deadlines every 1/hz seconds from now on; beats that were missed are skipped, not caught up.

    `missed` counts them.
    """

    def __init__(self, hz: float):
        self._period_ns = 1_000_000_000 / hz
        self._start_ns = time.monotonic_ns()
        self._beat = 0
        self.missed = 0

    def wait_s(self) -> float:
        """Moves on to the next beat and returns the seconds until then."""
        now_ns = time.monotonic_ns()
        due = int((now_ns - self._start_ns) / self._period_ns) + 1
        # A wait may end early by the clock's resolution: never give the same beat twice.
        due = max(due, self._beat + 1)
        self.missed += due - self._beat - 1
        self._beat = due
        return max(0.0, (self._start_ns + due * self._period_ns - now_ns) / 1e9)
