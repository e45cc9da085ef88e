"""What the runs of a testbed share: a namespace with a pod that serves the prepared datasets.

It is brought up once, used again by every run, and goes with `snakemake --profile k8s undeploy`.
"""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.platforms.hub.server import PORT
from trialwatt.platforms.hub.tokens import COORDINATOR, KEY, token_of
from trialwatt.platforms.kubernetes import manifests
from trialwatt.platforms.kubernetes.access import NOT_FOUND, Api, ApiFault
from trialwatt.platforms.kubernetes.faults import is_ready
from trialwatt.platforms.kubernetes.hub_proxy import HubProxy
from trialwatt.platforms.kubernetes.options import Kubernetes, section
from trialwatt.platforms.kubernetes.rights import SHARED_SECRET
from trialwatt.platforms.kubernetes.space import remove_labelled
from trialwatt.platforms.kubernetes.waiting import delete_namespace, wait_for, wait_until_gone

POD = "data"
DISK_MB = 1024
UPLOAD_S = 600.0
PATIENCE_S = 30.0
"""For so long an API server may be away, or a pod that has just become ready unreachable."""
EXISTS = 409
LABELS = {manifests.MANAGED: "trialwatt", manifests.PART: "shared"}
ISOLATION = {
    "podSelector": {"matchLabels": LABELS},
    "policyTypes": ["Ingress", "Egress"],
    "ingress": [{"ports": manifests.HUB_PORTS}],
}
"""Only the port that opens to tokens is open, and no pod here reaches anything. From everywhere:
the API server, which passes the data on, is no pod and has no address that is known."""


@dataclass(frozen=True)
class DataSource:
    """Where the pods of a run fetch the dataset: GET <url>/files/<name>, with the token."""

    url: str
    name: str
    sha256: str
    token: str = field(repr=False)
    namespace: str = ""


def data_source(api: Api, testbed: Testbed, data: Path, reader: str = "") -> DataSource:
    """The pod that serves this dataset; it is brought up, or filled, where it has to be.

    What is there is used as it is where its sha256 is that of `data`. reader: the run whose pods
    fetch it; their token reads and does not write. Raises TrialwattError.
    """
    kubernetes = section(testbed)
    space, key = open_namespace(api, kubernetes)
    pod = _data_pod(api, kubernetes, space)
    digest = sha256(data)
    served = _Served(api, space, token_of(key, COORDINATOR))
    if served.text(f"{data.name}.sha256") != digest:
        served.put(data.name, data.read_bytes(), digest)
        served.put(f"{data.name}.sha256", digest.encode(), "")  # the file is there, and whole
    address = pod["status"]["podIP"]
    host = f"[{address}]" if ":" in address else address
    token = token_of(key, f"run {reader}")
    return DataSource(f"http://{host}:{PORT}", data.name, digest, token, space)


def open_namespace(api: Api, kubernetes: Kubernetes) -> tuple[str, str]:
    """The shared namespace, made where it is missing, and its key."""
    space = namespace_of(kubernetes)
    if not kubernetes.namespace:
        _made(api, "/api/v1/namespaces", manifests.restricted_namespace(space, LABELS))
    below = f"/api/v1/namespaces/{space}"
    policies = f"/apis/networking.k8s.io/v1/namespaces/{space}/networkpolicies"
    _made(api, policies, manifests.network_policy("trialwatt-shared", LABELS, ISOLATION))
    if variable := kubernetes.image_pull_secret_env:
        content = os.environ.get(variable, "")
        if not content:
            raise TrialwattError(
                f"kubernetes.image_pull_secret_env: the environment variable {variable} is empty; "
                "it must hold the content of a docker config.json"
            )
        _made(api, f"{below}/secrets", manifests.pull_secret(LABELS, content))
    key = secrets.token_urlsafe(32)
    if not _made(api, f"{below}/secrets", manifests.secret(LABELS, SHARED_SECRET, {KEY: key})):
        key = key_in(api.get(f"{below}/secrets/{SHARED_SECRET}"))
    return space, key


