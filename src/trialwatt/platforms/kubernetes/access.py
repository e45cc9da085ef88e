"""The API server, through the connection of the official client, with plain dicts.

The client's own models are left out: they cost 30 MB and a second and a half, and refuse some
answers of newer servers. Its kubeconfig, certificates, logins and proxies are what counts.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlencode

from trialwatt.backoff import repeated
from trialwatt.platforms.kubernetes import kubeconfig
from trialwatt.platforms.kubernetes.admission import remedy_of
from trialwatt.platforms.kubernetes.login import Login, load
from trialwatt.platforms.kubernetes.outages import Outages, Unserved

CONNECT_S = 5.0
ANSWER_S = 30.0
OUTAGE_S = 90.0
"""For so long a request is repeated while nobody answers: a restarted API server comes back."""
PAUSE_S = 0.25
MAX_PAUSE_S = 3.0
PASSING = {0, 408, 429, 500, 502, 503, 504}
"""Answers that may be another a moment later; 0 is none."""
UNAUTHORIZED, NOT_FOUND = 401, 404
REFUSALS = {UNAUTHORIZED, 403}
ROLES = re.compile(r"\bcannot \w+ resource\b")
"""How the server says that no role gives a right; a quota's refusal reads otherwise."""
REFUSED_S = 20.0
"""So long an API server that has just started may refuse what it allowed before: it does not know
its own roles yet."""


class ApiFault(Unserved):
    """An answer that is no success. status: of HTTP, 0 where nobody answers; reason: the server's
    own word ("Forbidden", "AlreadyExists"); message: its sentence; allowed_before: the server
    has done what was asked there before; remedy: a sentence, where one is known."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        doing: str,
        allowed_before: bool = False,
        remedy: str = "",
    ):
        self.status, self.reason, self.message = status, reason, message
        self.allowed_before, self.remedy = allowed_before, remedy
        self.may_pass = status in PASSING or (status in REFUSALS and allowed_before)
        who = "the API server" if status else "the API server does not answer:"
        said = f"{doing}: {who} {f'says {status} {reason}: ' if status else ''}{message}"
        super().__init__(f"{said}; {remedy}" if remedy else said)


class Api:
    """One API server. Safe to use from several threads."""

    def __init__(self, login: Login, context: str = ""):
        self._login, self.context = login, context
        self.outages = Outages()
        self._renewing = threading.Lock()
        self._allowed: set[str] = set()  # where something was done
        self._ahead_s = 0.0  # the server's clock, of this machine's

    def utc(self) -> float:
        """UTC in seconds by the server's clock, as far as it has told: one clock for all machines
        that ask it."""
        return time.time() + self._ahead_s

    def get(self, path: str, **query) -> dict:
        return self.call("GET", path, query=query)

    def find(self, path: str) -> dict | None:
        """An object; None where there is none."""
        try:
            return self.get(path)
        except ApiFault as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def post(self, path: str, body: dict) -> dict:
        """Create an object. One that an earlier, repeated request has made counts as made."""
        return self.call("POST", path, body)

    def patch(self, path: str, body: dict) -> dict:
        """A JSON merge patch."""
        return self.call("PATCH", path, body, content="application/merge-patch+json")

    def delete(self, path: str, **options) -> None:
        """Delete an object (options as in DeleteOptions); one that is not there is none."""
        with suppress_status(404):
            self.call("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions"} | options)

    def call(
        self,
        method: str,
        path: str,
        body: dict | None = None,
        query: dict | None = None,
        content: str = "application/json",
        outage_s: float = OUTAGE_S,
    ) -> dict:
        """A request whose answer is an object. Raises ApiFault."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"} | ({"Content-Type": content} if data else {})
        tries = itertools.count()

        def once() -> dict:
            again = next(tries) > 0
            try:
                _, told, answer = self.raw(method, path, data, query, headers)
            except ApiFault as fault:
                if again and method == "POST" and fault.reason == "AlreadyExists":
                    return body
                raise
            with suppress(TypeError, ValueError):  # it says none
                self._ahead_s = parsedate_to_datetime(told.get("Date")).timestamp() - time.time()
            return json.loads(answer) if answer else {}

        return repeated(once, ApiFault, Patience(outage_s).is_over, PAUSE_S, MAX_PAUSE_S)

    def raw(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        query: dict | None = None,
        headers: dict | None = None,
        answer_s: float = ANSWER_S,
    ) -> tuple[int, dict, bytes]:
        """One request as it is, not repeated: status, headers and body. Raises ApiFault."""
        with self.outages.of(path):
            response = self._open(method, path, body, query, headers, answer_s)
            try:
                return response.status, response.headers, response.data
            except self._faults as error:
                raise ApiFault(0, "", _why(error), f"{method} {path}") from error
            finally:
                response.release_conn()

    def lines(self, path: str, query: dict, silence_s: float) -> Lines:
        """The lines of an answer that goes on, as a watch has it. Raises ApiFault."""
        with self.outages.of(path):
            response = self._open("GET", path, None, query, None, silence_s)
        return Lines(response, self._faults, path)

    def close(self) -> None:
        self._login.current().client.close()

    @property
    def _faults(self) -> tuple[type[Exception], ...]:
        from urllib3.exceptions import HTTPError

        return HTTPError, OSError

    def _open(self, method, path, body, query, headers, answer_s):
        scope, doing = _scope(method, path), f"{method} {path}"
        parameters = {key: value for key, value in (query or {}).items() if value is not None}
        target = path + (f"?{urlencode(parameters)}" if parameters else "")
        while True:
            used = self._login.current()
            try:
                response = self._answer(used.client, method, target, body, headers, answer_s)
                if 200 <= response.status < 300:
                    self._allowed.add(scope)
                    return response
                content = response.data
            except self._faults as error:
                raise ApiFault(0, "", _why(error), doing) from error
            response.release_conn()
            if response.status != UNAUTHORIZED:
                raise _fault(response.status, content, doing, scope in self._allowed)
            if not self._login.refused(used):
                why = self._login.why()
                raise _fault(response.status, content, doing, scope in self._allowed, why)

    def _answer(self, client, method, target, body, headers, answer_s):
        import urllib3

        headers = dict(headers or {})
        with self._renewing:  # a login of the client's own kinds that has run out is renewed here
            client.update_params_for_auth(
                headers, [], ["BearerToken"], target, method, body, request_auth=None
            )
        return client.rest_client.pool_manager.request(
            method,
            client.configuration.host.rstrip("/") + target,
            body=body,
            headers=headers,
            preload_content=False,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=answer_s),
        )


