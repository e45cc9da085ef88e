"""Everything that keeps a testbed's cluster from serving a run, found before anything is made."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.meters.prometheus_options import Prometheus
from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes import capacity, kubeconfig, rights
from trialwatt.platforms.kubernetes.capacity import Node
from trialwatt.platforms.kubernetes.options import Kubernetes

OLDEST = (1, 25)
"""Where Pod Security admission is stable, by which a run's namespace refuses privileged pods."""
PAGE = 500
PATIENCE_S = 3.0
"""A user waits for the answer; a server that restarts in this moment is told of as it is."""
LABEL, OURS = "app.kubernetes.io/managed-by", "trialwatt"
NO_ANSWER, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 0, 401, 403, 404


@dataclass
class Cluster:
    """What a cluster said of itself. problems: all that is wrong with it, whatever is to be run.

    version: as {"gitVersion": "v1.35.2", …}; nodes: as the API gives them; places: what is free on
    those that pods can be placed on; sees_pods: whether what others have requested is known.
    """

    problems: list[str]
    version: dict = field(default_factory=dict)
    nodes: list[dict] = field(default_factory=list)
    places: list[Node] = field(default_factory=list)
    sees_pods: bool = True


def problems(testbed: Testbed, roles: Sequence[Role]) -> list[str]:
    """Why these roles (of one run, all at once) cannot be served; empty if they can.

    What is wrong with the cluster or the testbed itself comes first, also without any roles. The
    cluster is asked once per process.
    """
    kubernetes = testbed.options(Kubernetes)
    if kubernetes is None:  # said where the testbed is validated
        return []
    cluster = look(kubernetes)
    found = [*cluster.problems, *_image(kubernetes), *_metrics(testbed)]
    for role in roles:
        if role.cpu < 0.001:
            found.append(
                f"{role.component}: {role.cpu:g} cores are less than a millicore: raise "
                "workers.cpu or the testbed's cpu_per_vcpu"
            )
    if roles and cluster.nodes:
        found += capacity.shortages(capacity.demands(kubernetes, roles), cluster.places)
    if roles and kubernetes.namespace and kubernetes.image and not cluster.problems:
        found += _let_in(kubernetes, roles)
    return found


def accelerator_problem(testbed: Testbed, accelerator: str) -> str:
    """Why workers cannot have this accelerator type here; empty if they can, or nobody knows."""
    kubernetes = testbed.options(Kubernetes)
    if kubernetes is None or accelerator == "cpu":
        return ""
    device = kubernetes.accelerators.get(accelerator)
    if device is None:
        return f"the testbed's kubernetes.accelerators does not say how a pod gets a {accelerator}"
    cluster = look(kubernetes)
    if not cluster.nodes:  # said already
        return ""
    offering = [n for n in cluster.places if n.all.get(device.resource, 0) >= device.count]
    if not offering:
        return (
            f"no node offers {device.count} {device.resource} (allocatable): add such nodes, and "
            "the device plugin that makes them known"
        )
    selector, tolerations = capacity.placement(kubernetes, accelerator)
    if not any(node.takes(selector, tolerations) for node in offering):
        why = capacity.why_none(selector, offering)
        return f"no node with {device.resource} may take a worker: {why}"
    return ""


def look(kubernetes: Kubernetes) -> Cluster:
    """The cluster, asked once per process."""
    return _look(kubernetes.context, kubernetes.namespace_prefix, kubernetes.namespace)


def forget() -> None:
    """Ask again next time."""
    _look.cache_clear()
    _given.cache_clear()
    _asked_metrics.cache_clear()


@functools.cache
def _look(context: str | None, prefix: str, given: str | None) -> Cluster:
    if found := kubeconfig.problems(context):
        return Cluster(found)
    from trialwatt.platforms.kubernetes import access

    try:
        api = access.connect(context)
        version = _ask(api, "/version")
    except access.ApiFault as error:
        return Cluster([_unreachable(error, context)])
    except TrialwattError as error:
        return Cluster([str(error)])
    cluster = Cluster(_too_old(version), version)
    try:
        lacking = rights.missing(api, given)
    except access.ApiFault as error:
        return Cluster([_unreachable(error, context)])
    if lacking:
        cluster.problems.append(rights.sentence(lacking, given))
    try:
        cluster.nodes = _list(api, "/api/v1/nodes")
        passing: set[str] = set()
        if given:
            pods = None  # what others have requested is for no guest of one namespace to see
        else:
            if not any((right.verb, right.resource) == ("get", "namespaces") for right in lacking):
                cluster.problems += _strangers(api, f"{prefix}-shared")
            pods, passing = _pods(api), _passing(api)
    except access.ApiFault as error:
        if error.status != FORBIDDEN:  # what is forbidden has been named
            cluster.problems.append(_unreachable(error, context))
        pods = None
    cluster.sees_pods = pods is not None
    cluster.places = capacity.nodes_of(cluster.nodes, pods or (), passing)
    return cluster


