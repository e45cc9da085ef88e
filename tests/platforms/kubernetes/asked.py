"""Which right a request to an API server needs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trialwatt.platforms.kubernetes.rights import Right

FREE = ("/version", "/apis/authorization.k8s.io/")
"""What every user may ask."""


def without_right(asked: Iterable[str], rights: Iterable[Right]) -> list[str]:
    """Those of the requests ("METHOD /path?query") that no right gives."""
    given = {(r.verb, f"{r.resource}/{r.subresource}".rstrip("/"), r.name) for r in rights}
    refused = []
    for each in asked:
        if not each.split()[1].startswith(FREE):
            verb, resource, name = _needed(each)
            if not {(verb, resource, ""), (verb, resource, name)} & given:
                refused.append(each)
    return refused


def _needed(asked: str) -> tuple[str, str, str]:
    """The verb, the resource and the name of a request."""
    method, target = asked.split()
    path, _, query = target.partition("?")
    inside = re.sub(r"^/(api|apis/[^/]+)/[^/]+/(namespaces/[^/]+/(?=.))?", "", path).split("/")
    resource, name = inside[0], inside[1] if len(inside) > 1 else ""
    if len(inside) > 2:
        resource = f"{resource}/{inside[2]}"
    verb = {"POST": "create", "PATCH": "patch", "PUT": "update"}.get(method, "get")
    if method == "DELETE":
        verb = "delete" if name else "deletecollection"
    elif method == "GET" and not name:
        verb = "watch" if "watch=1" in query else "list"
    return verb, resource, name
