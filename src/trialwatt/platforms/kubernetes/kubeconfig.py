"""The user's kubeconfig before anything is asked of a cluster: is it there, and still good?"""

from __future__ import annotations

import base64
import datetime
import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from trialwatt.errors import TrialwattError

VARIABLE = "KUBECONFIG"
DEFAULT = "~/.kube/config"
IN_A_POD = "KUBERNETES_SERVICE_HOST"
"""Environment variable of every pod."""
FILES = {
    "cluster": {"certificate-authority"},
    "user": {"client-certificate", "client-key", "tokenFile"},
}
"""Kind → its keys that name files, relative to the file that they stand in."""
RENEW_CERTIFICATE = (
    "fetch new credentials (kind: `kind export kubeconfig`; minikube: `minikube start`; kubeadm: "
    "`kubeadm certs renew admin.conf`)"
)
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x17, 0x18
_VERSION = 0xA0  # the tag of a certificate's first field, which old ones do not have


@dataclass(frozen=True)
class Context:
    """A context of the kubeconfig: its cluster and its user as they stand there, but for the names
    of files, which are whole; folder: of the file that has the user."""

    name: str
    cluster: dict
    user: dict
    folder: Path


def problems(context: str | None, now: datetime.datetime | None = None) -> list[str]:
    """Why the context (None: the current one) of the kubeconfig cannot be used; empty if it can.

    Nothing is asked of the cluster.
    """
    try:
        chosen = read(context)
    except TrialwattError as error:
        return [str(error)]
    return [] if chosen is None else _expired(chosen, now or datetime.datetime.now(datetime.UTC))


def read(context: str | None) -> Context | None:
    """The context (None: the current one) of the kubeconfig, whose files are found and merged as
    kubectl does it; None in a pod without any, which has an account of its own.

    Raises TrialwattError: there is none, it cannot be read, it lacks what the context needs.
    """
    where = os.environ.get(VARIABLE) or DEFAULT
    files = [Path(file).expanduser() for file in where.split(os.pathsep) if file]
    files = [file for file in files if file.is_file()]
    if not files:
        if context is None and os.environ.get(IN_A_POD):
            return None
        named = f"{VARIABLE} names" if os.environ.get(VARIABLE) else "looked for"
        raise TrialwattError(
            f"there is no kubeconfig ({named} {where}): create a cluster (`kind create cluster`, "
            f"`minikube start`), fetch the credentials of yours, or set {VARIABLE}"
        )
    try:
        merged, current = _merged(files)
        contexts = {name: entry["context"] or {} for name, (entry, _) in merged["contexts"].items()}
        return _chosen(merged, contexts, context, current)
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrialwattError(f"the kubeconfig ({where}) cannot be read: {error}") from error


def _chosen(merged: dict, contexts: dict, context: str | None, current: str) -> Context:
    there = ", ".join(contexts) or "none"
    chosen = context or current
    if not chosen:
        raise TrialwattError(
            "the kubeconfig has no current context: name one in kubernetes.context, or choose one "
            f"with `kubectl config use-context`; there are: {there}"
        )
    if chosen not in contexts:
        which = "" if context else "its current context, "
        raise TrialwattError(
            f'the kubeconfig has no context "{chosen}" ({which}there are: {there})'
        )
    found = []
    for kind, keys in FILES.items():
        name = contexts[chosen].get(kind)
        if name not in merged[f"{kind}s"]:
            raise TrialwattError(
                f'the kubeconfig has no {kind} "{name}", which its context "{chosen}" names'
            )
        entry, folder = merged[f"{kind}s"][name]
        values = dict(entry.get(kind) or {})
        for key in keys & {key for key, value in values.items() if value}:
            values[key] = str(folder / Path(values[key]).expanduser())
        found.append(values)
    return Context(chosen, *found, folder)


def _merged(files: list[Path]) -> tuple[dict[str, dict[str, tuple[dict, Path]]], str]:
    """Entries by kind and name, each with the folder of its file, and the current context: the
    first file that has one counts."""
    merged: dict[str, dict[str, tuple[dict, Path]]] = {"clusters": {}, "contexts": {}, "users": {}}
    current = ""
    for file in files:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError(f"{file} holds no configuration")
        current = current or data.get("current-context") or ""
        for kind, entries in merged.items():
            for entry in data.get(kind) or []:
                entries.setdefault(entry["name"], (entry, file.parent.absolute()))
    return merged, current


def _expired(chosen: Context, now: datetime.datetime) -> list[str]:
    """A client certificate that has run out: the server would only say "unauthorized"."""
    whose = f'the client certificate of context "{chosen.name}"'
    try:
        if (pem := certificate(chosen.user)) is None:
            return []
        first, last = validity(pem)
    except OSError as error:
        return [f"{whose} cannot be read: {error}"]
    except ValueError as error:
        return [f"{whose} is none: {error}"]
    if now > last:
        return [f"{whose} expired on {last:%Y-%m-%d %H:%M} UTC: {RENEW_CERTIFICATE}"]
    if now < first:
        return [
            f"{whose} holds from {first:%Y-%m-%d %H:%M} UTC on only: is this machine's clock right?"
        ]
    return []


def certificate(user: dict) -> bytes | None:
    """A user's client certificate (PEM), if it has one. Raises OSError, ValueError."""
    if data := user.get("client-certificate-data"):
        return base64.b64decode(data)
    file = user.get("client-certificate")
    return Path(file).read_bytes() if file else None


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
