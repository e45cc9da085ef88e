"""The pod that serves the prepared datasets to the runs of a testbed, one for each worker image."""

from __future__ import annotations

import calendar
import hashlib
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from trialwatt.address import joined
from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.platforms.hub.server import PORT
from trialwatt.platforms.hub.tokens import COORDINATOR, token_of
from trialwatt.platforms.kubernetes import manifests, owners
from trialwatt.platforms.kubernetes.access import NOT_FOUND, Api, ApiFault, suppress_status
from trialwatt.platforms.kubernetes.claims import Ledger
from trialwatt.platforms.kubernetes.containers import own_status
from trialwatt.platforms.kubernetes.faults import address_of, held_up, is_ready, will_not_start
from trialwatt.platforms.kubernetes.hub_proxy import HubProxy
from trialwatt.platforms.kubernetes.options import Kubernetes, section
from trialwatt.platforms.kubernetes.rights import SHARED_SECRET
from trialwatt.platforms.kubernetes.shared import DATA, Shared, made, open_namespace, tidy
from trialwatt.platforms.kubernetes.waiting import CONFLICT, wait_for, wait_until_gone

DISK_MB = 1024
UPLOAD_S = 600.0
PATIENCE_S = 30.0
"""For so long an API server may be away, or a pod that has just become ready unreachable."""
FULL = 507


@dataclass(frozen=True)
class DataSource:
    """Where the pods of a run fetch the dataset: GET <url>/files/<name>, with the token.

    ledger: has this coordinator's claim on it, which is to be kept alive while it is used.
    """

    url: str
    name: str
    sha256: str
    token: str = field(repr=False)
    namespace: str
    ledger: Ledger = field(repr=False, compare=False)


def data_source(api: Api, testbed: Testbed, data: Path, reader: str = "") -> DataSource:
    """The pod that serves this dataset; it is brought up, or filled, where it has to be.

    What is there is used as it is where its sha256 is that of `data`. reader: the run whose pods
    fetch it; their token reads and does not write. Pods that are there and nobody uses any more
    are removed. Raises TrialwattError.
    """
    kubernetes = section(testbed)
    name = name_of(kubernetes)
    shared = open_namespace(api, kubernetes, name, owners.coordinator())
    for sentence in tidy(api, shared.space, shared.ledger, shared.ledger.living):
        print(sentence, file=sys.stderr, flush=True)
    digest = sha256(data)
    stored = f"{digest[:16]}/{data.name}"  # another coordinator may have other data of that name
    pod = _data_pod(shared, name)
    try:
        _fill(shared, name, stored, data, digest)
    except _Full:
        found = shared.ledger.find()
        if found is None or name in {each.what for each in shared.ledger.others(found)}:
            raise
        with shared.ledger.removing(found) as granted:
            if not granted:
                raise
            _replaceable(api, f"{shared.pods}/{name}", pod, kubernetes.undeploy_s)
        pod = _data_pod(shared, name)
        _fill(shared, name, stored, data, digest)
    place = joined(address_of(pod), PORT)
    token = token_of(shared.key, f"run {reader}")
    return DataSource(f"http://{place}", stored, digest, token, shared.space, shared.ledger)


def name_of(kubernetes: Kubernetes) -> str:
    """One for each image: what serves the data is of the same state as what fetches them."""
    return f"{DATA}-{hashlib.sha256(str(kubernetes.image).encode()).hexdigest()[:12]}"


def _data_pod(shared: Shared, name: str) -> dict:
    """The running data pod. One that has ended or cannot start is replaced; one that another
    coordinator is bringing up is waited for."""
    api, kubernetes, path = shared.api, shared.kubernetes, f"{shared.pods}/{name}"
    there = api.find(path)
    if there is not None and _is_of_no_use(there, kubernetes, api.utc()):
        _replaceable(api, path, there, kubernetes.undeploy_s)
        there = None
    if there is None:  # a quota without room refuses what is there already, too
        made(api, shared.pods, pod_for(shared, name))
    return wait_for(api, kubernetes, shared.space, name, is_ready)


def _is_of_no_use(pod: dict, kubernetes: Kubernetes, now_s: float) -> bool:
    """Whether a pod that is there is none that serves data, or soon will."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    if "deletionTimestamp" in metadata or status.get("phase") in ("Succeeded", "Failed"):
        return True
    if is_ready(pod):
        return False
    waiting = own_status(pod).get("state", {}).get("waiting") or {}
    made_s = calendar.timegm(time.strptime(metadata["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ"))
    patience_s = kubernetes.schedule_s + kubernetes.start_s
    return will_not_start(waiting) or bool(held_up(pod)) or now_s - made_s > patience_s


def _replaceable(api: Api, path: str, pod: dict, patience_s: float) -> None:
    """Have this pod gone; another one of its name may be there already."""
    uid = pod["metadata"]["uid"]
    with suppress_status(CONFLICT):
        api.delete(path, gracePeriodSeconds=0, preconditions={"uid": uid})
    wait_until_gone(api, path, patience_s, uid)


def _fill(shared: Shared, pod: str, stored: str, data: Path, digest: str) -> None:
    """Have the data there, whole."""
    serves = _Served(shared.api, shared.space, pod, token_of(shared.key, COORDINATOR))
    if serves.text(f"{stored}.sha256") != digest:
        serves.put(stored, data.read_bytes(), digest)
        serves.put(f"{stored}.sha256", digest.encode(), "")  # the file is there, and whole


class _Full(TrialwattError):
    """The data pod has no room."""


class _Served:
    """The files of the data pod, through the API server."""

    def __init__(self, api: Api, space: str, pod: str, token: str):
        self._hub = HubProxy(api, space, token, PATIENCE_S, pod)

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
            kind = _Full if error.status == FULL else TrialwattError
            raise kind(
                f"the data pod does not take or give {name}: {error}. `snakemake --profile "
                "k8s undeploy` removes it; the next call brings it up anew"
            ) from error


def pod_for(shared: Shared, name: str) -> dict:
    """The pod that serves data: ready when it answers on the hub's port, started again when it
    fails, with the shared key."""
    command = ["python", "-m", "trialwatt.platforms.hub.server", "--files-only"]
    command += ["--folder", f"{manifests.SCRATCH}/shared", "--port", str(PORT)]
    pod = shared.pod_of(name, DATA, command, DISK_MB)
    pod["spec"]["restartPolicy"] = "Always"
    pod["spec"]["containers"][0] |= {
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1},
        "env": [manifests.key_variable(SHARED_SECRET)],
    }
    return pod