def remove(api: Api, testbed: Testbed) -> list[str]:
    """Remove the shared namespace, or what is shared from the one that is given; returns a sentence
    for what was removed.

    Raises TrialwattError where it is not gone in time, with what holds it.
    """
    kubernetes = section(testbed)
    space = namespace_of(kubernetes)
    path = f"/api/v1/namespaces/{space}"
    if kubernetes.namespace:
        return _remove_from(api, space, kubernetes.undeploy_s)
    if (found := api.find(path)) is None:
        return []
    labels = found["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in LABELS.items()):
        raise TrialwattError(f"the namespace {space} is not ours (its labels say so): left alone")
    delete_namespace(api, space, kubernetes.undeploy_s)
    return [f"removed the namespace {space} with the shared data"]


def _remove_from(api: Api, given: str, patience_s: float) -> list[str]:
    if api.find(f"/api/v1/namespaces/{given}/secrets/{SHARED_SECRET}") is None:
        return []
    remove_labelled(api, given, {manifests.PART: "shared"}, patience_s)
    return [f"removed the shared data from the namespace {given}"]


def _data_pod(api: Api, kubernetes: Kubernetes, space: str) -> dict:
    """The running data pod. One that has ended, or is of another image, is replaced."""
    path = f"/api/v1/namespaces/{space}/pods"
    command = ["python", "-m", "trialwatt.platforms.hub.server", "--files-only"]
    command += ["--folder", f"{manifests.SCRATCH}/shared", "--port", str(PORT)]
    wanted = served(pod_of(kubernetes, POD, command, DISK_MB))
    try:
        there = api.get(f"{path}/{POD}")
    except ApiFault as error:
        if error.status != NOT_FOUND:
            raise
    else:
        same = there["spec"]["containers"][0]["image"] == kubernetes.image
        if is_ready(there) and same and "deletionTimestamp" not in there["metadata"]:
            return there
        _replaceable(api, f"{path}/{POD}", kubernetes.undeploy_s)
    _made(api, path, wanted)
    return wait_for(api, kubernetes, space, POD, is_ready)


def _replaceable(api: Api, path: str, patience_s: float) -> None:
    api.delete(path, gracePeriodSeconds=0)
    wait_until_gone(api, path, patience_s)


def _made(api: Api, path: str, body: dict) -> bool:
    """Create an object; False where there is one of its name already."""
    try:
        api.post(path, body)
    except ApiFault as error:
        if error.status == EXISTS and error.reason == "AlreadyExists":
            return False
        raise
    return True


class _Served:
    """The files of the data pod, through the API server."""

    def __init__(self, api: Api, space: str, token: str):
        self._hub = HubProxy(api, space, token, PATIENCE_S, POD)

    def text(self, name: str) -> str:
        """What a small file holds; empty where there is none."""
        content = self._answer("GET", name, None, {})
        return content.decode(errors="replace").strip()

    def put(self, name: str, content: bytes, digest: str) -> None:
        self._answer("PUT", name, content, {"X-Sha256": digest} if digest else {})

    def _answer(self, method: str, name: str, content: bytes | None, headers: dict) -> bytes:
        """The body of an answer, empty where there is no such file. Repeated where that helps."""
        try:
            return self._hub.ask(method, f"/files/{quote(name)}", content, headers, UPLOAD_S)[1]
        except ApiFault as error:
            if method == "GET" and error.status == NOT_FOUND:
                return b""
            raise TrialwattError(
                f"the data pod does not take or give {name}: {error}. `snakemake --profile "
                "k8s undeploy` removes it; the next call brings it up anew"
            ) from error


def namespace_of(kubernetes: Kubernetes) -> str:
    return kubernetes.namespace or f"{kubernetes.namespace_prefix}-shared"


def key_in(secret: dict) -> str:
    """The data pod's key. Raises TrialwattError where another version has made the Secret."""
    if KEY not in (found := secret.get("data") or {}):
        raise TrialwattError(
            f"the Secret {SHARED_SECRET} is of another version of trialwatt: `snakemake --profile "
            "k8s undeploy` removes it with the shared data; the next call brings them up anew"
        )
    return base64.b64decode(found[KEY]).decode()


def pod_of(
    kubernetes: Kubernetes, name: str, command: list[str], disk_mb: int, deadline_s: int = 0
) -> dict:
    """A pod of the deploy stage, in the limits of a hub.

    disk_mb: of its writable folder. deadline_s: it is ended then, whoever is still there; 0: never.
    """
    labels = LABELS | {manifests.COMPONENT: name}
    container = {"name": name, "command": command}
    limits = manifests.hub_limits(kubernetes, disk_mb)
    pod = manifests.powerless_pod(kubernetes, name, labels, container, limits, "cpu")
    pod["spec"]["terminationGracePeriodSeconds"] = 1
    if deadline_s:
        pod["spec"]["activeDeadlineSeconds"] = deadline_s
    return pod


def served(pod: dict) -> dict:
    """The pod as one that is ready when it answers on the hub's port, is started again when it
    fails, and has the shared key."""
    pod["spec"]["restartPolicy"] = "Always"
    pod["spec"]["containers"][0] |= {
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1},
        "env": [manifests.key_variable(SHARED_SECRET)],
    }
    return pod
