"""Whether a namespace that runs are given lets one in: quotas, LimitRanges, policies, defaults.

The cluster is asked to make each pod and not to keep it (a dry run); what it would make of them is
added up against the quotas. Nothing is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes import admission, containers, data_pod, manifests, owners
from trialwatt.platforms.kubernetes.access import Api, ApiFault
from trialwatt.platforms.kubernetes.capacity import (
    CPU,
    DISK,
    ENDED,
    MEMORY,
    PODS,
    amount,
    quantity,
    requested,
)
from trialwatt.platforms.kubernetes.options import Kubernetes
from trialwatt.platforms.kubernetes.shared import LABELS, foreseen

DEADLINE_S = 3600
"""Of the pods that are tried; a quota may tell such from those that live for ever."""
POLICIES = "networkpolicies.networking.k8s.io"
PLAIN = (CPU, MEMORY, DISK)


class Given:
    """The namespace that the runs of a testbed are given, as far as it has been asked."""

    def __init__(self, api: Api, kubernetes: Kubernetes, patience_s: float):
        assert kubernetes.namespace, "runs have namespaces of their own otherwise"
        self._api, self._kubernetes, self._name = api, kubernetes, kubernetes.namespace
        self._patience_s = patience_s
        self._tried: dict[str, tuple[str, dict]] = {}  # a pod's sizes → what came of it
        self._quotas = self._list("resourcequotas")
        here = self._list("pods", labelSelector=f"{manifests.MANAGED}=trialwatt")
        self._here = [pod for pod in here if pod["status"].get("phase") not in ENDED]

    def problems(self, roles: Sequence[Role]) -> list[str]:
        """Why a run with these roles is not let in; empty if it is.

        Raises ApiFault, and TrialwattError where the credentials of the registry are not there.
        """
        tried = [self._try(name, pod) for name, pod in self._pods(roles)]
        said = [problem for problem, _ in tried if problem]
        return [*dict.fromkeys(said), *self._shortages([made for _, made in tried])]

    def _list(self, kind: str, **query: str) -> list[dict]:
        path = f"/api/v1/namespaces/{self._name}/{kind}"
        found = self._api.call("GET", path, query=query, outage_s=self._patience_s)
        return found.get("items") or []

    def _pods(self, roles: Sequence[Role]) -> list[tuple[str, dict]]:
        """Those of the run, and that of the data where it is not there yet."""
        owner = owners.owner_label(owners.coordinator())
        place = manifests.Place("dry-run", owner, self._name, self._kubernetes, 1.0, DEADLINE_S)
        found = [("hub", manifests.hub_pod(place))]
        for role in roles:
            pod = manifests.component_pod(place, role, role.component, "", {})
            found.append((role.component, pod))
        name = data_pod.name_of(self._kubernetes)
        if all(pod["metadata"]["name"] != name for pod in self._here):
            pod = data_pod.pod_for(foreseen(self._api, self._kubernetes), name)
            found.append(("the pod of the data", pod))
        return found

    def _try(self, name: str, pod: dict) -> tuple[str, dict]:
        """What is wrong with a pod, and the pod as the cluster would make it."""
        spec = pod["spec"]
        sizes = containers.own_of(pod)["resources"], spec["nodeSelector"], spec["tolerations"]
        key = json.dumps([*sizes, spec.get("activeDeadlineSeconds")])
        if key not in self._tried:
            self._tried[key] = self._asked(name, pod)
        return self._tried[key]

    def _asked(self, name: str, pod: dict) -> tuple[str, dict]:
        path = f"/api/v1/namespaces/{self._name}/pods"
        named = pod | {"metadata": pod["metadata"] | {"name": f"dry-run-{pod['metadata']['name']}"}}
        try:
            made = self._api.call("POST", path, named, {"dryRun": "All"}, outage_s=self._patience_s)
        except ApiFault as fault:
            if admission.NO_ROOM.search(fault.message):
                return "", named  # of all pods together more is known below
            if "does not support dry run" in fault.message:
                return "", named  # nobody can know
            return f"{name} would not be let into the namespace {self._name}: {fault}", named
        how = containers.changed(named, made)
        return (admission.resized(name, how) if how else ""), made

    def _shortages(self, pods: Sequence[dict]) -> list[str]:
        """Why these pods do not fit into the quotas. Runs follow each other: what one has there now
        is not there when this one begins."""
        found, objects = [], self._objects(pods)
        for quota in self._quotas:
            status = quota.get("status") or {}
            hard = status.get("hard") or quota["spec"].get("hard") or {}
            wanted = _of(quota, pods)
            runs = _of(quota, [pod for pod in self._here if not _has(pod, LABELS)])
            for key, most in hard.items():
                need = _taken(key, wanted) or (0 if runs else objects.get(_counted(key), 0))
                used = amount((status.get("used") or {}).get(key, 0)) - _taken(key, runs)
                if need and need > (free := amount(most) - max(used, 0)) * (1 + 1e-9):
                    found.append(f"{key} {_shown(key, need)}, of which {_shown(key, free)} is free")
            if found:
                return [
                    f"the ResourceQuota {quota['metadata']['name']} of the namespace {self._name} "
                    f"has no room for the {len(pods)} pods of a run: they need {'; '.join(found)}. "
                    "Have it raised, or lower workers.count, workers.cpu or workers.memory_mb"
                ]
        return []

    def _objects(self, pods: Sequence[dict]) -> dict[str, int]:
        """What a run makes besides, and what its pods need that is not there yet."""
        shared = not any(_has(pod, LABELS) for pod in self._here)
        secrets = len(pods) + 1 + bool(self._kubernetes.image_pull_secret_env)
        return {"secrets": secrets, "configmaps": 1 + shared, POLICIES: 2 + shared}


def _has(pod: dict, labels: Mapping[str, str]) -> bool:
    own = pod["metadata"].get("labels") or {}
    return all(own.get(key) == value for key, value in labels.items())


def _of(quota: dict, pods: Sequence[dict]) -> list[dict]:
    """Those of the pods that a quota is about."""
    spec = quota["spec"]
    wanted = [{"scopeName": scope} for scope in spec.get("scopes") or []]
    wanted += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return [pod for pod in pods if all(_is_within(each, pod["spec"]) for each in wanted)]


def _is_within(scope: dict, spec: dict) -> bool:
    """Whether a pod is within a quota's scope. All of ours name requests and limits."""
    name, ends = scope["scopeName"], spec.get("activeDeadlineSeconds") is not None
    if name == "PriorityClass":
        has, values = spec.get("priorityClassName") or "", scope.get("values") or []
        operator = scope.get("operator", "Exists")
        if operator in ("In", "NotIn"):
            return (has in values) == (operator == "In")
        return bool(has) == (operator == "Exists")
    return {"Terminating": ends, "NotTerminating": not ends, "NotBestEffort": True}.get(name, False)


def _counted(key: str) -> str:
    """Of which objects a quota's key is; both forms mean the same."""
    return key.removeprefix("count/")


def _taken(key: str, pods: Sequence[dict]) -> float:
    """What pods take of a quota's key; 0 of what is not counted by pods."""
    key = _counted(key)
    if key == PODS:
        return len(pods)
    kind, _, resource = key.partition(".") if "." in key else ("requests", "", key)
    if kind not in containers.KINDS or ("." not in key and resource not in PLAIN):
        return 0
    return sum(requested(pod["spec"], kind).get(resource, 0) for pod in pods)


def _shown(key: str, value: float) -> str:
    return quantity(key.rpartition(".")[2], max(value, 0))
