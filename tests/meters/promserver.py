"""A small Prometheus: real HTTP, samples that a test gives it, and faults on request."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LOOKBACK_S = 300


class PromServer:
    """Answers the HTTP API for the expressions that it was given.

    samples: expression → [(labels, [(moment, value), ...]), ...]. timestamp(expression) follows
    from them, as does whatever aggregation holds one timestamp(...). offset_s: how far its clock
    is ahead. faults: behaviours for the next requests, one each; `always` for all of them.
    """

    def __init__(self):
        self.samples: dict[str, list[tuple[dict, list[tuple[float, float]]]]] = {}
        self.offset_s = 0.0
        self.stale_s = LOOKBACK_S
        self.faults: list[Callable] = []
        self.always: Callable | None = None
        self.asked: list[tuple[str, dict, dict]] = []
        self.warnings: list[str] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.daemon_threads = True
        self._server = server
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self._thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def queries(self, path: str) -> list[str]:
        return [asked["query"] for where, asked, _ in self.asked if where.endswith(path)]

    # --- evaluation ---------------------------------------------------------------------------

    def _found(self, query: str):
        stamped = re.sub(r"timestamp\((.*?\}|[a-z_]+)\)", r"\1", query)
        if stamped != query:
            return [(labels, [(t, t) for t, _ in points]) for labels, points in self._of(stamped)]
        return self._of(query)

    def _of(self, query: str):
        return self.samples.get(query, [])

    def _at(self, points, moment: float):
        seen = [(t, v) for t, v in points if moment - self.stale_s < t <= moment]
        return seen[-1][1] if seen else None

    def answer(self, path: str, asked: dict) -> dict:
        if asked["query"] == "time()":
            at = time.time() + self.offset_s
            return {"resultType": "scalar", "result": [at, str(at)]}
        found = self._found(asked["query"])
        if path.endswith("query"):
            at = float(asked.get("time", time.time() + self.offset_s))
            values = [(labels, self._at(points, at)) for labels, points in found]
            result = [{"metric": k, "value": [at, text(v)]} for k, v in values if v is not None]
            return {"resultType": "vector", "result": result}
        start, end, step = (float(asked[key]) for key in ("start", "end", "step"))
        grid = [round(start + i * step, 3) for i in range(int((end - start) / step + 1e-6) + 1)]
        result = []
        for labels, points in found:
            values = [(at, self._at(points, at)) for at in grid]
            values = [[at, text(v)] for at, v in values if v is not None]
            if values:
                result.append({"metric": labels, "values": values})
        return {"resultType": "matrix", "result": result}

    def _handler(outer):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
                outer.asked.append((parts.path, asked, dict(self.headers)))
                fault = outer.faults.pop(0) if outer.faults else outer.always
                if fault is not None and fault(self) is not False:
                    return
                data = outer.answer(parts.path, asked)
                reply(self, 200, {"status": "success", "data": data, "warnings": outer.warnings})

            def log_message(self, *_): ...

        return Handler


def text(value: float) -> str:
    return "NaN" if value != value else repr(value)


def reply(handler, status: int, body, headers=()) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in (("Content-Length", str(len(raw))), *headers):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(raw)


def failing(status: int, error: str = "") -> Callable:
    body = {"status": "error", "errorType": "any", "error": error} if error else b"oh no"
    return lambda handler: reply(handler, status, body)


def sleeping(seconds: float) -> Callable:
    return lambda handler: time.sleep(seconds)


def dripping(handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(50):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def cut_short(handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"status": "succ')


def protected(header: str) -> Callable:
    def check(handler):
        if handler.headers.get("Authorization") == header:
            return False
        return reply(handler, 401, b"no")

    return check
