"""What a run creates in a cluster, as plain objects: functions of what it needs, and nothing else.

All of it stands in one namespace, meets Pod Security's level "restricted", holds no right at the
API server, and asks for exactly what it is limited to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trialwatt.platforms.base import Role
from trialwatt.platforms.environment import thread_environment
from trialwatt.platforms.hub import server
from trialwatt.platforms.hub.client import ADDRESS, LIFE, TOKEN
from trialwatt.platforms.hub.tokens import KEY
from trialwatt.platforms.kubernetes import agent
from trialwatt.platforms.kubernetes.capacity import CPU, DISK, MEMORY, amount, placement, quantity
from trialwatt.platforms.kubernetes.containers import KINDS, MAIN, NOTHING, Added
from trialwatt.platforms.kubernetes.options import Kubernetes
from trialwatt.platforms.processes import COMPONENT_VARIABLE, RUN_VARIABLE

MANAGED = "app.kubernetes.io/managed-by"
RUN_ID = "trialwatt/run-id"
OWNER = "trialwatt/owner"
"""Label: which coordinator, as a hash of what it is (see owners)."""
COMPONENT = "trialwatt/component"
PART = "trialwatt/part"
OWNER_FACTS = "trialwatt/owner-facts"
"""Annotation: JSON of which process the coordinator is, and where."""
HEARTBEAT = "trialwatt/heartbeat"
"""Annotation: UTC, in seconds, at which the coordinator was last known to be alive."""

USER = 10001
"""User and group of the image's processes; of no person."""
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What Pod Security's level "restricted" asks of every pod, and every pod here keeps to."""
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""The same of every container: it writes to its mounts alone."""

NO_SIDECAR = {"sidecar.istio.io/inject": "false"}
"""Labels by which a service mesh leaves a pod alone: what is measured has nothing beside it."""
LEFT_ALONE = {
    "linkerd.io/inject": "disabled",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
"""Annotations to the same end, and for which an autoscaler keeps the node of a pod."""

HUB_PORTS = [{"protocol": "TCP", "port": server.PORT}]
QUOTA = POLICY = HUB_SECRET = "trialwatt"
PULL_SECRET = "registry"
SCRATCH = "/run/trialwatt"
JOB_FOLDER = f"{SCRATCH}/job"
DATA_FOLDER = f"{SCRATCH}/data"
SHM_MB = 128
GRACE_S = 3
NODE_LOST_S = 10
"""So long a pod waits on a node that does not answer before it is given up."""


@dataclass(frozen=True)
class Place:
    """What all pods of a run have in common. owner: label of its coordinator. deadline_s: after it
    each pod is ended."""

    run_id: str
    owner: str
    namespace: str
    kubernetes: Kubernetes
    sample_hz: float
    deadline_s: int

    @property
    def labels(self) -> dict[str, str]:
        return {MANAGED: "trialwatt", RUN_ID: self.run_id}


def namespace(place: Place, owner_facts: str, heartbeat: str) -> dict:
    """The run's namespace, marked with whose it is, and that this one lives."""
    made = restricted_namespace(place.namespace, place.labels | {OWNER: place.owner})
    made["metadata"]["annotations"] = {OWNER_FACTS: owner_facts, HEARTBEAT: heartbeat}
    return made


def claim(place: Place, name: str, owner_facts: str, heartbeat: str) -> dict:
    """What a run holds a namespace by that it is given; marked as a namespace of its own is."""
    made = made_of("v1", "ConfigMap", name, place.labels | {OWNER: place.owner})
    made["metadata"]["annotations"] = {OWNER_FACTS: owner_facts, HEARTBEAT: heartbeat}
    return made


def restricted_namespace(name: str, labels: dict[str, str]) -> dict:
    """Refuses pods that want more than Pod Security's level "restricted" gives."""
    security = "pod-security.kubernetes.io/enforce"
    labels = labels | {security: "restricted", f"{security}-version": "latest"}
    return made_of("v1", "Namespace", name, labels)


def quota(place: Place, roles: Iterable[Role], added: Added = NOTHING) -> dict:
    """Room for these roles and the hub, and not more. Pods that have ended need none.

    added: what the cluster adds to each of the pods; of what that names no amount there is no
    quota, for it would refuse the pod.
    """
    limits = [hub_limits(place.kubernetes), *(role_limits(place.kubernetes, r) for r in roles)]
    hard = {"pods": str(len(limits))} | {
        key: quantity(key.partition(".")[2], total)
        for key, total in in_a_quota(limits, added).items()
        if key not in added.unnamed
    }
    return made_of("v1", "ResourceQuota", QUOTA, place.labels, spec={"hard": hard})