class Lines:
    """Iterate over it; `stop` ends that from another thread."""

    def __init__(self, response, faults, path: str):
        self._response, self._faults, self._path = response, faults, path

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        try:
            for chunk in self._response.stream(64 << 10, decode_content=False):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
        except self._faults as error:
            raise ApiFault(0, "", _why(error), f"GET {self._path}") from error
        finally:
            self._response.close()

    def stop(self) -> None:
        with suppress(Exception):  # it may have ended by itself just now, in many ways
            self._response.shutdown()


class suppress_status:
    """A context in which faults of this status do not count."""

    def __init__(self, *statuses: int):
        self._statuses = statuses

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, trace) -> bool:
        return isinstance(error, ApiFault) and error.status in self._statuses


class Patience:
    """How long what goes wrong is worth repeating: for outage_s, while nobody answers, or while
    credentials that were good are refused (new ones may come); for REFUSED_S (outage_s at most)
    where a server that is there again does not know its roles yet.

    since: when it began, or has gone well last (monotonic seconds).
    """

    def __init__(self, outage_s: float):
        self._outage_s = outage_s
        self.renew()

    def renew(self) -> None:
        """It has gone well."""
        self.since, self._refused = time.monotonic(), None

    def is_over(self, fault: ApiFault, pause_s: float = 0.0) -> bool:
        """Whether there is no use in asking again after a pause, or the answer is final."""
        now = time.monotonic()
        if fault.status in PASSING:
            self._refused = None
            return now + pause_s > self.since + self._outage_s
        is_login = fault.status == UNAUTHORIZED
        if not (fault.allowed_before and (is_login or ROLES.search(fault.message))):
            return True
        if self._refused is None:
            self._refused = now
        patience_s = self._outage_s if is_login else min(REFUSED_S, self._outage_s)
        return now + pause_s > self._refused + patience_s


def connect(context: str | None = None) -> Api:
    """The API server of a context of the kubeconfig (None: the current one; in a pod: its own).

    Raises TrialwattError: no kubeconfig, no such context, a login that cannot be had.
    """
    chosen = kubeconfig.read(context)
    name = chosen.name if chosen else None  # another one may be the current one before long
    return Api(Login(lambda: load(name)), context or "")


def _scope(method: str, path: str) -> str:
    """Where rights come together: a namespace, or one thing done to the cluster."""
    _, _, inside = path.partition("/namespaces/")
    return inside.partition("/")[0] or f"{method} {path}"


def _fault(
    status: int, content: bytes, doing: str, allowed_before: bool, remedy: str = ""
) -> ApiFault:
    try:
        answer = json.loads(content)
        reason, message = answer.get("reason") or "", answer.get("message") or ""
    except (ValueError, AttributeError):
        reason, message = "", content.decode(errors="replace").strip()[:500]
    if not reason:
        with suppress(ValueError):
            reason = HTTPStatus(status).phrase
    return ApiFault(status, reason, message, doing, allowed_before, remedy or remedy_of(message))


def _why(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
