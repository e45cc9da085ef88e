"""The hub of a run: journal, post office and files, in a small pod of its own.

    POST /log/<component>/<stream>          → 204 when it is in the journal
    GET  /journal?after=N&wait=S&quiet=S    → entries after the Nth, up to about 1 MB
    GET  /records/<component>               → the component's record lines so far
    POST /inbox                             → 204; lines {"to": <life>, "message": {…}}
    GET  /inbox/<life>?after=N&wait=S       → lines, one for each message; X-Last: the last's number
    POST /retire/<life>                     → 204; from now on nothing is taken from that life
    PUT, GET, DELETE /files/<name>          → whole files, checked by X-Sha256
    GET  /clock                             → {"utc": ns, "mono": ns}
    GET  /healthz                           → 200; the only one that needs no token

A POST carries X-Writer and X-Sequence: repeated ones are taken once. With --files-only it has
files and nothing else. It uses the standard library alone, and one thread for each connection.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from trialwatt.platforms.cgroups.container import OwnGroup
from trialwatt.platforms.hub.client import TOKEN, TOKEN_HEADER
from trialwatt.platforms.hub.files import Files, Refused
from trialwatt.platforms.hub.journal import Journal
from trialwatt.platforms.hub.mailboxes import Mailboxes

HUB = "hub"
"""Its component name, and its pod's."""
PORT = 8080
STREAMS = ("records", "message", "log", "usage", "agent")
QUIET_STREAMS = ("records", "log", "usage")
"""Entries that wait for company before the coordinator is told: what is urgent comes after them."""
MAX_BODY = 8 << 20
MAX_WAIT_S = 60.0
IDLE_S = 300.0
STACK_BYTES = 256 << 10
HZ_VARIABLE = "TRIALWATT_SAMPLE_HZ"


