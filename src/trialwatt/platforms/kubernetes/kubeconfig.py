"""The user's kubeconfig before anything is asked of a cluster: is it there, and still good?"""

from __future__ import annotations

import base64
import datetime
import os
import re
from pathlib import Path

import yaml

VARIABLE = "KUBECONFIG"
DEFAULT = "~/.kube/config"
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x17, 0x18
_VERSION = 0xA0  # the tag of a certificate's first field, which old ones do not have


def problems(context: str | None, now: datetime.datetime | None = None) -> list[str]:
    """Why the context (None: the current one) of the kubeconfig cannot be used; empty if it can.

    Nothing is asked of the cluster. Files are found and merged as kubectl does it.
    """
    where = os.environ.get(VARIABLE) or DEFAULT
    files = [Path(file).expanduser() for file in where.split(os.pathsep) if file]
    files = [file for file in files if file.is_file()]
    if not files:
        named = f"{VARIABLE} names" if os.environ.get(VARIABLE) else "looked for"
        return [
            f"there is no kubeconfig ({named} {where}): create a cluster (`kind create cluster`, "
            f"`minikube start`), fetch the credentials of yours, or set {VARIABLE}"
        ]
    try:
        merged, current = _merged(files)
        contexts = {name: entry["context"] for name, entry in merged["contexts"].items()}
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"the kubeconfig ({where}) cannot be read: {error}"]
    there = ", ".join(contexts) or "none"
    chosen = context or current
    if not chosen:
        return [
            "the kubeconfig has no current context: name one in kubernetes.context, or choose one "
            f"with `kubectl config use-context`; there are: {there}"
        ]
    if chosen not in contexts:
        which = "" if context else "its current context, "
        return [f'the kubeconfig has no context "{chosen}" ({which}there are: {there})']
    for kind in ("cluster", "user"):
        name = (contexts[chosen] or {}).get(kind)
        if name not in merged[f"{kind}s"]:
            return [f'the kubeconfig has no {kind} "{name}", which its context "{chosen}" names']
    user = merged["users"][contexts[chosen]["user"]].get("user") or {}
    return _expired(user, chosen, files[0].parent, now or datetime.datetime.now(datetime.UTC))


def _merged(files: list[Path]) -> tuple[dict[str, dict[str, dict]], str]:
    """Entries by kind and name, and the current context: the first file that has one counts."""
    merged: dict[str, dict[str, dict]] = {"clusters": {}, "contexts": {}, "users": {}}
    current = ""
    for file in files:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError(f"{file} holds no configuration")
        current = current or data.get("current-context") or ""
        for kind, entries in merged.items():
            for entry in data.get(kind) or []:
                entries.setdefault(entry["name"], entry)
    return merged, current


def _expired(user: dict, context: str, folder: Path, now: datetime.datetime) -> list[str]:
    """A client certificate that has run out: the server would only say "unauthorized"."""
    data, file = user.get("client-certificate-data"), user.get("client-certificate")
    if not data and not file:
        return []
    try:
        pem = base64.b64decode(data) if data else (folder / Path(file).expanduser()).read_bytes()
        first, last = validity(pem)
    except OSError as error:
        return [f'the client certificate of context "{context}" cannot be read: {error}']
    except ValueError as error:
        return [f'the client certificate of context "{context}" is none: {error}']
    if now > last:
        return [
            f'the client certificate of context "{context}" expired on {last:%Y-%m-%d %H:%M} UTC: '
            "fetch new credentials (kind: `kind export kubeconfig`; minikube: `minikube start`; "
            "kubeadm: `kubeadm certs renew admin.conf`)"
        ]
    if now < first:
        return [
            f'the client certificate of context "{context}" holds from {first:%Y-%m-%d %H:%M} UTC '
            "on only: is this machine's clock right?"
        ]
    return []


def validity(pem: bytes) -> tuple[datetime.datetime, datetime.datetime]:
    """From when to when the first certificate of a PEM file holds (X.509, RFC 5280).

    Raises ValueError where it is no certificate.
    """
    found = re.search(rb"-----BEGIN CERTIFICATE-----(.+?)-----END", pem, re.DOTALL)
    if found is None:
        raise ValueError("no PEM certificate in it")
    try:
        der = base64.b64decode(found[1])
        tag, certificate, _ = _element(der)
        tag, fields, _ = _element(certificate)
        if fields[0] == _VERSION:
            _, _, fields = _element(fields)
        for _ in range(3):  # serial number, algorithm, issuer
            _, _, fields = _element(fields)
        tag, times, _ = _element(fields)
        if tag != _SEQUENCE:
            raise ValueError("its validity is not where it should be")
        first_tag, first, rest = _element(times)
        last_tag, last, _ = _element(rest)
        return _moment(first_tag, first), _moment(last_tag, last)
    except IndexError as error:
        raise ValueError("it is cut off") from error


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """The tag and the content of the first element (DER), and what follows it."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[2 : 2 + size]), 2 + size
    if len(data) < start + length:
        raise IndexError
    return tag, data[start : start + length], data[start + length :]


def _moment(tag: int, content: bytes) -> datetime.datetime:
    form = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}.get(tag)
    if form is None:
        raise ValueError("its validity holds no time")
    return datetime.datetime.strptime(content.decode(), form).replace(tzinfo=datetime.UTC)
