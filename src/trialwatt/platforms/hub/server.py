"""The hub of a run: journal, post office and files, in a small pod of its own.

    POST /log/<component>/<stream>          → 204 when it is in the journal
    GET  /records/<component>               → the component's record lines so far
    GET  /inbox/<life>?after=N&wait=S       → lines, one for each message; X-Last: the last's number
    GET  /files/<name>                      → a whole file; X-Sha256
    PUT, DELETE /files/<name>               → 204; checked by X-Sha256
    GET  /clock                             → {"utc": ns, "mono": ns}
    GET  /healthz                           → 200; the only one that needs no token

and, of the coordinator alone:

    GET  /journal?after=N&wait=S&quiet=S    → entries after the Nth, up to about 1 MB
    POST /inbox                             → 204; lines {"to": <life>, "message": {…}}
    POST /retire/<life>                     → 204; from now on nothing is taken from that life

A life of a component writes the journal of its component, takes the messages to itself, and puts
files whose own name begins with its component's and "_" (weights/worker-0_3.safetensors); the
coordinator may do all of it. A POST carries X-Writer and X-Sequence: repeated ones are taken once.
With --files-only it has files and nothing else. It uses the standard library alone, and one thread
for each connection.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import math
import os
import re
import resource
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
from trialwatt.platforms.hub.client import TOKEN_HEADER
from trialwatt.platforms.hub.connections import Connections
from trialwatt.platforms.hub.files import Files, Refused
from trialwatt.platforms.hub.journal import Journal
from trialwatt.platforms.hub.mailboxes import Mailboxes
from trialwatt.platforms.hub.tokens import COORDINATOR, KEY, component_of, holder_of

HUB = "hub"
"""Its component name, and its pod's."""
PORT = 8080
STREAMS = ("records", "message", "log", "usage", "agent")
QUIET_STREAMS = ("records", "log", "usage")
"""Entries that wait for company before the coordinator is told: what is urgent comes after them."""
MAX_HEAD = 16 << 10
MAX_BODY = 8 << 20
MAX_WAIT_S = 60.0
IDLE_S = 300.0
STACK_BYTES = 256 << 10
HZ_VARIABLE = "TRIALWATT_SAMPLE_HZ"


