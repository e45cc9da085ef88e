"""The coordinator's side of the hub, through the API server: no pod needs an address outside."""

from __future__ import annotations

import hashlib
import json
import queue
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from trialwatt.backoff import repeated
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256, write_whole
from trialwatt.platforms.hub.client import TOKEN_HEADER
from trialwatt.platforms.hub.server import HUB, PORT
from trialwatt.platforms.kubernetes.access import OUTAGE_S, Api, ApiFault, Patience

PAUSE_S, MAX_PAUSE_S = 0.1, 2.0
FILE_S = 600.0
RETIRE_S = 3.0
"""Many lives may be retired one after another while the hub is gone."""


class HubProxy:
    """Requests to a hub. Each may be repeated; safe to use from several threads.

    What passes is repeated, of the API server, where it does not reach the hub, and of the hub. A
    hub that has no room for a line says 507, which is final.
    """

    def __init__(
        self, api: Api, namespace: str, token: str, outage_s: float = OUTAGE_S, pod: str = HUB
    ):
        self._api, self._outage_s = api, outage_s
        self._path = f"/api/v1/namespaces/{namespace}/pods/{pod}:{PORT}/proxy"
        self._headers = {TOKEN_HEADER: token}
        self._writer, self._sequence = secrets.token_hex(8), 0
        self._posting = threading.Lock()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict | None = None,
        answer_s: float = 30.0,
        outage_s: float | None = None,
    ) -> tuple[dict, bytes]:
        """Headers and body of the answer. Raises ApiFault; 404 at once, others when it lasts."""
        outage_s = self._outage_s if outage_s is None else outage_s
        headers = self._headers | (headers or {})

        def once() -> tuple[dict, bytes]:
            return self._api.raw(
                method, self._path + path, body, headers=headers, answer_s=answer_s
            )[1:]

        return repeated(once, ApiFault, Patience(outage_s).is_over, PAUSE_S, MAX_PAUSE_S)

    def send(self, messages: list[tuple[str, dict]]) -> None:
        """Put messages (life, message) into the boxes of components."""
        body = "".join(json.dumps({"to": life, "message": each}) + "\n" for life, each in messages)
        with self._posting:
            self._sequence += 1
            headers = {"X-Writer": self._writer, "X-Sequence": str(self._sequence)}
            self.ask("POST", "/inbox", body.encode(), headers)

    def retire(self, life: str) -> None:
        """Nothing more is taken from this life of a component."""
        self.ask("POST", f"/retire/{quote(life)}", b"", outage_s=RETIRE_S)

    def put(self, name: str, path: Path) -> None:
        headers = {"X-Sha256": sha256(path)}
        self.ask("PUT", f"/files/{quote(name)}", path.read_bytes(), headers, FILE_S)

    def get(self, name: str, path: Path) -> bool:
        """Bring a file; False where the hub has none of that name."""
        try:
            headers, data = self.ask("GET", f"/files/{quote(name)}", answer_s=FILE_S)
        except ApiFault as fault:
            if fault.status == 404:
                return False
            raise
        if hashlib.sha256(data).hexdigest() != headers["X-Sha256"]:
            raise TrialwattError(f"{name} came damaged from the run's hub")
        write_whole(path, data)
        return True

    def clock(self) -> dict:
        """The hub's clocks at this moment: utc and mono, in nanoseconds."""
        return json.loads(self.ask("GET", "/clock", outage_s=5)[1])


class Sender:
    """A thread that posts messages in the order in which they are given to it; `send` never waits.

    failed(error): the hub has not taken one, and none after it will be sent.
    """

    def __init__(self, hub: HubProxy, failed: Callable[[ApiFault], None]):
        self._hub, self._failed = hub, failed
        self._queue: queue.SimpleQueue[tuple[str, dict] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="messages", daemon=True)
        self._thread.start()

    def send(self, life: str, message: dict) -> None:
        json.dumps(message, allow_nan=False)  # a fault of the caller, and not of the thread
        self._queue.put((life, message))

    def close(self, patience_s: float = 5.0) -> None:
        self._queue.put(None)
        self._thread.join(patience_s)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while not self._queue.empty():
                if (each := self._queue.get()) is None:
                    self._queue.put(None)
                    break
                batch.append(each)
            try:
                self._hub.send(batch)
            except ApiFault as fault:
                self._failed(fault)
                return
