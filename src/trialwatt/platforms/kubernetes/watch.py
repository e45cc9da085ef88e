"""Watching objects of a kind: every change is told once and in order, whatever happens between.

A watch goes on from the last version that it has seen. Where the server has forgotten that (410),
it lists anew and tells what has changed meanwhile, deletions too. Where nobody answers, it tries
again, and says so when that lasts.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

from trialwatt.platforms.kubernetes.access import Api, ApiFault, Lines, Patience

SESSION_S = 240
"""The server ends a watch after this time; it is then resumed."""
SILENCE_S = 90.0
"""A server that says nothing for so long (it sends bookmarks each minute) may be gone."""
OUTAGE_S = 120.0
FIRST_PAUSE_S, MAX_PAUSE_S = 0.2, 3.0
GONE = 410


class Watch:
    """A thread that tells of every object below a path, or of those that a label selector takes.

    changed(object): it is there, or has changed. deleted(object): it is gone; the object as it was
    last seen. lost(fault): nobody has answered for OUTAGE_S, or the server refuses. These are
    called from the thread, one after another.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        changed: Callable[[dict], None],
        deleted: Callable[[dict], None],
        lost: Callable[[ApiFault], None],
        outage_s: float = OUTAGE_S,
        selector: str | None = None,
    ):
        self._api, self._path, self._patience = api, path, Patience(outage_s)
        self._chosen = {"labelSelector": selector}
        self._changed, self._deleted, self._lost = changed, deleted, lost
        self._known: dict[str, dict] = {}  # uid → as last seen
        self._version = ""
        self._stopped = threading.Event()
        self._lines: Lines | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)

    def start(self) -> Watch:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Tell of nothing any more; does not wait for the thread."""
        self._stopped.set()
        if self._lines is not None:
            self._lines.stop()

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopped.is_set():
            begun = time.monotonic()
            try:
                if not self._version:
                    self._list()
                self._follow()
            except ApiFault as fault:
                if fault.status == GONE:
                    self._version = ""
                    self._patience.renew()
                elif self._patience.is_over(fault):
                    if not self._stopped.is_set():
                        self._lost(fault)
                    return
            # A session that was cut off at once must not be asked for in a loop.
            pause = (
                FIRST_PAUSE_S if self._patience.since > begun + 1 else min(2 * pause, MAX_PAUSE_S)
            )
            self._stopped.wait(pause)

    def _list(self) -> None:
        found = self._api.call("GET", self._path, query=self._chosen, outage_s=0)
        there = {}
        for item in found.get("items") or []:
            there[item["metadata"]["uid"]] = item
        for uid, last in list(self._known.items()):
            if uid not in there:
                self._forget(uid, last)
        for item in there.values():
            self._remember(item)
        self._version = found["metadata"]["resourceVersion"]
        self._patience.renew()

    def _follow(self) -> None:
        query = {
            "watch": "1",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": SESSION_S,
            **self._chosen,
        }
        self._lines = self._api.lines(self._path, query, SILENCE_S)
        self._patience.renew()
        for line in self._lines:
            self._patience.renew()
            if self._stopped.is_set():
                return
            if line:
                self._take(json.loads(line))

    def _take(self, event: dict) -> None:
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            status, reason = int(item.get("code") or 0), item.get("reason") or ""
            raise ApiFault(status, reason, item.get("message") or "", f"watch {self._path}")
        self._version = item["metadata"]["resourceVersion"]
        if kind == "DELETED":
            self._forget(item["metadata"]["uid"], item)
        elif kind != "BOOKMARK":
            self._remember(item)

    def _remember(self, item: dict) -> None:
        uid, metadata = item["metadata"]["uid"], item["metadata"]
        before = self._known.get(uid)
        if before and before["metadata"]["resourceVersion"] == metadata["resourceVersion"]:
            return
        metadata.pop("managedFields", None)  # half of each object, and nobody asks
        self._known[uid] = item
        self._changed(item)

    def _forget(self, uid: str, last: dict) -> None:
        self._known.pop(uid, None)
        self._deleted(last)