class Hub:
    """What all requests share."""

    def __init__(self, folder: Path, token: str, files_only: bool = False):
        folder.mkdir(parents=True, exist_ok=True)
        self.token = token.encode()
        self.files = Files(folder / "files")
        self.journal = None if files_only else Journal(folder / "journal")
        self.mailboxes = Mailboxes()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512  # all agents of a run may come at once

    def __init__(self, address: tuple[str, int], hub: Hub):
        self.hub = hub
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Request)

    def handle_error(self, request, client_address) -> None:
        """A pod that dies drops its connections: a line is enough. Anything else is a fault."""
        if isinstance(sys.exception(), ConnectionError | TimeoutError):
            print(f"{client_address[0]}: connection lost", file=sys.stderr)
        else:
            super().handle_error(request, client_address)


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_S
    server: Server

    # --- what can be asked --------------------------------------------------------------------

    def do_GET(self) -> None:
        self._serve(
            {
                r"/healthz": self._health,
                r"/clock": self._clock,
                r"/journal": self._journal,
                r"/records/([^/]+)": self._records,
                r"/inbox/([^/]+)": self._take_messages,
                r"/files/(.+)": self._give_file,
            }
        )

    def do_POST(self) -> None:
        self._serve(
            {
                r"/log/([^/]+)/([a-z]+)": self._append,
                r"/inbox": self._post_messages,
                r"/retire/([^/]+)": self._retire,
            }
        )

    def do_PUT(self) -> None:
        self._serve({r"/files/(.+)": self._take_file})

    def do_DELETE(self) -> None:
        self._serve({r"/files/(.+)": self._drop_file})

    def _health(self) -> None:
        self._answer(200, b"ok")

    def _clock(self) -> None:
        moment = {"utc": time.time_ns(), "mono": time.monotonic_ns()}
        self._answer(200, json.dumps(moment).encode())

    def _append(self, component: str, stream: str) -> None:
        if stream not in STREAMS:
            raise Refused(404, f"there is no stream {stream}")
        self._journal_of_run.append(
            component,
            stream,
            self._body(),
            life=self.headers.get("X-Life", ""),
            repeat=self._repeat,
            urgent=stream not in QUIET_STREAMS,
        )
        self._answer(204)

    def _journal(self) -> None:
        quiet_s = self._number("quiet", 0)
        entries = self._journal_of_run.read(int(self._number("after", 0)), self._wait_s, quiet_s)
        self._answer(200, entries)

    def _records(self, component: str) -> None:
        self._answer(200, self._journal_of_run.of(component, "records"))

    def _post_messages(self) -> None:
        lines = [json.loads(line) for line in self._body().splitlines()]
        self.hub.mailboxes.post([(each["to"], each["message"]) for each in lines], self._repeat)
        self._answer(204)

    def _take_messages(self, life: str) -> None:
        messages, last = self.hub.mailboxes.take(life, int(self._number("after", 0)), self._wait_s)
        body = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
        self._answer(200, body, {"X-Last": str(last)})

    def _retire(self, life: str) -> None:
        self._journal_of_run.retire(life)
        self.hub.mailboxes.retire(life)
        self._answer(204)

    def _take_file(self, name: str) -> None:
        length = int(self.headers.get("Content-Length", -1))
        self.hub.files.put(name, self.rfile, length, self.headers.get("X-Sha256", ""))
        self._answer(204)

    def _give_file(self, name: str) -> None:
        with self.hub.files.open(name) as (file, length, digest):
            self.send_response_only(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(length))
            self.send_header("X-Sha256", digest)
            self.end_headers()
            shutil.copyfileobj(file, self.wfile, 1 << 20)

    def _drop_file(self, name: str) -> None:
        self.hub.files.delete(name)
        self._answer(204)

    # --- around each of them ------------------------------------------------------------------

    def _serve(self, routes: dict) -> None:
        parts = urlsplit(self.path)
        self._query = parse_qs(parts.query)
        try:
            if parts.path != "/healthz":
                self._check_token()
            if self.headers.get("X-Life", "") in self.hub.mailboxes.retired:
                raise Refused(410, "this life of the component is over")
            for pattern, work in routes.items():
                if match := re.fullmatch(pattern, parts.path):
                    work(*map(unquote, match.groups()))
                    return
            raise Refused(404, f"there is no {parts.path}")
        except Refused as error:
            self.close_connection = True  # a part of the body may not have been read
            self._answer(error.status, str(error).encode())
        except ValueError as error:
            self.close_connection = True
            self._answer(400, str(error).encode())
        except (ConnectionError, TimeoutError):
            raise
        except OSError as error:  # a full disk: the writer must not take it for written
            self.close_connection = True
            self._answer(507, str(error).encode())

    def _check_token(self) -> None:
        given = self.headers.get(TOKEN_HEADER, "").encode()
        if not hmac.compare_digest(given, self.hub.token):
            raise Refused(401, "wrong token")

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length", 0))
        if length > MAX_BODY:
            raise Refused(413, f"more than {MAX_BODY} bytes")
        body = self.rfile.read(length)
        if len(body) != length:
            raise ConnectionError("the writer was cut off")  # nothing of it is kept
        return body

    def _answer(self, status: int, body: bytes = b"", headers: dict | None = None) -> None:
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if body:
            self.wfile.write(body)

    def _number(self, name: str, default: float) -> float:
        return float(self._query.get(name, [default])[0])

    @property
    def _wait_s(self) -> float:
        return min(self._number("wait", 0), MAX_WAIT_S)

    @property
    def _repeat(self) -> tuple[str, int]:
        return self.headers.get("X-Writer", ""), int(self.headers.get("X-Sequence", 0))

    @property
    def hub(self) -> Hub:
        return self.server.hub

    @property
    def _journal_of_run(self) -> Journal:
        if self.hub.journal is None:
            raise Refused(404, "there are only files here")
        return self.hub.journal

    def log_message(self, *arguments) -> None:
        """No line for each request."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="trialwatt.platforms.hub.server")
    parser.add_argument("--folder", type=Path, default=Path("/run/trialwatt/hub"))
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--address", default="")
    parser.add_argument("--files-only", action="store_true")
    options = parser.parse_args(arguments)
    threading.stack_size(STACK_BYTES)
    hub = Hub(options.folder, os.environ[TOKEN], options.files_only)
    address = options.address or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0")
    server = Server((address, options.port), hub)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # what it has taken is on the disk
    if hub.journal is not None:
        threading.Thread(target=_sample, args=(hub.journal,), daemon=True).start()
    print(f"listening on port {server.server_address[1]}", flush=True)
    server.serve_forever()


def _sample(journal: Journal) -> None:
    """The hub's own use stands in the journal as that of the others does."""
    try:
        group = OwnGroup()
    except OSError as error:
        print(f"the hub's own use is not known: {error}", file=sys.stderr, flush=True)
        return
    pause = 1 / float(os.environ.get(HZ_VARIABLE, "1"))
    while True:
        used = group.usage()
        sample = [time.monotonic_ns(), used.cpu_ns, used.memory_bytes, used.peak_memory_bytes, 0]
        journal.append(HUB, "usage", json.dumps([sample]).encode() + b"\n", life=HUB)
        time.sleep(pause)


if __name__ == "__main__":
    main()
