"""Whose the connections of a hub are, and how many of each: each one costs the hub a thread.

The hub's port is open to its network, so that the API server reaches it. Who has shown no token
gets no more than a few seconds and a few places, and takes none of those that have shown theirs.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from contextlib import suppress

from trialwatt.platforms.hub.files import Refused

MOST_UNKNOWN = 256
"""Connections that have shown no token, at once; all agents of a run may come together."""
UNKNOWN_S = 5.0
"""So long one of these may take to show it."""
MOST_OF_ONE = 64
"""Connections of one token at once; an agent and its command need less than a dozen."""


class Connections:
    """Where a place is missing among the unknown, the oldest of the address that has the most of
    them goes: who opens many crowds out none but his own."""

    def __init__(self):
        self._unknown: dict[socket.socket, tuple[str, float]] = {}  # address, since; oldest first
        self._known: dict[socket.socket, str] = {}  # → holder of the token
        self._of: Counter[str] = Counter()
        self._lock = threading.Lock()

    def came(self, connection: socket.socket, address: str) -> None:
        with self._lock:
            if len(self._unknown) >= MOST_UNKNOWN:
                addresses = Counter(each for each, _ in self._unknown.values())
                [(busiest, _)] = addresses.most_common(1)
                oldest = next(c for c, (each, _) in self._unknown.items() if each == busiest)
                self._hang_up(oldest)
            self._unknown[connection] = (address, time.monotonic())

    def known(self, connection: socket.socket, holder: str) -> None:
        """It has shown a token. Raises Refused where its holder has too many already."""
        with self._lock:
            if self._known.get(connection) == holder:
                return
            if self._of[holder] >= MOST_OF_ONE:
                raise Refused(503, f"{holder} has {MOST_OF_ONE} connections already")
            self._forget(connection)
            self._known[connection] = holder
            self._of[holder] += 1

    def gone(self, connection: socket.socket) -> None:
        with self._lock:
            self._forget(connection)

    def close_late(self) -> None:
        """Close those that have shown no token in time."""
        with self._lock:
            now = time.monotonic()
            late = [c for c, (_, since) in self._unknown.items() if now - since > UNKNOWN_S]
            for connection in late:
                self._hang_up(connection)

    def _hang_up(self, connection: socket.socket) -> None:
        """Its thread, which may be waiting for it, ends and closes it."""
        self._forget(connection)
        with suppress(OSError):  # its other side was quicker
            connection.shutdown(socket.SHUT_RDWR)

    def _forget(self, connection: socket.socket) -> None:
        self._unknown.pop(connection, None)
        if (holder := self._known.pop(connection, None)) is not None:
            self._of[holder] -= 1
            if not self._of[holder]:
                del self._of[holder]