class Hub:
    """What all requests share."""

    def __init__(self, folder: Path, key: str, files_only: bool = False):
        folder.mkdir(parents=True, exist_ok=True)
        self.key = key
        self.files = Files(folder / "files")
        self.journal = None if files_only else Journal(folder / "journal")
        self.mailboxes = Mailboxes()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512  # all agents of a run may come at once

    def __init__(self, address: tuple[str, int], hub: Hub):
        self.hub, self.connections = hub, Connections()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Request)

    def process_request(self, request, client_address) -> None:
        self.connections.came(request, client_address[0])
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        self.connections.gone(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called after each connection, and twice a second."""
        self.connections.close_late()

    def handle_error(self, request, client_address) -> None:
        """A pod that dies drops its connections: a line is enough. Anything else is a fault."""
        if isinstance(sys.exception(), ConnectionError | TimeoutError | http.client.LineTooLong):
            print(f"{client_address[0]}: connection lost", file=sys.stderr)
        else:
            super().handle_error(request, client_address)


class _Lines(io.BufferedReader):
    """What a connection sends. All lines of a request's head together have room for so much."""

    room = 0

    def readline(self, size: int | None = -1) -> bytes:
        line = super().readline(self.room + 1)
        self.room -= len(line)
        if self.room < 0:
            raise http.client.LineTooLong("a request's head")
        return line


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_S
    server: Server

    def setup(self) -> None:
        super().setup()
        self.rfile = _Lines(self.rfile.detach())

    def handle_one_request(self) -> None:
        self.rfile.room = MAX_HEAD
        super().handle_one_request()

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
        self.close_connection = True  # who asks this alone keeps no place
        self._answer(200, b"ok")

    def _clock(self) -> None:
        moment = {"utc": time.time_ns(), "mono": time.monotonic_ns()}
        self._answer(200, json.dumps(moment).encode())

    def _append(self, component: str, stream: str) -> None:
        self._only(component_of(self._holder) == component)
        if stream not in STREAMS:
            raise Refused(404, f"there is no stream {stream}")
        self._journal_of_run.append(
            component,
            stream,
            self._body(),
            life=self._holder,
            repeat=self._repeat,
            urgent=stream not in QUIET_STREAMS,
        )
        self._answer(204)

    def _journal(self) -> None:
        self._only()
        quiet_s = self._seconds("quiet")
        entries = self._journal_of_run.read(self._after, self._seconds("wait"), quiet_s)
        self._answer(200, entries)

    def _records(self, component: str) -> None:
        self._only(component_of(self._holder) == component)
        self._answer(200, self._journal_of_run.of(component, "records"))

    def _post_messages(self) -> None:
        self._only()
        self.hub.mailboxes.post(_messages(self._body()), self._repeat)
        self._answer(204)

    def _take_messages(self, life: str) -> None:
        self._only(self._holder == life)
        messages, last = self.hub.mailboxes.take(life, self._after, self._seconds("wait"))
        body = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
        self._answer(200, body, {"X-Last": str(last)})

    def _retire(self, life: str) -> None:
        self._only()
        self._journal_of_run.retire(life)
        self.hub.mailboxes.retire(life)
        self._answer(204)

    def _take_file(self, name: str) -> None:
        self._only(self._is_own_file(name))
        self.hub.files.put(name, self.rfile, self._length, self.headers.get("X-Sha256", ""))
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
        self._only(self._is_own_file(name))
        self.hub.files.delete(name)
        self._answer(204)

    # --- around each of them ------------------------------------------------------------------

    def _serve(self, routes: dict) -> None:
        try:
            parts = urlsplit(self.path)
            self._query = parse_qs(parts.query)
            self._length = self._said_length()
            if parts.path != "/healthz":
                self._holder = self._known_holder()
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
        except (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
            self.close_connection = True  # one name is a file's and a folder's
            self._answer(409, str(error).encode())
        except OSError as error:  # a full disk: the writer must not take it for written
            self.close_connection = True
            self._answer(507, str(error).encode())

    def _known_holder(self) -> str:
        """Whose token this request carries; from now on the connection is one of his."""
        holder = holder_of(self.hub.key, self.headers.get(TOKEN_HEADER, ""))
        if holder is None:
            raise Refused(403, "wrong token")
        self.server.connections.known(self.connection, holder)
        if holder in self.hub.mailboxes.retired:
            raise Refused(410, "this life of the component is over")
        return holder

    def _only(self, is_own: bool = False) -> None:
        """Refuse what is neither the coordinator's doing nor its holder's own."""
        if not is_own and self._holder != COORDINATOR:
            raise Refused(403, f"{self._holder} may not {self.command} {self.path}")

    def _is_own_file(self, name: str) -> bool:
        if self.hub.journal is None:
            return False  # shared by runs, which read
        component = component_of(self._holder)
        return bool(component) and name.rpartition("/")[2].startswith(f"{component}_")

    def _said_length(self) -> int:
        """Bytes of the body, which must be said: a body without an end fills the memory."""
        said = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or (self.command in ("POST", "PUT") and not said):
            raise Refused(411, "needs a Content-Length")
        if self.command in ("GET", "DELETE") and said not in ([], ["0"]):
            raise Refused(400, f"a {self.command} has no body")
        if len(said) > 1:
            raise Refused(400, "more than one Content-Length")
        return _whole(said[0]) if said else 0

    def _body(self) -> bytes:
        if self._length > MAX_BODY:
            raise Refused(413, f"more than {MAX_BODY} bytes")
        body = self.rfile.read(self._length)
        if len(body) != self._length:
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

    def _seconds(self, name: str) -> float:
        """A time to wait, MAX_WAIT_S at most."""
        seconds = float(self._query.get(name, ["0"])[0])
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"{name} must be a number of seconds")
        return min(seconds, MAX_WAIT_S)

    @property
    def _after(self) -> int:
        return _whole(self._query.get("after", ["0"])[0])

    @property
    def _repeat(self) -> tuple[str, int]:
        writer = self.headers.get("X-Writer", "")
        sequence = _whole(self.headers.get("X-Sequence", "0"))
        return writer and f"{self._holder} {writer}", sequence

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


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text):
        raise ValueError(f"{text[:50]!r} is no whole number")
    return int(text)


def _messages(body: bytes) -> list[tuple[str, dict]]:
    """(life, message) of each line. Raises ValueError where one is none."""
    try:
        lines = [json.loads(line) for line in body.splitlines()]
        found = [(each["to"], each["message"]) for each in lines]
    except (RecursionError, KeyError, TypeError) as error:
        raise ValueError(f"not lines of messages: {error}") from error
    if not all(isinstance(to, str) and isinstance(message, dict) for to, message in found):
        raise ValueError("a message is an object, to a life's name")
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="trialwatt.platforms.hub.server")
    parser.add_argument("--folder", type=Path, default=Path("/run/trialwatt/hub"))
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--address", default="")
    parser.add_argument("--files-only", action="store_true")
    options = parser.parse_args(arguments)
    threading.stack_size(STACK_BYTES)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # one for each connection
    hub = Hub(options.folder, os.environ[KEY], options.files_only)
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
