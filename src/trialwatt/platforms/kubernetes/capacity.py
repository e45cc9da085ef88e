"""Whether a run's pods fit onto the nodes of a cluster, beside what is there already."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes.options import Kubernetes, Toleration

CPU, MEMORY, DISK, PODS = "cpu", "memory", "ephemeral-storage", "pods"
MB = 1 << 20
ENDED = ("Succeeded", "Failed")
_DETAILS = 3


@dataclass(frozen=True)
class Demand:
    """A pod to be placed: resource → amount (cores, bytes, devices), and where it may be."""

    name: str
    amounts: Mapping[str, float]
    selector: Mapping[str, str]
    tolerations: tuple[Toleration, ...]


@dataclass
class Node:
    """A node: what it can give (`all`), and what nobody has requested yet (`free`)."""

    name: str
    labels: Mapping[str, str]
    taints: list[dict]
    all: dict[str, float]
    free: dict[str, float] = field(default_factory=dict)

    def takes(self, selector: Mapping[str, str], tolerations: Sequence[Toleration]) -> bool:
        """Whether such a pod may be placed here, room aside."""
        if any(self.labels.get(key) != value for key, value in selector.items()):
            return False
        return all(
            any(_tolerates(one, taint) for one in tolerations)
            for taint in self.taints
            if taint.get("effect") in ("NoSchedule", "NoExecute")
        )

    def has_room(self, amounts: Mapping[str, float]) -> bool:
        return all(self.free.get(key, 0) >= value * (1 - 1e-9) for key, value in amounts.items())


def nodes_of(nodes: Iterable[dict], pods: Iterable[dict], passing: Collection[str]) -> list[Node]:
    """The nodes that pods can be placed on. pods: of all namespaces, or none where unknown.

    passing: namespaces whose pods do not count, as they are gone before a run of ours begins.
    """
    found = {}
    for node in nodes:
        ready = [c for c in node["status"].get("conditions", []) if c["type"] == "Ready"]
        if node["spec"].get("unschedulable") or not ready or ready[0]["status"] != "True":
            continue
        given = {key: amount(value) for key, value in node["status"]["allocatable"].items()}
        name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        taints = node["spec"].get("taints") or []
        found[name] = Node(name, labels, taints, given, dict(given))
    for pod in pods:
        node = found.get(pod["spec"].get("nodeName", ""))
        leaves = pod["metadata"]["namespace"] in passing
        if node is None or leaves or pod["status"].get("phase") in ENDED:
            continue
        for key, value in requested(pod["spec"]).items():
            node.free[key] = node.free.get(key, 0) - value
    return list(found.values())


def requested(spec: dict, kind: str = "requests") -> dict[str, float]:
    """What a pod's scheduler counts: its containers together, or an initial one that needs more.

    kind: "requests" or "limits"; a quota counts both in this way.
    """
    together: dict[str, float] = {PODS: 1}
    for container in spec.get("containers", []):
        _add(together, container, kind)
    initial = spec.get("initContainers") or []
    for container in initial:
        if container.get("restartPolicy") == "Always":  # runs beside the others from then on
            _add(together, container, kind)
    for container in initial:
        alone: dict[str, float] = {}
        _add(alone, container, kind)
        together |= {key: max(value, together.get(key, 0)) for key, value in alone.items()}
    for key, value in (spec.get("overhead") or {}).items():
        together[key] = together.get(key, 0) + amount(value)
    return together


def _add(amounts: dict[str, float], container: dict, kind: str) -> None:
    for key, value in ((container.get("resources") or {}).get(kind) or {}).items():
        amounts[key] = amounts.get(key, 0) + amount(value)


_SUFFIXES = {
    **{name: 1024 ** (n + 1) for n, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))},
    **{name: 1000 ** (n + 1) for n, name in enumerate(("k", "M", "G", "T", "P"))},
    **{"n": 1e-9, "u": 1e-6, "m": 1e-3},
}


def amount(quantity: str | int | float) -> float:
    """A quantity of Kubernetes ("100m", "16Gi", "1e3") as a number. Raises ValueError."""
    text = str(quantity)
    for suffix, factor in _SUFFIXES.items():
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return float(text.removesuffix("E")) * 1e18 if text.endswith("E") else float(text)


def quantity(resource: str, value: float) -> str:
    """An amount of a resource as a quantity of Kubernetes, not less than it."""
    if resource == CPU:
        return f"{math.ceil(round(value * 1000, 6))}m"
    if resource in (MEMORY, DISK):
        return f"{math.ceil(value / MB)}Mi"
    return str(math.ceil(value))


def demands(kubernetes: Kubernetes, roles: Sequence[Role]) -> list[Demand]:
    """The pods of a run: one per role, and the hub."""
    limits = [(role.component, role.cpu, role.memory_mb, _accelerator(role)) for role in roles]
    limits.append(("hub", kubernetes.hub.cpu, kubernetes.hub.memory_mb, "cpu"))
    found = []
    for name, cpu, memory_mb, kind in limits:
        amounts = {
            CPU: cpu,
            MEMORY: memory_mb * MB,
            DISK: kubernetes.ephemeral_mb * MB,
            PODS: 1,
        }
        device = kubernetes.accelerators.get(kind)
        if device is not None:
            amounts[device.resource] = device.count
        found.append(Demand(name, amounts, *placement(kubernetes, kind)))
    return found


def placement(kubernetes: Kubernetes, kind: str) -> tuple[dict[str, str], tuple[Toleration, ...]]:
    """Node selector and tolerations of a pod that holds an accelerator of this kind, or none."""
    device = kubernetes.accelerators.get(kind)
    selector, tolerations = dict(kubernetes.node_selector), tuple(kubernetes.tolerations)
    if device is None:
        return selector, tolerations
    return selector | device.node_selector, tolerations + tuple(device.tolerations)


def _accelerator(role: Role) -> str:
    return role.accelerator if role.kind == "worker" else "cpu"


def shortages(wanted: Sequence[Demand], nodes: Sequence[Node]) -> list[str]:
    """Why these pods cannot all be placed at once; empty if they can.

    The largest first, each onto the first node with room: what finds its place so, there is a way
    to place. A scheduler that spreads pods may miss it, and then a pod says that it fits nowhere.
    """
    free = [Node(n.name, n.labels, n.taints, n.all, dict(n.free)) for n in nodes]
    largest = max((demand.amounts[CPU] for demand in wanted), default=0)
    order = sorted(wanted, key=lambda d: (-len(d.amounts), -d.amounts[CPU], -d.amounts[MEMORY]))
    placed, homeless = 0, []
    for demand in order:
        fitting = [node for node in free if node.takes(demand.selector, demand.tolerations)]
        home = next((node for node in fitting if node.has_room(demand.amounts)), None)
        if home is None:
            homeless.append((demand, fitting))
            continue
        placed += 1
        for key, value in demand.amounts.items():
            home.free[key] = home.free.get(key, 0) - value
    if not homeless:
        return []
    demand, fitting = homeless[0]
    if not fitting:
        return [f"no node may take {demand.name}: {why_none(demand.selector, nodes)}"]
    cpu = sum(one.amounts[CPU] for one in wanted)
    memory = sum(one.amounts[MEMORY] for one in wanted)
    free_of = [node for node in nodes if node.takes(demand.selector, demand.tolerations)]
    left = "; ".join(_left(node, demand) for node in free_of[:_DETAILS])
    more = "" if len(free_of) <= _DETAILS else f"; and {len(free_of) - _DETAILS} more"
    return [
        f"{placed} of {len(wanted)} pods fit ({', '.join(one.name for one in wanted)}: "
        f"{cpu:g} cores, {memory / MB:.0f} MB together, the largest {largest:g} cores); no node "
        f"has room for {demand.name} ({_shown(demand.amounts)}). Free: {left}{more}. Lower "
        "workers.count, workers.cpu, workers.memory_mb or the testbed's cpu_per_vcpu, or add nodes"
    ]


def why_none(selector: Mapping[str, str], nodes: Sequence[Node]) -> str:
    """Why none of these nodes may take pods with this selector, whatever room they have."""
    if not nodes:
        return "the cluster has no node that is ready and open for pods"
    chosen = [
        node
        for node in nodes
        if all(node.labels.get(key) == value for key, value in selector.items())
    ]
    if not chosen:
        asked = ", ".join(f"{key}={value}" for key, value in selector.items())
        return f"none of {len(nodes)} has the labels of the node_selector ({asked})"
    taints = {_taint(taint) for node in chosen for taint in node.taints}
    return f"all have taints that the tolerations do not cover: {', '.join(sorted(taints))}"


def _left(node: Node, demand: Demand) -> str:
    return f"{node.name} {_shown({key: node.free.get(key, 0) for key in demand.amounts})}"


def _shown(amounts: Mapping[str, float]) -> str:
    parts = []
    for key, value in amounts.items():
        if key == CPU:
            parts.append(f"{value:g} cores")
        elif key in (MEMORY, DISK):
            noun = "MB" if key == MEMORY else "MB of disk"
            parts.append(f"{value / MB:.0f} {noun}")
        elif key != PODS or value < 1:
            parts.append(f"{value:g} {key}")
    return ", ".join(parts)


def _taint(taint: dict) -> str:
    return f"{taint['key']}={taint.get('value', '')}:{taint['effect']}"


def _tolerates(toleration: Toleration, taint: dict) -> bool:
    if toleration.effect is not None and toleration.effect != taint["effect"]:
        return False
    if toleration.key is None:
        return True
    if toleration.key != taint["key"]:
        return False
    return toleration.operator == "Exists" or toleration.value == taint.get("value", "")
