"""The HTTP API of Prometheus: bounded in time and size, retried, and no answer taken on trust."""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import math
import os
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.exceptions import HTTPError

from trialwatt.backoff import repeated
from trialwatt.credentials import redacted, remember
from trialwatt.meters.base import MeterError
from trialwatt.meters.prometheus_options import Prometheus

MAX_POINTS = 10_000
"""Points of one range query; a server refuses more than 11,000."""
MAX_BYTES = 64 << 20
BACKOFF_S = 0.5  # doubled with each try
_CHUNK = 64 << 10


class _Passing(Exception):
    """No answer, or none that counts: the next one may be another."""


class Series(NamedTuple):
    """labels without the metric's name; points: (UTC seconds of the server, value)."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Clock(NamedTuple):
    """The server's clock against ours: what to add to ours, and how long its answer took."""

    offset_s: float
    round_trip_s: float


class PrometheusApi:
    """One server, as the testbed describes it.

    Every method raises MeterError: where the server is down, slow, refuses, or gives no answer
    of Prometheus. Credentials are in no message.
    """

    def __init__(self, config: Prometheus):
        self.warnings: list[str] = []
        """What the server said beside its answers (a partial answer, for one), each once."""
        self._config = config
        self._session = requests.Session()
        self._proxies = _past_proxies(config.url)
        # Always set, so that no ~/.netrc is looked into.
        self._session.auth = self._credentials()

    def close(self) -> None:
        self._session.close()

    def clock(self) -> Clock:
        before, started = time.time(), time.monotonic()
        data = self._ask("query", {"query": "time()"})
        took = time.monotonic() - started
        try:
            server = float(data["result"][1])
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise self._malformed("no time") from error
        return Clock(server - (before + took / 2), took)

    def series(self, query: str, at_s: float | None = None) -> list[Series]:
        """The series that the query gives, with one point each: at this moment, or at one of the
        server's that is past."""
        when = {} if at_s is None else {"time": f"{at_s:.3f}"}
        data = self._ask("query", {"query": query} | when)
        if data.get("resultType") != "vector":
            raise MeterError(f"{query}: gives a {data.get('resultType')}, not a vector")
        return [self._series(entry, [entry.get("value")]) for entry in self._entries(data)]

    def range(self, query: str, start_s: float, count: int, step_s: float) -> list[Series]:
        """The series at `count` moments, step_s apart: a point at each that has a value."""
        merged: dict[tuple, Series] = {}
        for first in range(0, count, MAX_POINTS):
            last = min(first + MAX_POINTS, count) - 1
            data = self._ask(
                "query_range",
                {
                    "query": query,
                    "start": f"{start_s + first * step_s:.3f}",
                    "end": f"{start_s + last * step_s:.3f}",
                    "step": f"{step_s:g}",
                },
            )
            if data.get("resultType") != "matrix":
                raise MeterError(f"{query}: gives a {data.get('resultType')}, not a matrix")
            for entry in self._entries(data):
                found = self._series(entry, entry.get("values"))
                key = tuple(sorted(found.labels.items()))
                merged.setdefault(key, Series(found.labels, [])).points.extend(found.points)
        return list(merged.values())

    # --- one question -------------------------------------------------------------------------

    def _ask(self, path: str, parameters: dict[str, str]) -> dict:
        """The `data` of an answer; tried again where that may help."""
        tries = itertools.count(1)
        last = self._config.retries + 1
        try:
            status, body = repeated(
                lambda: self._once(path, parameters),
                _Passing,
                lambda fault, pause_s: next(tries) == last,
                BACKOFF_S,
                math.inf,
            )
        except _Passing as fault:
            raise self._error(f"{fault}; {last} {'try' if last == 1 else 'tries'}") from fault
        return self._data(status, body)

    def _once(self, path: str, parameters: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of an answer. Raises _Passing where another try may help."""
        try:
            status, body = self._get(path, parameters)
        except (requests.Timeout, TimeoutError) as error:
            raise _Passing(f"gave no answer within {self._config.timeout_s:g} s") from error
        except (requests.RequestException, HTTPError) as error:
            raise _Passing(f"cannot be reached ({_innermost(error)})") from error
        if status == 429 or status >= 500:
            raise _Passing(f"answered with HTTP {status}{_said(body)}")
        return status, body

    def _get(self, path: str, parameters: dict[str, str]) -> tuple[int, bytes]:
        limit = self._config.timeout_s
        deadline = time.monotonic() + limit
        with self._session.get(
            f"{self._config.url}/api/v1/{path}",
            params=parameters,
            timeout=limit,
            proxies=self._proxies,
            stream=True,
            allow_redirects=False,  # credentials go to the address that is configured only
        ) as response:
            parts, size = [], 0
            while part := response.raw.read1(_CHUNK, decode_content=True):
                parts.append(part)
                size += len(part)
                if time.monotonic() > deadline:  # a server that drips
                    raise TimeoutError
                if size > MAX_BYTES:
                    raise self._error(f"answered with more than {MAX_BYTES >> 20} MB")
            return response.status_code, b"".join(parts)

    def _data(self, status: int, body: bytes) -> dict:
        if status in (401, 403):
            raise self._error(
                f"answered with HTTP {status}: it wants other credentials; name the environment "
                "variables that hold them in token_env, or in user_env and password_env"
            )
        if 300 <= status < 400:
            raise self._error(
                f"answered with HTTP {status}, a redirection; give the final address as url"
            )
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise self._malformed(f"HTTP {status}, no JSON") from error
        if not isinstance(answer, dict):
            raise self._malformed("no object")
        if status != 200 or answer.get("status") != "success":
            raise self._error(f"answered with HTTP {status}{_said(body)}")
        for warning in answer.get("warnings") or []:
            text = redacted(f"prometheus warned: {warning}")
            if text not in self.warnings:
                self.warnings.append(text)
        if not isinstance(answer.get("data"), dict):
            raise self._malformed("no data")
        return answer["data"]

    def _entries(self, data: dict) -> list[dict]:
        entries = data.get("result")
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise self._malformed("no list of series")
        return entries

    def _series(self, entry: dict, points) -> Series:
        try:
            labels = {str(k): str(v) for k, v in entry["metric"].items() if k != "__name__"}
            return Series(labels, [(float(at), float(value)) for at, value in points])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._malformed(f"a series without its points ({error!r})") from error

    # --- credentials and errors ---------------------------------------------------------------

    def _credentials(self) -> AuthBase:
        config = self._config
        if config.token_env:
            return _Bearer(self._secret(config.token_env))
        if config.user_env:
            user, password = self._secret(config.user_env), self._secret(config.password_env)
            remember(base64.b64encode(f"{user}:{password}".encode()).decode())
            return HTTPBasicAuth(user.encode(), password.encode())
        return _Nobody()

    def _secret(self, variable: str) -> str:
        value = os.environ.get(variable, "").strip()
        if not value:
            raise MeterError(f"the environment variable {variable}, named by the testbed, is empty")
        remember(value)
        return value

    def _error(self, what: str) -> MeterError:
        return MeterError(f"{self._config.url} {what}")

    def _malformed(self, what: str) -> MeterError:
        return self._error(f"does not answer as Prometheus does: {what}")


def _past_proxies(url: str) -> dict[str, str] | None:
    """For a server on this machine, as a forwarded port is, which no proxy can reach; others are
    asked in the way that the user has set."""
    host = urlsplit(url).hostname or ""
    try:
        own = ipaddress.ip_address(host).is_loopback
    except ValueError:
        own = host == "localhost"
    return {"no_proxy": host} if own else None


class _Nobody(AuthBase):
    def __call__(self, request):
        return request


class _Bearer(AuthBase):
    def __init__(self, token: str):
        self._token = token

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _said(body: bytes) -> str:
    """The server's own words about a fault, shortened; empty where it has none."""
    try:
        text = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return ""
    return f": {text if len(text) <= 200 else text[:197] + '...'}"


def _innermost(error: BaseException) -> str:
    """The cause in words: requests wraps it three times, with the whole address in each."""
    seen = error
    while True:
        reason = getattr(seen, "reason", None)
        inner = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
        if inner is None:
            break
        seen = inner
    if isinstance(seen, OSError) and seen.strerror:
        return seen.strerror
    return type(seen).__name__ if "host=" in str(seen) else str(seen) or type(seen).__name__
