"""HTTP to a hub from within its cluster: one connection, requests that may be repeated."""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit

from trialwatt.address import joined
from trialwatt.backoff import repeated
from trialwatt.files import sha256, whole

ADDRESS = "TRIALWATT_HUB"
"""Environment variable of every pod but the hub: http://<address>:<port> of the run's hub."""
TOKEN = "TRIALWATT_HUB_TOKEN"
"""Environment variable of every pod but the hub: what opens the hub to this life alone."""
LIFE = "TRIALWATT_LIFE"
"""Environment variable: the name of the pod. A component that is replaced has several lives."""
TOKEN_HEADER = "X-Trialwatt-Token"
"""Not Authorization: the API server takes that one off what it passes on to a pod."""

PATIENCE_S = 60.0
CONNECT_S = 10.0
CHUNK = 1 << 20


class Retired(OSError):
    """The hub takes nothing more from this life of the component: it has been replaced."""


FAULTS = (OSError, http.client.HTTPException)
FINAL = (Retired, PermissionError, FileNotFoundError)
"""What asking again does not change."""


class HubClient:
    """Not for several threads at once, except for `append`.

    A request that finds no answer is repeated until `patience_s` is over, then OSError is raised.
    """

    def __init__(self, url: str, token: str, patience_s: float = PATIENCE_S):
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._headers = {TOKEN_HEADER: token}
        self._patience_s = patience_s
        self._connection: http.client.HTTPConnection | None = None
        self._writer, self._sequence = secrets.token_hex(8), 0
        self._appending = threading.Lock()

    @classmethod
    def here(cls, patience_s: float = PATIENCE_S) -> HubClient:
        """The hub that the environment names."""
        return cls(os.environ[ADDRESS], os.environ[TOKEN], patience_s)

    def append(self, component: str, stream: str, data: bytes) -> None:
        """Append to the journal; when it returns, the hub has it, and has it once."""
        with self._appending:
            self._sequence += 1
            headers = {"X-Writer": self._writer, "X-Sequence": str(self._sequence)}
            path = f"/log/{quote(component, safe='')}/{stream}"
            self.request("POST", path, data, headers)

    def put(self, name: str, path: Path) -> None:
        """Put a file there, under a name relative to the run's folder."""
        headers = {"X-Sha256": sha256(path)}
        self.request("PUT", f"/files/{quote(name)}", path, headers, answer_s=600)

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is none."""
        self.request("DELETE", f"/files/{quote(name)}")

    def download(self, name: str, target: Path) -> bool:
        """Bring a file; False if the hub has none of that name. Checked by its sha256."""

        def save(response: http.client.HTTPResponse) -> None:
            with whole(target) as part:
                with part.open("wb") as file:
                    shutil.copyfileobj(response, file, CHUNK)
                if sha256(part) != response.headers["X-Sha256"]:
                    raise ConnectionError(f"{name} came damaged")

        status, _ = self.request("GET", f"/files/{quote(name)}", answer_s=600, save=save)
        return status != 404

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Path | None = None,
        headers: dict[str, str] | None = None,
        answer_s: float = 30.0,
        save: Callable[[http.client.HTTPResponse], None] | None = None,
    ) -> tuple[int, bytes]:
        """Status and body of the answer; `save` takes the body of a 200 instead.

        answer_s: how long the hub may stay silent. Raises PermissionError (not with this token),
        Retired, OSError (nobody answers).
        """
        deadline = time.monotonic() + self._patience_s

        def is_over(error: Exception, pause_s: float) -> bool:
            self.close()
            return isinstance(error, FINAL) or time.monotonic() + pause_s > deadline

        def once() -> tuple[int, bytes]:
            return self._once(method, path, body, headers or {}, answer_s, save)

        try:
            return repeated(once, FAULTS, is_over, 0.05, 2.0, jitter=0.5)
        except FINAL:
            raise
        except FAULTS as error:
            raise OSError(
                f"the run's hub at {joined(self._host, self._port)} does not answer ({error!r})"
            ) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _once(self, method, path, body, headers, answer_s, save) -> tuple[int, bytes]:
        connection = self._connect(answer_s)
        if isinstance(body, Path):
            with body.open("rb") as file:
                connection.request(method, path, file, self._sized(file, headers))
                return self._answer(connection, path, save)
        connection.request(method, path, body, self._headers | headers)
        return self._answer(connection, path, save)

    def _sized(self, file: BinaryIO, headers: dict[str, str]) -> dict[str, str]:
        length = str(os.fstat(file.fileno()).st_size)
        return self._headers | headers | {"Content-Length": length}

    def _connect(self, answer_s: float) -> http.client.HTTPConnection:
        if self._connection is None or self._connection.sock is None:  # the hub has closed it
            self._connection = http.client.HTTPConnection(
                self._host, self._port, timeout=CONNECT_S, blocksize=CHUNK
            )
            self._connection.connect()
        self._connection.sock.settimeout(answer_s)
        return self._connection

    def _answer(self, connection, path, save) -> tuple[int, bytes]:
        response = connection.getresponse()
        if response.status == 200 and save is not None:
            save(response)
            return 200, b""
        content = response.read()
        text = content.decode(errors="replace")[:500]
        if response.status == 403:
            raise PermissionError(f"the run's hub refuses {path}: {text}")
        if response.status == 410:
            raise Retired(f"{path}: this life of the component is over")
        if response.status >= 400 and response.status != 404:
            raise ConnectionError(f"{path}: {response.status} {text}")
        return response.status, content
