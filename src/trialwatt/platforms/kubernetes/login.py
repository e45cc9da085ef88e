"""The credentials that open an API server, and new ones where these run out.

A token lives for an hour, a plan for days. So the kubeconfig is read again, with the file or the
program that it names for the token: before the credentials run out, where it is known when they do
that, and where the server refuses them.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes import kubeconfig
from trialwatt.platforms.kubernetes.kubeconfig import Context

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

AGAIN_S = 60.0
"""They are read again once in this time at most, and from so long before they run out."""
PLUGIN_S, PERSON_S = 60.0, 600.0
"""So long a program may take to give a token: no request is made meanwhile, and a component that is
not heard of for two minutes counts as lost. And so long where a person may have to log in."""
PLUGIN_KIND = "client.authentication.k8s.io/"


@dataclass(frozen=True)
class Loaded:
    """A connection of the official client. until: UTC seconds at which its credentials run out, if
    that is known; what: they are; remedy: what a user does when they have run out."""

    client: ApiClient
    until: float | None = None
    what: str = "credentials"
    remedy: str = "fetch new credentials"

    @property
    def server(self) -> str:
        return self.client.configuration.host

    @property
    def has_run_out(self) -> bool:
        return self.until is not None and time.time() > self.until


class Login:
    """Safe to use from several threads."""

    def __init__(self, load: Callable[[], Loaded]):
        """load: reads the credentials; raises TrialwattError."""
        self._load, self._lock = load, threading.Lock()
        self._loaded, self._again_at, self._fault = load(), 0.0, ""

    def current(self) -> Loaded:
        """What is good at the moment, as far as that is known."""
        with self._lock:
            until = self._loaded.until
            if until is not None and time.time() > until - AGAIN_S:
                self._read_again()
            return self._loaded

    def refused(self, used: Loaded) -> bool:
        """The server refuses what was used: whether there is another one that it may take."""
        with self._lock:
            return self._loaded is not used or self._read_again()

    def why(self) -> str:
        """A sentence for a person whose credentials are refused: the cause, and the remedy."""
        with self._lock:
            loaded, fault = self._loaded, self._fault
        if fault:
            return f"the {loaded.what} could not be renewed ({fault}): {loaded.remedy}"
        if loaded.has_run_out:
            ended = datetime.datetime.fromtimestamp(loaded.until, datetime.UTC)
            said = f"ran out at {ended:%Y-%m-%d %H:%M} UTC"
        else:
            said = "may have run out, or have been withdrawn"
        return f"the {loaded.what} {said}: {loaded.remedy}"

    def _read_again(self) -> bool:
        now = time.monotonic()
        if now < self._again_at:
            return False
        self._again_at = now + AGAIN_S
        try:
            found = self._load()
        except TrialwattError as error:  # what there is may be good for a while
            self._fault = str(error)
            return False
        if (there := found.server) != self._loaded.server:
            self._fault = f"the kubeconfig names another server by now, {there}"
            return False
        self._loaded, self._fault = found, ""
        return True


def load(context: str | None) -> Loaded:
    """From the kubeconfig (None: its current context; in a pod without any: its account).

    Raises TrialwattError: it cannot be used, or its program gives no credentials.
    """
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    configuration = client.Configuration()
    chosen = kubeconfig.read(context)
    try:
        if chosen is None:
            config.load_incluster_config(client_configuration=configuration)
            return Loaded(_client(configuration), what="token of the pod's service account")
        if "auth-provider" in chosen.user:  # the client's own: it keeps what it renews in the file
            file = os.environ.get(kubeconfig.VARIABLE)
            config.load_kube_config(file, chosen.name, client_configuration=configuration)
            return Loaded(_client(configuration))
        user, known = _credentials(chosen)
        one = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
            "clusters": [{"name": "c", "cluster": chosen.cluster}],
            "users": [{"name": "c", "user": user}],
        }
        config.load_kube_config_from_dict(one, client_configuration=configuration)
    except (ConfigException, OSError, ValueError, TypeError, KeyError) as error:
        raise TrialwattError(f"the kubeconfig cannot be used: {error}; check KUBECONFIG") from error
    return Loaded(_client(configuration), **known)


def _client(configuration) -> ApiClient:
    from kubernetes import client

    configuration.connection_pool_maxsize = 16
    configuration.socket_options = _keep_alive()
    return client.ApiClient(configuration)


def _credentials(chosen: Context) -> tuple[dict, dict[str, Any]]:
    """The user with the token, if there is one, in it; and what else is known (see Loaded)."""
    user = chosen.user
    if file := user.get("tokenFile"):
        token = Path(file).read_text().strip()
        remedy = f"{file} is read again each minute; what wrote it has to write a new one"
        return {"token": token}, _known(f"token in {file}", remedy, _end_of(token))
    if token := user.get("token"):
        remedy = "put a new one into the kubeconfig, or name a tokenFile or a program (exec) there"
        return {"token": token}, _known("token of the kubeconfig", remedy, _end_of(token))
    if plugin := user.get("exec"):
        return _of_plugin(chosen, plugin)
    pem = kubeconfig.certificate(user)
    if pem is None:
        return user, {}
    _, last = kubeconfig.validity(pem)
    what = "client certificate of the kubeconfig"
    return user, _known(what, kubeconfig.RENEW_CERTIFICATE, last.timestamp())


def _known(what: str, remedy: str, until: float | None) -> dict[str, Any]:
    return {"what": what, "remedy": remedy, "until": until}


def _of_plugin(chosen: Context, plugin: dict) -> tuple[dict, dict[str, Any]]:
    """The user that a program (user.exec) makes: a token, or a certificate with its key."""
    status = _run(chosen, plugin)
    name = shlex.join([plugin["command"], *(plugin.get("args") or [])])
    user, ends = {}, []
    if token := status.get("token"):
        user["token"] = token
        ends.append(_end_of(token))
    if pem := status.get("clientCertificateData"):
        user["client-certificate-data"] = base64.b64encode(pem.encode()).decode()
        key = status.get("clientKeyData") or ""
        user["client-key-data"] = base64.b64encode(key.encode()).decode()
        ends.append(kubeconfig.validity(pem.encode())[1].timestamp())
    if not user:
        raise TrialwattError(f"{name} gives neither a token nor a certificate")
    if said := status.get("expirationTimestamp"):
        ends.append(datetime.datetime.fromisoformat(said).timestamp())
    until = min((end for end in ends if end is not None), default=None)
    return user, _known(f"credentials of `{name}`", "log in again as it wants it", until)


def _run(chosen: Context, plugin: dict) -> dict:
    """The status of the ExecCredential that a program prints."""
    kind = f'the program of context "{chosen.name}" (exec)'
    version, command = plugin["apiVersion"], plugin["command"]
    if not version.startswith(PLUGIN_KIND):
        raise TrialwattError(f"{kind}: its apiVersion {version!r} is none of {PLUGIN_KIND}…")
    if "/" in command:
        command = str(chosen.folder / command)
    may_ask = plugin.get("interactiveMode") != "Never"
    interactive = may_ask and sys.stdin.isatty() and sys.stderr.isatty()
    longest_s = PERSON_S if interactive else PLUGIN_S
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = _told_of(chosen.cluster)
    asked = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    given = {each["name"]: each["value"] for each in plugin.get("env") or []}
    try:
        done = subprocess.run(
            [command, *(plugin.get("args") or [])],
            env=os.environ | given | {"KUBERNETES_EXEC_INFO": json.dumps(asked)},
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=longest_s,
            check=False,
        )
    except FileNotFoundError as error:
        hint = plugin.get("installHint") or "is it installed?"
        raise TrialwattError(f"{kind}: there is no {command}; {hint}") from error
    except subprocess.TimeoutExpired as error:
        raise TrialwattError(f"{kind}: {command} took longer than {longest_s:g} s") from error
    if done.returncode:
        last = (done.stderr or "see above").strip()[-500:]
        raise TrialwattError(f"{kind}: {command} ended with {done.returncode}: {last}")
    try:
        return dict(json.loads(done.stdout)["status"])
    except (ValueError, KeyError, TypeError) as error:
        raise TrialwattError(f"{kind}: {command} prints no ExecCredential") from error


def _told_of(cluster: dict) -> dict:
    """A cluster as programs are told of it (ExecCredential.spec.cluster)."""
    keys = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
    told = {key: cluster[key] for key in keys if key in cluster}
    if data := cluster.get("certificate-authority-data"):
        told["certificate-authority-data"] = data
    elif file := cluster.get("certificate-authority"):
        told["certificate-authority-data"] = base64.b64encode(Path(file).read_bytes()).decode()
    for extension in cluster.get("extensions") or []:
        if extension["name"] == f"{PLUGIN_KIND}exec":
            told["config"] = extension["extension"]
    return told


def _end_of(token: str) -> float | None:
    """When a token ends (UTC seconds), where it is one that says so (a JWT with `exp`)."""
    try:
        claims = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
    except (IndexError, ValueError, KeyError, TypeError):
        return None


def _keep_alive() -> list[tuple[int, int, int]]:
    """A connection whose other side has vanished ends within half a minute."""
    options = [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ]
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options
