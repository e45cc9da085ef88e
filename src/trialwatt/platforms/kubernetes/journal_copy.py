"""The coordinator's copy of a run's journal: what the pods write down appears in its own folder."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path

from trialwatt.platforms.hub.journal import Entry, entries
from trialwatt.platforms.kubernetes.access import ApiFault
from trialwatt.platforms.kubernetes.hub_proxy import HubProxy

WAIT_S = 25.0
QUIET_S = 0.25
"""What is not urgent may be so old when it comes here; more would blur the usage samples."""
_MONOTONIC = re.compile(rb'^(\{"t":\d+,"m":)(-?\d+)')


class JournalReader:
    """A thread that reads the hub's journal and passes each entry on, once and in order.

    Record lines and logs are written to `folder` before a later message is passed on.
    take(entry): all other entries. lost(fault): the hub has not answered for long.
    """

    def __init__(
        self,
        proxy: HubProxy,
        folder: Path,
        take: Callable[[Entry], None],
        lost: Callable[[ApiFault], None],
        quiet_s: float = QUIET_S,
    ):
        self._proxy, self._folder, self._quiet_s = proxy, folder, quiet_s
        self._take, self._lost = take, lost
        self._last = 0
        self._reading = threading.Lock()
        self._stopped = threading.Event()
        self.shifts_ns: dict[str, int] = {}
        """Life → what is added to the monotonic stamps of its records: it runs on another machine
        than the life before it, and a file of records has one clock."""
        for name in ("records", "logs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> JournalReader:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Read on no more; does not wait for the thread, which may be in a long poll."""
        self._stopped.set()

    def drain(self) -> None:
        """Read all that is there at this moment. Raises ApiFault."""
        while self._read(wait_s=0, outage_s=5):
            pass

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._read(WAIT_S, None)
            except ApiFault as fault:
                if not self._stopped.is_set():
                    self._lost(fault)
                return

    def _read(self, wait_s: float, outage_s: float | None) -> int:
        """Number of entries; several readers at once never pass one on twice."""
        after = self._last
        path = f"/journal?after={after}&wait={wait_s:g}&quiet={self._quiet_s:g}"
        _, data = self._proxy.ask("GET", path, answer_s=wait_s + 30, outage_s=outage_s)
        found = list(entries(data))
        with self._reading:
            for entry in found:
                if entry.n == self._last + 1:
                    self._pass_on(entry)
                    self._last = entry.n
        return len(found)

    def _pass_on(self, entry: Entry) -> None:
        if entry.stream == "records":
            _append(self._folder / "records" / f"{entry.component}.jsonl", self._shifted(entry))
        elif entry.stream == "log":
            _append(self._folder / "logs" / f"{entry.component}.log", entry.data)
        else:
            self._take(entry)

    def _shifted(self, entry: Entry) -> bytes:
        shift = self.shifts_ns.get(entry.life, 0)
        if not shift:
            return entry.data
        return _MONOTONIC.sub(lambda m: m[1] + b"%d" % (int(m[2]) + shift), entry.data)


def samples(entry: Entry) -> list[list[int]]:
    """Of the stream usage: [monotonic ns, cpu_ns, memory, peak, oom kills] of each sample."""
    return json.loads(entry.data)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