def in_a_quota(limits: Sequence[dict[str, str]], added: Added) -> dict[str, float]:
    """What pods of these limits take of a quota together: "requests.cpu" → cores, and so on."""
    found: dict[str, float] = {}
    for each in limits:
        for name, text in each.items():
            both = name in (CPU, MEMORY, DISK)  # of devices a quota knows requests alone
            for kind in KINDS if both else KINDS[:1]:
                found[f"{kind}.{name}"] = found.get(f"{kind}.{name}", 0) + amount(text)
    return {key: total + added.amounts.get(key, 0) * len(limits) for key, total in found.items()}


def policies(place: Place) -> list[dict]:
    """Nothing goes in or out, but between the pods of the run and to the shared data; and the API
    server, which is no pod and has no address that is known, reaches the hub's port. That port
    opens to tokens alone."""
    shared_labels = {"matchLabels": {MANAGED: "trialwatt", PART: "shared"}}
    if place.kubernetes.namespace:  # where others may have pods too
        own: dict = {"matchLabels": place.labels}
        shared = [{"podSelector": shared_labels}]
    else:
        own, shared = {}, [{"namespaceSelector": shared_labels}]
    inside = [{"podSelector": own}]
    between = {
        "podSelector": own,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": inside}],
        "egress": [{"to": inside}, {"to": shared, "ports": HUB_PORTS}],
    }
    to_hub = {
        "podSelector": {"matchLabels": place.labels | {COMPONENT: server.HUB}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": HUB_PORTS}],
    }
    return [
        network_policy(POLICY, place.labels, between),
        network_policy(f"{POLICY}-hub", place.labels, to_hub),
    ]


def network_policy(name: str, labels: dict[str, str], spec: dict) -> dict:
    return made_of("networking.k8s.io/v1", "NetworkPolicy", name, labels, spec=spec)


def secret(labels: dict[str, str], name: str, values: dict[str, str], kind: str = "Opaque") -> dict:
    return made_of("v1", "Secret", name, labels, type=kind, stringData=values)


def pull_secret(labels: dict[str, str], content: str, name: str = PULL_SECRET) -> dict:
    """A private registry's credentials, the content of a docker config.json."""
    values = {".dockerconfigjson": content}
    return secret(labels, name, values, "kubernetes.io/dockerconfigjson")


def made_of(version: str, kind: str, name: str, labels: dict[str, str], **rest) -> dict:
    """An object of the API: what each has, and the rest."""
    made = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}}
    return made | rest


def hub_pod(place: Place) -> dict:
    """The run's journal and post office."""
    module = "trialwatt.platforms.hub.server"
    container = {
        "command": ["python", "-m", module],
        "args": ["--folder", f"{SCRATCH}/hub", "--port", str(server.PORT)],
        "env": [_variable(server.HZ_VARIABLE, f"{min(1.0, place.sample_hz):g}"), key_variable()],
        "ports": [{"containerPort": server.PORT}],
        "readinessProbe": {
            "httpGet": {"path": "/healthz", "port": server.PORT},
            "periodSeconds": 1,
            "failureThreshold": 30,
        },
    }
    return _pod(place, server.HUB, server.HUB, container, hub_limits(place.kubernetes), "cpu")


