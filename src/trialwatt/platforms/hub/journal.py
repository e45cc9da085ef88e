"""The hub's journal: one file that only grows; an entry is in it before its writer hears so."""

from __future__ import annotations

import json
import os
import threading
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One entry. n: its number, from 1; life: of which pod of the component it comes."""

    n: int
    component: str
    stream: str
    life: str
    data: bytes


class Journal:
    """Entries are a JSON line each and the bytes behind it. In memory is where each one begins."""

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._offsets = array("Q", [0])  # of each entry; the last one is the end of the file
        self._came = array("d")
        self._urgent = 0  # number of the last urgent entry
        self._seen: dict[str, int] = {}  # writer → its last sequence number
        self._places: dict[tuple[str, str], array] = {}
        self._retired: set[str] = set()
        self._changed = threading.Condition()

    def append(
        self,
        component: str,
        stream: str,
        data: bytes,
        *,
        life: str = "",
        repeat: tuple[str, int] = ("", 0),
        urgent: bool = False,
    ) -> None:
        """Write an entry, once for each `repeat` (writer, sequence number). Raises OSError."""
        writer, sequence = repeat
        with self._changed:
            if (writer and sequence <= self._seen.get(writer, 0)) or life in self._retired:
                return
            n = len(self._offsets)
            head = {"n": n, "c": component, "s": stream, "l": life, "z": len(data)}
            rest = whole = json.dumps(head).encode() + b"\n" + data
            try:
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError:
                os.ftruncate(self._file, self._offsets[-1])  # no half entry
                raise
            if writer:
                self._seen[writer] = sequence
            if stream == "records":
                self._places.setdefault((component, stream), array("Q")).append(n)
            self._offsets.append(self._offsets[-1] + len(whole))
            self._came.append(time.monotonic())
            if urgent:
                self._urgent = n
            self._changed.notify_all()

    def read(self, after: int, wait_s: float, quiet_s: float = 0) -> bytes:
        """Entries after number `after`, as `entries` reads them; waits where there is none.

        An entry that is not urgent is told of after quiet_s, or with one that is.
        """
        deadline = time.monotonic() + wait_s
        with self._changed:
            while True:
                now = time.monotonic()
                ready = deadline
                if after < len(self._came):
                    ready = 0 if self._urgent > after else self._came[after] + quiet_s
                if now >= min(ready, deadline):
                    break
                self._changed.wait(min(ready, deadline) - now)
            first, last = min(after, len(self._came)), len(self._came)
            begin = self._offsets[first]
            while last > first + 1 and self._offsets[last] - begin > READ_BYTES:
                last = first + max(1, (last - first) // 2)
            size = self._offsets[last] - begin
        return os.pread(self._file, size, begin)

    def of(self, component: str, stream: str) -> bytes:
        """All that a component has written into a stream that is kept by component (records)."""
        with self._changed:
            places = list(self._places.get((component, stream), ()))
            spans = [(self._offsets[n - 1], self._offsets[n]) for n in places]
        parts = []
        for begin, end in spans:
            [entry] = entries(os.pread(self._file, end - begin, begin))
            parts.append(entry.data)
        return b"".join(parts)

    def retire(self, life: str) -> None:
        """Take nothing more from this life of a component."""
        with self._changed:
            self._retired.add(life)


def entries(data: bytes) -> Iterator[Entry]:
    """The entries in a part of a journal that begins and ends with whole ones."""
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        head = json.loads(data[at:end])
        at = end + 1 + head["z"]
        yield Entry(head["n"], head["c"], head["s"], head["l"], data[end + 1 : at])
