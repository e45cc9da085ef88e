"""When an API server, or a hub behind it, did not serve us, and for how long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from trialwatt.clock import Stamp, now
from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import Disturbance

LEAST_S = 1.0
"""A connection that is made again sooner holds nobody up: samples and messages are as old."""
THROTTLED = 429
SERVER = "the API server", "what is started, and what becomes of it"
PROXIED = "the run's hub, by the API server", "messages, records and samples"


class Outages:
    """Of one API server; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: dict[tuple[str, str], tuple[Stamp, int, str]] = {}
        self._over: list[Disturbance] = []

    @contextmanager
    def of(self, path: str) -> Iterator[None]:
        """Around one request: its answer ends an outage, a fault that may pass begins one."""
        part = PROXIED if "/proxy/" in path else SERVER
        try:
            yield
        except Unserved as fault:
            if fault.may_pass:
                with self._lock:
                    self._since.setdefault(part, (now(), fault.status, fault.message))
            else:
                self._answered(part)
            raise
        self._answered(part)

    def taken(self) -> list[Disturbance]:
        """Those that were over since this was last asked."""
        with self._lock:
            found, self._over = self._over, []
        return found

    def _answered(self, part: tuple[str, str]) -> None:
        with self._lock:
            if (begun := self._since.pop(part, None)) is None:
                return
            since, status, message = begun
            seconds = (now().mono_ns - since.mono_ns) / 1e9
            if seconds >= LEAST_S:
                who, waited = part
                kind = "throttled" if status == THROTTLED else "outage"
                how = f"answered {status}: {message}" if status else f"did not answer: {message}"
                self._over.append(Disturbance(kind, since, seconds, f"{who} {how}", waited))


class Unserved(TrialwattError):
    """An answer that is no success. may_pass: another time it may be one; status: 0 for none."""

    may_pass: bool
    status: int
    message: str