def component_pod(
    place: Place,
    role: Role,
    life: str,
    hub_url: str,
    variables: dict[str, str],
    secrets: tuple[str, ...] = (),
    node: str | None = None,
) -> dict:
    """The pod of a role. @host:NAME@ is replaced already, @host@ and @python@ are the agent's.

    life: its name, and that of a Secret, which holds its token and what else only it may know.
    secrets: names of further Secrets whose values are variables too. node: where the component
    that it replaces was; it comes to that one again where it can.
    """
    environment = (
        thread_environment(role.cpu)
        | {"HOME": "/tmp"}
        | role.environment
        | variables
        | {
            RUN_VARIABLE: place.run_id,
            COMPONENT_VARIABLE: role.component,
            LIFE: life,
            ADDRESS: hub_url,
            agent.FOLDER: JOB_FOLDER,
            agent.SPEAKS: "1" if role.speaks else "0",
            agent.SAMPLE_HZ: f"{place.sample_hz:g}",
            agent.START_S: f"{place.kubernetes.start_s:g}",
        }
    )
    given = sorted({*environment, *role.secrets, agent.HOST, TOKEN})
    environment[agent.GIVEN] = " ".join(given)
    container = {
        "command": ["python", "-m", "trialwatt.platforms.kubernetes.agent"],
        "args": [_literal(part) for part in role.command],
        "env": [
            *(_variable(name, value) for name, value in environment.items()),
            {"name": agent.HOST, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        "envFrom": [{"secretRef": {"name": name}} for name in (*secrets, life)],
    }
    kind = role.accelerator if role.kind == "worker" else "cpu"
    limits = role_limits(place.kubernetes, role)
    pod = _pod(place, life, role.component, container, limits, kind)
    if node is not None:
        pod["spec"]["affinity"] = _prefers(node)
    return pod


def hub_limits(kubernetes: Kubernetes, disk_mb: int | None = None) -> dict[str, str]:
    """What a hub is given. disk_mb: of its writable folder, if not that of a component."""
    disk_mb = kubernetes.ephemeral_mb if disk_mb is None else disk_mb
    return _limits(kubernetes.hub.cpu, kubernetes.hub.memory_mb, disk_mb)


def role_limits(kubernetes: Kubernetes, role: Role) -> dict[str, str]:
    """What a role is given, in Kubernetes' units: requests and limits alike."""
    limits = _limits(role.cpu, role.memory_mb, kubernetes.ephemeral_mb)
    device = kubernetes.accelerators.get(role.accelerator) if role.kind == "worker" else None
    return limits if device is None else limits | {device.resource: str(device.count)}


def _limits(cpu: float, memory_mb: int, disk_mb: int) -> dict[str, str]:
    return {
        "cpu": f"{max(1, round(cpu * 1000))}m",
        "memory": f"{memory_mb}Mi",
        "ephemeral-storage": f"{disk_mb}Mi",
    }


def _pod(
    place: Place, name: str, component: str, container: dict, limits: dict[str, str], kind: str
) -> dict:
    labels = place.labels | {COMPONENT: component, OWNER: place.owner}
    pod = powerless_pod(place.kubernetes, name, labels, container, limits, kind)
    pod["metadata"]["namespace"] = place.namespace
    spec = pod["spec"]
    spec["containers"][0]["volumeMounts"].append({"name": "shm", "mountPath": "/dev/shm"})
    shm = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{SHM_MB}Mi"}}
    spec["volumes"].append(shm)
    spec["tolerations"] += [
        {
            "key": f"node.kubernetes.io/{trouble}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": NODE_LOST_S,
        }
        for trouble in ("not-ready", "unreachable")
    ]
    spec |= {
        "activeDeadlineSeconds": place.deadline_s,
        "terminationGracePeriodSeconds": GRACE_S,
        # Components know addresses. Who asks for a name all the same hears at once that there is
        # none, and does not wait for a server that the policies keep out of reach.
        "dnsPolicy": "None",
        "dnsConfig": {
            "nameservers": ["127.0.0.1"],
            "options": [{"name": "timeout", "value": "1"}, {"name": "attempts", "value": "1"}],
        },
    }
    return pod


def powerless_pod(
    kubernetes: Kubernetes,
    name: str,
    labels: dict[str, str],
    container: dict,
    limits: dict[str, str],
    kind: str,
) -> dict:
    """A pod without any right, with a writable folder. kind: whose nodes it may be on."""
    selector, tolerations = placement(kubernetes, kind)
    container = container | {
        "name": MAIN,
        "image": kubernetes.image,
        "imagePullPolicy": kubernetes.image_pull_policy,
        "resources": {"requests": limits, "limits": limits},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "scratch", "mountPath": SCRATCH, "subPath": "run"},
            {"name": "scratch", "mountPath": "/tmp", "subPath": "tmp"},
        ],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "containers": [container],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": limits["ephemeral-storage"]}}],
        "nodeSelector": selector,
        "tolerations": [one.model_dump(exclude_none=True) for one in tolerations],
    }
    if kubernetes.image_pull_secret_env:
        spec["imagePullSecrets"] = [{"name": PULL_SECRET}]
    if kubernetes.priority_class:
        spec["priorityClassName"] = kubernetes.priority_class
    pod = made_of("v1", "Pod", name, labels | NO_SIDECAR, spec=spec)
    pod["metadata"]["annotations"] = dict(LEFT_ALONE)
    return pod


def _prefers(node: str) -> dict:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    term = {"weight": 100, "preference": {"matchExpressions": [here]}}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}


def key_variable(secret: str = HUB_SECRET) -> dict:
    """The environment variable of a hub's own key, from a Secret."""
    return {"name": KEY, "valueFrom": {"secretKeyRef": {"name": secret, "key": KEY}}}


def _variable(name: str, value: str) -> dict:
    return {"name": name, "value": _literal(value)}


def _literal(text: str) -> str:
    """Kubernetes would take $(NAME) for a variable."""
    return text.replace("$(", "$$(")
