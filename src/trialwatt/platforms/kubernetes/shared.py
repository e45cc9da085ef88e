"""What the runs of a testbed share: a namespace with a pod that serves the prepared datasets.

It is brought up once and used again by every run, of other coordinators too, each of which claims
what it uses (see claims). It goes with `snakemake --profile k8s undeploy` of the last of them.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.platforms.hub.server import PORT
from trialwatt.platforms.hub.tokens import COORDINATOR, KEY, token_of
from trialwatt.platforms.kubernetes import manifests, owners
from trialwatt.platforms.kubernetes.access import NOT_FOUND, Api, ApiFault, suppress_status
from trialwatt.platforms.kubernetes.claims import Claim, Ledger
from trialwatt.platforms.kubernetes.faults import is_ready, will_not_start
from trialwatt.platforms.kubernetes.hub_proxy import HubProxy
from trialwatt.platforms.kubernetes.options import Kubernetes, section
from trialwatt.platforms.kubernetes.rights import SHARED_CLAIMS, SHARED_SECRET
from trialwatt.platforms.kubernetes.space import remove_labelled
from trialwatt.platforms.kubernetes.waiting import (
    CONFLICT,
    delete_namespace,
    wait_for,
    wait_until_gone,
)

DATA = "data"
DISK_MB = 1024
UPLOAD_S = 600.0
PATIENCE_S = 30.0
"""For so long an API server may be away, or a pod that has just become ready unreachable."""
FULL = 507
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
    """Where the pods of a run fetch the dataset: GET <url>/files/<name>, with the token.

    ledger: has this coordinator's claim on it, which is to be kept alive while it is used.
    """

    url: str
    name: str
    sha256: str
    token: str = field(repr=False)
    namespace: str
    ledger: Ledger = field(repr=False, compare=False)


@dataclass(frozen=True)
class Shared:
    """The shared namespace, open for one coordinator: its pods' key, and what it claims there."""

    api: Api
    kubernetes: Kubernetes
    space: str
    key: str = field(repr=False)
    ledger: Ledger

    @property
    def pods(self) -> str:
        return f"/api/v1/namespaces/{self.space}/pods"

    def pod_of(
        self, name: str, component: str, command: list[str], disk_mb: int, deadline_s: int = 0
    ) -> dict:
        """A pod of the deploy stage, in the limits of a hub.

        disk_mb: of its writable folder. deadline_s: it is ended then, whoever is still there; 0:
        never.
        """
        labels = LABELS | {manifests.COMPONENT: component, manifests.OWNER: self.ledger.owner}
        container = {"name": component, "command": command}
        limits = manifests.hub_limits(self.kubernetes, disk_mb)
        pod = manifests.powerless_pod(self.kubernetes, name, labels, container, limits, "cpu")
        pod["spec"]["terminationGracePeriodSeconds"] = 1
        if deadline_s:
            pod["spec"]["activeDeadlineSeconds"] = deadline_s
        if content := _pull_content(self.kubernetes):
            pod["spec"]["imagePullSecrets"] = [{"name": _pull_secret(self.key, content)}]
        return pod


def data_source(api: Api, testbed: Testbed, data: Path, reader: str = "") -> DataSource:
    """The pod that serves this dataset; it is brought up, or filled, where it has to be.

    What is there is used as it is where its sha256 is that of `data`. reader: the run whose pods
    fetch it; their token reads and does not write. What is there and nobody uses any more is
    removed. Raises TrialwattError.
    """
    kubernetes = section(testbed)
    name = data_pod_name(kubernetes)
    shared = open_namespace(api, kubernetes, name, owners.coordinator())
    _tidy(api, shared.space, shared.ledger, shared.ledger.living)
    digest = sha256(data)
    stored = f"{digest[:16]}/{data.name}"  # another coordinator may have other data of that name
    pod = _data_pod(shared, name)
    try:
        _fill(shared, name, stored, data, digest)
    except _Full:
        if any(each.what == name for each in _others(shared.ledger)):
            raise
        _replaceable(api, f"{shared.pods}/{name}", pod, kubernetes.undeploy_s)
        pod = _data_pod(shared, name)
        _fill(shared, name, stored, data, digest)
    address = pod["status"]["podIP"]
    host = f"[{address}]" if ":" in address else address
    token = token_of(shared.key, f"run {reader}")
    return DataSource(f"http://{host}:{PORT}", stored, digest, token, shared.space, shared.ledger)


