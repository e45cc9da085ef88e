"""What the runs of a testbed share: a namespace with a pod that serves the prepared datasets.

It is brought up once, used again by every run, and goes with `snakemake --profile k8s undeploy`.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.platforms.kubernetes import guests
from trialwatt.platforms.kubernetes.access import Api, ApiFault
from trialwatt.platforms.kubernetes.faults import is_ready
from trialwatt.platforms.kubernetes.gone import delete_namespace, wait_until_gone
from trialwatt.platforms.kubernetes.hub import PORT
from trialwatt.platforms.kubernetes.hub_client import TOKEN_HEADER
from trialwatt.platforms.kubernetes.options import Kubernetes, section
from trialwatt.platforms.kubernetes.rights import SHARED_SECRET
from trialwatt.platforms.kubernetes.waiting import wait_for

POD = "data"
DISK_MB = 1024
UPLOAD_S = 600.0
PATIENCE_S = 30.0
"""For so long an API server may be away, or a pod that has just become ready unreachable."""
PASSING = (0, 502, 503, 504)
EXISTS, NOT_FOUND = 409, 404


@dataclass(frozen=True)
class DataSource:
    """Where the pods of a run fetch the dataset: GET <url>/files/<name>, with the token."""

    url: str
    name: str
    sha256: str
    token: str = field(repr=False)
    namespace: str = ""


def data_source(api: Api, testbed: Testbed, data: Path) -> DataSource:
    """The pod that serves this dataset; it is brought up, or filled, where it has to be.

    What is there is used as it is where its sha256 is that of `data`. Raises TrialwattError.
    """
    kubernetes = section(testbed)
    space, token = open_namespace(api, kubernetes)
    pod = _data_pod(api, kubernetes, space)
    digest = sha256(data)
    served = _Served(api, space, token)
    if served.text(f"{data.name}.sha256") != digest:
        served.put(data.name, data.read_bytes(), digest)
        served.put(f"{data.name}.sha256", digest.encode(), "")  # the file is there, and whole
    address = pod["status"]["podIP"]
    host = f"[{address}]" if ":" in address else address
    return DataSource(f"http://{host}:{PORT}", data.name, digest, token, space)


def open_namespace(api: Api, kubernetes: Kubernetes) -> tuple[str, str]:
    """The shared namespace, made where it is missing, and its token."""
    space = guests.namespace_of(kubernetes)
    _made(api, "/api/v1/namespaces", guests.namespace(space))
    below = f"/api/v1/namespaces/{space}"
    policies = f"/apis/networking.k8s.io/v1/namespaces/{space}/networkpolicies"
    _made(api, policies, guests.network_policy())
    if variable := kubernetes.image_pull_secret_env:
        content = os.environ.get(variable, "")
        if not content:
            raise TrialwattError(
                f"kubernetes.image_pull_secret_env: the environment variable {variable} is empty; "
                "it must hold the content of a docker config.json"
            )
        _made(api, f"{below}/secrets", guests.pull_secret(content))
    token = guests.new_token()
    if not _made(api, f"{below}/secrets", guests.secret(token)):
        token = guests.token_in(api.get(f"{below}/secrets/{SHARED_SECRET}"))
    return space, token


def remove(api: Api, testbed: Testbed) -> list[str]:
    """Remove the shared namespace; returns a sentence for what was removed.

    Raises TrialwattError where it is not gone in time, with what holds it.
    """
    space = guests.namespace_of(section(testbed))
    path = f"/api/v1/namespaces/{space}"
    try:
        labels = api.get(path)["metadata"].get("labels") or {}
    except ApiFault as error:
        if error.status == NOT_FOUND:
            return []
        raise
    if any(labels.get(key) != value for key, value in guests.LABELS.items()):
        raise TrialwattError(f"the namespace {space} is not ours (its labels say so): left alone")
    delete_namespace(api, space, section(testbed).undeploy_s)
    return [f"removed the namespace {space} with the shared data"]


def _data_pod(api: Api, kubernetes: Kubernetes, space: str) -> dict:
    """The running data pod. One that has ended, or is of another image, is replaced."""
    path = f"/api/v1/namespaces/{space}/pods"
    command = ["python", "-m", "trialwatt.platforms.kubernetes.hub", "--files-only"]
    command += ["--folder", f"{guests.FOLDER}/shared", "--port", str(PORT)]
    wanted = guests.pod(kubernetes, POD, command, DISK_MB, serves=True)
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
        self._api, self._headers = api, {TOKEN_HEADER: token}
        self._path = f"/api/v1/namespaces/{space}/pods/{POD}:{PORT}/proxy/files"

    def text(self, name: str) -> str:
        """What a small file holds; empty where there is none."""
        content = self._answer("GET", name, None, {})
        return content.decode(errors="replace").strip()

    def put(self, name: str, content: bytes, digest: str) -> None:
        self._answer("PUT", name, content, {"X-Sha256": digest} if digest else {})

    def _answer(self, method: str, name: str, content: bytes | None, headers: dict) -> bytes:
        """The body of an answer, empty where there is no such file. Repeated where that helps."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                path = f"{self._path}/{quote(name)}"
                headers = self._headers | headers
                return self._api.raw(method, path, content, headers=headers, answer_s=UPLOAD_S)[2]
            except ApiFault as error:
                if method == "GET" and error.status == NOT_FOUND:
                    return b""
                if error.status not in PASSING or time.monotonic() > deadline:
                    raise TrialwattError(
                        f"the data pod does not take or give {name}: {error}. `snakemake --profile "
                        "k8s undeploy` removes it; the next call brings it up anew"
                    ) from error
            time.sleep(1)
