"""Which container of a pod is ours, and what a cluster has made of the pod that it was asked for.

Service meshes, policies and defaults change pods as they are made: they put containers beside ours
or before it, and the lists of these are in no order that tells whose each is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from trialwatt.platforms.kubernetes.capacity import CPU, MB, MEMORY, PODS, amount, requested

MAIN = "main"
"""Name of our container, the only one of each pod that is asked for."""
KINDS = ("requests", "limits")
NAMED = (CPU, MEMORY)
"""Of a quota on these the cluster wants an amount from every container."""


@dataclass(frozen=True)
class Added:
    """What a cluster adds to a pod.

    names: of the containers; amounts: what they take of a quota, as "limits.memory" → bytes;
    unnamed: what they should name an amount of and do not, as "limits.cpu".
    """

    names: tuple[str, ...] = ()
    amounts: Mapping[str, float] = field(default_factory=dict)
    unnamed: frozenset[str] = frozenset()

    @property
    def cores(self) -> float:
        return self.amounts.get(f"requests.{CPU}", 0.0)

    @property
    def memory_mb(self) -> float:
        return self.amounts.get(f"requests.{MEMORY}", 0.0) / MB


NOTHING = Added()


def own_of(pod: dict) -> dict:
    """Our container as it is wanted; empty where there is none."""
    return _main((pod.get("spec") or {}).get("containers"))


def own_status(pod: dict) -> dict:
    """What the node says of our container; empty while it says nothing."""
    return _main((pod.get("status") or {}).get("containerStatuses"))


def initial_statuses(pod: dict) -> list[dict]:
    """What the node says of the containers that begin before ours; all are the cluster's."""
    return (pod.get("status") or {}).get("initContainerStatuses") or []


def is_restarted(pod: dict, initial: str) -> bool:
    """Whether a container that begins before ours is started again where it fails."""
    spec = pod.get("spec") or {}
    policies = {
        each["name"]: each.get("restartPolicy") for each in spec.get("initContainers") or []
    }
    return "Always" in (policies.get(initial), spec.get("restartPolicy"))


def added(asked: dict, made: dict) -> Added:
    """What is in a pod that the cluster has made beside what it was asked for."""
    others = [each for each in _all(made) if each["name"] != MAIN]
    amounts, unnamed = {}, set()
    for kind in KINDS:
        before, after = requested(asked["spec"], kind), requested(made["spec"], kind)
        for resource in after.keys() - {PODS}:
            if (more := after[resource] - before.get(resource, 0)) > 0:
                amounts[f"{kind}.{resource}"] = more
        for resource in NAMED:
            if any(resource not in _resources(each, kind) for each in others):
                unnamed.add(f"{kind}.{resource}")
    return Added(tuple(each["name"] for each in others), amounts, frozenset(unnamed))


def changed(asked: dict, made: dict) -> str:
    """How what our container is given differs from what was asked for; empty where it does not.

    What is measured then would not be what the configuration says.
    """
    wanted, given, found = own_of(asked), own_of(made), []
    if not given:
        return f"there is no container {MAIN} in it any more"
    for kind in KINDS:
        before, after = _resources(wanted, kind), _resources(given, kind)
        for resource in sorted(before.keys() | after.keys()):
            old, new = before.get(resource), after.get(resource)
            if (None if old is None else amount(old)) != (None if new is None else amount(new)):
                found.append(f"{kind}.{resource} {old or 'none'} → {new or 'none'}")
    return ", ".join(found)


def _resources(container: dict, kind: str) -> dict:
    return (container.get("resources") or {}).get(kind) or {}


def _all(pod: dict) -> Iterator[dict]:
    yield from pod["spec"].get("initContainers") or []
    yield from pod["spec"].get("containers") or []


def _main(each: list[dict] | None) -> dict:
    return next((one for one in each or [] if one.get("name") == MAIN), {})
