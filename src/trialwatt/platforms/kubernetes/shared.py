"""What the runs of a testbed share: a namespace, in which a pod serves the prepared datasets.

It is brought up once and used again by every run, of other coordinators too, each of which claims
what it uses (see claims). It goes with `snakemake --profile k8s undeploy` of the last of them.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.platforms.hub.tokens import KEY
from trialwatt.platforms.kubernetes import manifests, owners
from trialwatt.platforms.kubernetes.access import Api, ApiFault
from trialwatt.platforms.kubernetes.claims import Claim, Ledger
from trialwatt.platforms.kubernetes.options import Kubernetes, section
from trialwatt.platforms.kubernetes.rights import SHARED_CLAIMS, SHARED_SECRET
from trialwatt.platforms.kubernetes.space import remove_labelled
from trialwatt.platforms.kubernetes.waiting import CONFLICT, delete_namespace

DATA = "data"
"""Component of the pods that serve data."""
LABELS = {manifests.MANAGED: "trialwatt", manifests.PART: "shared"}
ISOLATION = {
    "podSelector": {"matchLabels": LABELS},
    "policyTypes": ["Ingress", "Egress"],
    "ingress": [{"ports": manifests.HUB_PORTS}],
}
"""Only the port that opens to tokens is open, and no pod here reaches anything. From everywhere:
the API server, which passes the data on, is no pod and has no address that is known."""


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
        container = {"command": command}
        limits = manifests.hub_limits(self.kubernetes, disk_mb)
        pod = manifests.powerless_pod(self.kubernetes, name, labels, container, limits, "cpu")
        pod["spec"]["terminationGracePeriodSeconds"] = 1
        if deadline_s:
            pod["spec"]["activeDeadlineSeconds"] = deadline_s
        if content := _pull_content(self.kubernetes):
            pod["spec"]["imagePullSecrets"] = [{"name": _pull_secret(self.key, content)}]
        return pod


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
    made(api, policies, manifests.network_policy("trialwatt-shared", LABELS, ISOLATION))
    drawn = {KEY: secrets.token_urlsafe(32)}
    made(api, f"{below}/secrets", manifests.secret(LABELS, SHARED_SECRET, drawn))
    key = key_in(api.get(f"{below}/secrets/{SHARED_SECRET}"))  # the first one's
    if content:
        secret = manifests.pull_secret(LABELS, content, _pull_secret(key, content))
        made(api, f"{below}/secrets", secret)
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
            return [*tidy(api, space, ledger, ledger.others), _used(space, others, api.utc())]
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


def tidy(
    api: Api, space: str, ledger: Ledger, users: Callable[[Mapping], list[Claim]]
) -> list[str]:
    """Remove the claims of the dead, and the shared pods that are in none of the claims that count
    (users: of the object with all of them); a sentence for each pod.

    Where somebody else is at it, that one does it.
    """
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


def foreseen(api: Api, kubernetes: Kubernetes) -> Shared:
    """The shared namespace as it would be open to this coordinator, to see what its pods would be:
    nothing is asked or claimed, and the key is that of nobody."""
    ledger = _ledger(api, kubernetes, owners.coordinator())
    return Shared(api, kubernetes, namespace_of(kubernetes), secrets.token_urlsafe(32), ledger)


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
        made(api, path, manifests.made_of("v1", "ConfigMap", SHARED_CLAIMS, LABELS))
    elif not made(api, "/api/v1/namespaces", manifests.restricted_namespace(space, LABELS)):
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


def made(api: Api, path: str, body: dict) -> bool:
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