def open_namespace(api: Api, kubernetes: Kubernetes, what: str, who: Mapping) -> Shared:
    """The shared namespace, made where it is missing, with a claim on the pod `what` in it.

    who: the facts of the coordinator. Raises TrialwattError.
    """
    space = namespace_of(kubernetes)
    content = _pull_content(kubernetes)
    ledger = _ledger(api, kubernetes, who)
    ledger.take(what, lambda: _have_claims(api, kubernetes), kubernetes.undeploy_s)
    below = f"/api/v1/namespaces/{space}"
    policies = f"/apis/networking.k8s.io/v1/namespaces/{space}/networkpolicies"
    _made(api, policies, manifests.network_policy("trialwatt-shared", LABELS, ISOLATION))
    key = secrets.token_urlsafe(32)
    if not _made(api, f"{below}/secrets", manifests.secret(LABELS, SHARED_SECRET, {KEY: key})):
        key = key_in(api.get(f"{below}/secrets/{SHARED_SECRET}"))
    if content:
        secret = manifests.pull_secret(LABELS, content, _pull_secret(key, content))
        _made(api, f"{below}/secrets", secret)
    return Shared(api, kubernetes, space, key, ledger)


def remove(api: Api, testbed: Testbed) -> list[str]:
    """Remove the shared namespace, or what is shared from the one that is given; where another
    coordinator lives that uses it, only what none does. Returns a sentence for each.

    Raises TrialwattError where it is not gone in time, with what holds it.
    """
    kubernetes = section(testbed)
    space = namespace_of(kubernetes)
    ledger = _ledger(api, kubernetes, owners.coordinator())
    while True:
        if not _is_there(api, kubernetes):
            return []
        if kubernetes.namespace:  # what an older version has shared has no claims
            _have_claims(api, kubernetes)
        if (found := ledger.find()) is None:
            continue
        if others := ledger.others(found):
            return [*_tidy(api, space, ledger, ledger.others), _used(space, others, api.utc())]
        if "deletionTimestamp" in found["metadata"]:
            break
        with ledger.removing(found) as granted:
            if granted:
                return _remove_all(api, kubernetes)
    return _remove_all(api, kubernetes)


def examined(api: Api, testbed: Testbed) -> tuple[str, list[str]]:
    """Who uses what is shared, in a sentence (empty: there is nothing), and the pods of probes
    whose coordinator is dead. Changes nothing."""
    kubernetes = section(testbed)
    ledger = _ledger(api, kubernetes, owners.coordinator())
    if (found := ledger.find()) is None:
        return "", []
    space, living = namespace_of(kubernetes), ledger.living(found)
    coordinators = len({each.owner for each in living})
    used = {each.what for each in living}
    pods = [pod["metadata"] for pod in _pods(api, space)]
    left = [
        each["name"]
        for each in pods
        if each["name"] not in used and each["labels"].get(manifests.COMPONENT) != DATA
    ]
    said = f"{space} is used by {coordinators} living coordinator{'' if coordinators == 1 else 's'}"
    return said, left


def _remove_all(api: Api, kubernetes: Kubernetes) -> list[str]:
    space, patience_s = namespace_of(kubernetes), kubernetes.undeploy_s
    if not kubernetes.namespace:
        delete_namespace(api, space, patience_s)
        return [f"removed the namespace {space} with the shared data"]
    remove_labelled(api, space, {manifests.PART: "shared"}, patience_s)
    api.delete(_claims_path(kubernetes))  # the last: who waits for it makes all anew
    return [f"removed the shared data from the namespace {space}"]


def _tidy(api: Api, space: str, ledger: Ledger, users) -> list[str]:
    """Remove the claims of the dead, and the shared pods on which no `users` of the object have
    one; a sentence for each pod. Where somebody else is at it, that one does it."""
    if (found := ledger.find()) is None:
        return []
    used = {each.what for each in users(found)}
    unused = [
        pod["metadata"]["name"] for pod in _pods(api, space) if pod["metadata"]["name"] not in used
    ]
    said = []
    if unused:
        with ledger.removing(found) as granted:
            for name in unused if granted else ():
                api.delete(f"/api/v1/namespaces/{space}/pods/{name}", gracePeriodSeconds=0)
                said.append(f"removed the pod {name} from the namespace {space}: nobody uses it")
    ledger.forget_dead(found)
    return said


def _used(space: str, others: list[Claim], now_s: float) -> str:
    """A sentence: who keeps what is shared from being removed."""
    latest: dict[str, Claim] = {}
    for each in sorted(others, key=lambda claim: claim.beat_s):
        latest[each.owner] = each
    named = ", ".join(
        f"{owner} (on {each.who.get('host', 'an unknown host')}, since "
        f"{time.strftime('%F %TZ', time.gmtime(each.since_s))}, last heard of "
        f"{max(0.0, now_s - each.beat_s):.0f} s ago)"
        for owner, each in latest.items()
    )
    return f"the namespace {space} keeps what living coordinators use: {named}"