def _let_in(kubernetes: Kubernetes, roles: Sequence[Role]) -> list[str]:
    """Why the namespace that runs are given does not take these."""
    from trialwatt.platforms.kubernetes.access import ApiFault

    try:
        return _given(kubernetes.model_dump_json()).problems(roles)
    except ApiFault as error:
        return [_unreachable(error, kubernetes.context)]
    except TrialwattError as error:
        return [str(error)]


@functools.cache
def _given(section: str):
    from trialwatt.platforms.kubernetes import access
    from trialwatt.platforms.kubernetes.given import Given

    kubernetes = Kubernetes.model_validate_json(section)
    return Given(access.connect(kubernetes.context), kubernetes, PATIENCE_S)


def _ask(api, path: str, **query: str) -> dict:
    return api.call("GET", path, query=query, outage_s=PATIENCE_S)


def _list(api, path: str, **query: str) -> list[dict]:
    """All objects of a list, a page at a time."""
    found, go_on = [], ""
    while True:
        parameters = {"limit": str(PAGE), **query} | ({"continue": go_on} if go_on else {})
        page = _ask(api, path, **parameters)
        found += page.get("items") or []
        go_on = (page.get("metadata") or {}).get("continue", "")
        if not go_on:
            return found


def _pods(api) -> list[dict] | None:
    """The pods that still hold what they requested; None where that is not ours to see."""
    from trialwatt.platforms.kubernetes.access import ApiFault

    try:
        alive = ",".join(f"status.phase!={phase}" for phase in capacity.ENDED)
        return _list(api, "/api/v1/pods", fieldSelector=alive)
    except ApiFault as error:
        if error.status == FORBIDDEN:
            return None
        raise


def _passing(api) -> set[str]:
    """Namespaces of runs that are gone before one of ours begins: those of this machine, where
    runs wait for each other, and of dead coordinators."""
    from trialwatt.platforms.kubernetes.manifests import RUN_ID
    from trialwatt.platforms.kubernetes.owners import lives_elsewhere

    found = _list(api, "/api/v1/namespaces", labelSelector=f"{LABEL}={OURS},{RUN_ID}")
    return {
        each["metadata"]["name"]
        for each in found
        if not lives_elsewhere(each["metadata"].get("annotations") or {}, api.utc())
    }


def _strangers(api, namespace: str) -> list[str]:
    """A namespace of a name that we need and that is not ours."""
    from trialwatt.platforms.kubernetes.access import ApiFault

    try:
        labels = _ask(api, f"/api/v1/namespaces/{namespace}")["metadata"].get("labels") or {}
    except ApiFault as error:
        if error.status == NOT_FOUND:
            return []
        raise
    if labels.get(LABEL) == OURS:
        return []
    return [
        f"there is a namespace {namespace} that is not ours (it lacks the label {LABEL}={OURS}): "
        "choose another kubernetes.namespace_prefix"
    ]


def _unreachable(error, context: str | None) -> str:
    named = f'context "{context}"' if context else "the current context"
    said = error.message or str(error)
    if error.status == UNAUTHORIZED:
        return (
            f"the cluster of {named} refuses the credentials of the kubeconfig (401 {said}): "
            f"{error.remedy}"
        )
    if error.status == NO_ANSWER and "certificate has expired" in said:
        return (
            f"the API server of {named} shows a certificate that has expired: renew it (kubeadm: "
            f"`kubeadm certs renew all`; kind: create the cluster anew). It says: {said}"
        )
    if error.status == NO_ANSWER:
        return (
            f"the API server of {named} cannot be reached: {said}. Is the cluster running, and the "
            "context the right one? (`kubectl cluster-info`)"
        )
    return f"the API server of {named} answers with {error.status}: {said}"


def _too_old(version: dict) -> list[str]:
    digits = ["".join(c for c in version.get(key, "") if c.isdigit()) for key in ("major", "minor")]
    if not all(digits):
        return [f"the cluster does not say which version of Kubernetes it is: {version}"]
    if tuple(map(int, digits)) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return [f"the cluster is {version.get('gitVersion')}; {oldest} or newer is needed"]
    return []


def _image(kubernetes: Kubernetes) -> list[str]:
    from trialwatt.platforms.kubernetes.image import how_to_get_one

    return [] if kubernetes.image else [how_to_get_one()]


def _metrics(testbed: Testbed) -> list[str]:
    asked = testbed.options(Prometheus)
    if "prometheus" not in testbed.meters or asked is None:
        return []
    return _asked_metrics(asked.model_dump_json())


@functools.cache
def _asked_metrics(prometheus: str) -> list[str]:
    from trialwatt.meters.prometheus import PrometheusMeter

    probe = PrometheusMeter.probe(
        Testbed(prometheus=Prometheus.model_validate_json(prometheus), meters=["prometheus"])
    )
    if probe.available:
        return []
    return [
        f"the metrics source does not answer as it should: {probe.reason}. In a cluster it may "
        "need `kubectl port-forward` (docs/kubernetes.md), or take `prometheus` out of meters"
    ]