def _ledger(api: Api, kubernetes: Kubernetes, who: Mapping) -> Ledger:
    return Ledger(api, _claims_path(kubernetes), who)


def _claims_path(kubernetes: Kubernetes) -> str:
    path = f"/api/v1/namespaces/{namespace_of(kubernetes)}"
    return f"{path}/configmaps/{SHARED_CLAIMS}" if kubernetes.namespace else path


def _have_claims(api: Api, kubernetes: Kubernetes) -> None:
    """Have the object there that carries the claims. Raises TrialwattError where it is a namespace
    that is not ours."""
    space = namespace_of(kubernetes)
    if kubernetes.namespace:
        path = f"/api/v1/namespaces/{space}/configmaps"
        _made(api, path, manifests.made_of("v1", "ConfigMap", SHARED_CLAIMS, LABELS))
    elif not _made(api, "/api/v1/namespaces", manifests.restricted_namespace(space, LABELS)):
        _is_there(api, kubernetes)


def _is_there(api: Api, kubernetes: Kubernetes) -> bool:
    """Whether there is anything shared. Raises TrialwattError as `_have_claims`."""
    space = namespace_of(kubernetes)
    path = f"/api/v1/namespaces/{space}"
    if kubernetes.namespace:
        secret = f"{path}/secrets/{SHARED_SECRET}"
        return api.find(_claims_path(kubernetes)) is not None or api.find(secret) is not None
    if (found := api.find(path)) is None:
        return False
    labels = found["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in LABELS.items()):
        raise TrialwattError(f"the namespace {space} is not ours (its labels say so): left alone")
    return True


def _pods(api: Api, space: str) -> list[dict]:
    selector = ",".join(f"{key}={value}" for key, value in LABELS.items())
    found = api.get(f"/api/v1/namespaces/{space}/pods", labelSelector=selector)
    return found.get("items") or []


def _others(ledger: Ledger) -> list[Claim]:
    found = ledger.find()
    return [] if found is None else ledger.others(found)


def data_pod_name(kubernetes: Kubernetes) -> str:
    """One for each image: what serves the data is of the same state as what fetches them."""
    return f"{DATA}-{hashlib.sha256(str(kubernetes.image).encode()).hexdigest()[:12]}"


def _data_pod(shared: Shared, name: str) -> dict:
    """The running data pod. One that has ended or cannot start is replaced; one that another
    coordinator is bringing up is waited for."""
    api, kubernetes, path = shared.api, shared.kubernetes, f"{shared.pods}/{name}"
    command = ["python", "-m", "trialwatt.platforms.hub.server", "--files-only"]
    command += ["--folder", f"{manifests.SCRATCH}/shared", "--port", str(PORT)]
    wanted = served(shared.pod_of(name, DATA, command, DISK_MB))
    there = api.find(path)
    if there is not None and _is_of_no_use(there, kubernetes, api.utc()):
        _replaceable(api, path, there, kubernetes.undeploy_s)
    _made(api, shared.pods, wanted)
    return wait_for(api, kubernetes, shared.space, name, is_ready)


def _is_of_no_use(pod: dict, kubernetes: Kubernetes, now_s: float) -> bool:
    """Whether a pod that is there is none that serves data, or soon will."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    if "deletionTimestamp" in metadata or status.get("phase") in ("Succeeded", "Failed"):
        return True
    if is_ready(pod):
        return False
    waiting = [
        each.get("state", {}).get("waiting") or {} for each in status.get("containerStatuses") or []
    ]
    made_s = calendar.timegm(time.strptime(metadata["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ"))
    patience_s = kubernetes.schedule_s + kubernetes.start_s
    return any(map(will_not_start, waiting)) or now_s - made_s > patience_s


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


def _made(api: Api, path: str, body: dict) -> bool:
    """Create an object; False where there is one of its name already."""
    try:
        api.post(path, body)
    except ApiFault as error:
        if error.status == CONFLICT and error.reason == "AlreadyExists":
            return False
        raise
    return True


def _pull_content(kubernetes: Kubernetes) -> str:
    """A private registry's credentials, where the testbed names some. Raises TrialwattError."""
    if not (variable := kubernetes.image_pull_secret_env):
        return ""
    if not (content := os.environ.get(variable, "")):
        raise TrialwattError(
            f"kubernetes.image_pull_secret_env: the environment variable {variable} is empty; "
            "it must hold the content of a docker config.json"
        )
    return content


def _pull_secret(key: str, content: str) -> str:
    """Name of the Secret with these credentials: another one has others. Who has not the key
    cannot find out by it what they are."""
    digest = hmac.new(key.encode(), content.encode(), "sha256").hexdigest()
    return f"{manifests.PULL_SECRET}-{digest[:12]}"


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
