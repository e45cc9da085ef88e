"""What an administrator has set in a namespace is told before a run begins, and nothing is made."""

from __future__ import annotations

import pytest
from tests.platforms.kubernetes.administrator import limit_range, resource_quota, sidecar
from tests.platforms.kubernetes.fakecluster import FakeCluster, node

from trialwatt.config.models import Testbed
from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes import data_pod, preflight, shared
from trialwatt.platforms.kubernetes.options import Kubernetes

HUB_AND_DATA = {"cpu": 0.5, "memory": 512}
"""What these two reserve: cores and MB."""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeCluster() as fake:
        fake.put_nodes(node("a", cpu="32"))
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "config")))
        preflight.forget()
        yield fake
        preflight.forget()


def bed(**keys) -> Testbed:
    section = {"image": "x:1", "namespace": "mine", "ephemeral_mb": 128} | keys
    return Testbed(platform="kubernetes", meters=["model"], kubernetes=section)


def roles(count: int = 2, cpu: float = 1, memory_mb: int = 1024) -> list[Role]:
    return [Role("worker", "worker", ("true",), cpu, memory_mb, index) for index in range(count)]


def put(cluster, path_and_object) -> None:
    path, made = path_and_object
    cluster.objects[path] = made


def test_a_namespace_without_rules_lets_a_run_in_and_nothing_is_made_there(cluster):
    before = dict(cluster.objects)
    cluster.administrator.restricts = True  # Pod Security, on the whole cluster
    assert preflight.problems(bed(), roles()) == []
    assert cluster.objects == before
    asked = len(cluster.asked)
    assert preflight.problems(bed(), roles(4)) == []
    assert len(cluster.asked) == asked  # pods of a size are tried once


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max": {"cpu": "500m"}}, "maximum cpu usage per Container is 500m"),
        ({"min": {"memory": "512Mi"}}, "hub would not be let into .* minimum memory usage per"),
        ({"type": "Pod", "max": {"memory": "1Gi"}}, None),
        ({"maxLimitRequestRatio": {"cpu": "1"}, "default": {"cpu": "9"}}, None),
    ],
)
def test_a_limit_range_is_kept_or_told(cluster, limits, said):
    put(cluster, limit_range("mine", **limits))
    found = preflight.problems(bed(), roles())
    if said is None:  # requests are limits, and all have their amounts: no default is taken
        assert found == []
        return
    assert found and all("a LimitRange of the namespace says so" in each for each in found)
    import re

    assert re.search(said, "\n".join(found))


def test_a_mesh_counts_to_the_limits_of_a_pod(cluster):
    put(cluster, limit_range("mine", type="Pod", max={"memory": "1Gi"}))
    cluster.administrator.policies = [sidecar()]
    (said,) = preflight.problems(bed(), roles())
    assert "maximum memory usage per Pod is 1Gi" in said


def test_a_quota_has_room_for_all_pods_together_or_it_is_told(cluster):
    whole = {"limits.cpu": "2500m", "requests.memory": f"{2048 + HUB_AND_DATA['memory']}Mi"}
    put(cluster, resource_quota("mine", whole | {"pods": "4"}))
    assert preflight.problems(bed(), roles(2)) == []
    (said,) = preflight.problems(bed(), roles(3))
    assert "the ResourceQuota of-the-admin of the namespace mine has no room for the 5 pods" in said
    assert "limits.cpu 3500m, of which 2500m is free" in said
    assert "requests.memory 3584Mi, of which 2560Mi is free" in said
    assert "pods 5, of which 4 is free" in said
    assert "workers.count" in said


def test_the_pod_of_the_data_is_counted_where_that_of_the_image_is_not_there(cluster):
    put(cluster, resource_quota("mine", {"pods": "4"}, {"pods": "1"}))
    theirs, ours = (data_pod.name_of(Kubernetes(image=image)) for image in ("x:2", "x:1"))

    def serves(name: str) -> None:
        labels = shared.LABELS | {"trialwatt/component": "data"}
        cluster.objects[f"/api/v1/namespaces/mine/pods/{name}"] = {
            "metadata": {"name": name, "namespace": "mine", "labels": labels},
            "spec": {"containers": [{"name": "main"}], "nodeName": "a"},
            "status": {"phase": "Running"},
        }

    serves(theirs)  # another coordinator's, of another image
    (said,) = preflight.problems(bed(), roles(2))
    assert "pods 4, of which 3 is free" in said
    preflight.forget()
    del cluster.objects[f"/api/v1/namespaces/mine/pods/{theirs}"]
    serves(ours)
    assert preflight.problems(bed(), roles(2)) == []


def test_credentials_of_a_registry_that_are_not_there_are_told(cluster, monkeypatch):
    monkeypatch.delenv("REGISTRY", raising=False)
    (said,) = preflight.problems(bed(image_pull_secret_env="REGISTRY"), roles(1))
    assert "the environment variable REGISTRY is empty" in said


@pytest.mark.parametrize("native", [False, True])
def test_a_quota_has_room_for_what_a_mesh_adds_too(cluster, native):
    put(cluster, resource_quota("mine", {"cpu": "2500m"}))
    cluster.administrator.policies = [sidecar(native=native)]
    (said,) = preflight.problems(bed(), roles(2))
    assert "cpu 2900m, of which 2500m is free" in said


def test_a_quota_that_wants_amounts_from_a_mesh_that_has_none(cluster):
    put(cluster, resource_quota("mine", {"limits.memory": "64Gi"}))
    cluster.administrator.policies = [sidecar(resources={})]
    found = preflight.problems(bed(), roles(1))
    assert "must specify limits.memory for: istio-proxy" in found[0]
    assert "have what adds them give it, or a LimitRange with defaults" in found[0]
    preflight.forget()
    put(cluster, limit_range("mine", default={"memory": "32Mi"}))
    assert preflight.problems(bed(), roles(1)) == []


def test_what_a_run_has_there_now_is_gone_when_the_next_one_begins(cluster):
    labels = {"app.kubernetes.io/managed-by": "trialwatt", "trialwatt/run-id": "r"}
    size = {"resources": {"requests": {"cpu": "2"}}, "name": "main"}
    cluster.objects["/api/v1/namespaces/mine/pods/worker-0-1"] = {
        "metadata": {"name": "worker-0-1", "namespace": "mine", "labels": labels},
        "spec": {"containers": [size], "nodeName": "a"},
        "status": {"phase": "Running"},
    }
    hard = {"requests.cpu": "2500m", "count/secrets": "4"}
    used = {"requests.cpu": "2", "count/secrets": "4"}
    put(cluster, resource_quota("mine", hard, used))
    assert preflight.problems(bed(), roles(2)) == []
    preflight.forget()
    del cluster.objects["/api/v1/namespaces/mine/pods/worker-0-1"]  # somebody else's, then
    (said,) = preflight.problems(bed(), roles(2))
    assert "requests.cpu 2500m, of which 500m is free" in said
    assert "count/secrets 5, of which 0 is free" in said


@pytest.mark.parametrize(
    ("scope", "counts"),
    [
        ({"scopes": ["BestEffort"]}, False),
        ({"scopes": ["NotBestEffort"]}, True),
        ({"scopes": ["Terminating"]}, True),
        ({"scopes": ["CrossNamespacePodAffinity"]}, False),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass"}]}}, True),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [
                        {"scopeName": "PriorityClass", "operator": "In", "values": ["low"]}
                    ]
                }
            },
            False,
        ),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [
                        {"scopeName": "PriorityClass", "operator": "NotIn", "values": ["low"]}
                    ]
                }
            },
            True,
        ),
    ],
)
def test_a_quota_of_some_pods_is_asked_of_those(cluster, scope, counts):
    path, quota = resource_quota("mine", {"pods": "1"})
    quota["spec"] |= scope
    # The server's own check is not what is tried here.
    quota["spec"]["hard"], quota["status"]["hard"] = {}, {"pods": "1"}
    put(cluster, (path, quota))
    found = preflight.problems(bed(priority_class="high"), roles(2))
    assert bool(found) == counts


def test_a_policy_that_changes_what_a_worker_is_given_is_told(cluster):
    def halve(pod):
        if pod["metadata"]["name"].startswith("dry-run-worker"):
            pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "500m"

    cluster.administrator.policies = [halve]
    (said,) = preflight.problems(bed(), roles(2))
    assert said.startswith("worker-0 is not what the configuration says: ")
    assert "requests.cpu 1000m → 500m" in said


def test_a_mesh_that_needs_more_than_pod_security_gives_is_told(cluster):
    cluster.administrator.restricts = True
    rights = {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}
    cluster.administrator.policies = [sidecar("istio-init", securityContext=rights)]
    found = preflight.problems(bed(), roles(1))
    assert 'violates PodSecurity "restricted:latest"' in found[0]
    assert 'container "istio-init" must not include "NET_ADMIN"' in found[0]
    assert "a container of another name than main is added by the cluster" in found[0]


def test_a_webhook_that_cannot_be_tried_is_not_held_against_the_run(cluster, monkeypatch):
    said = 'admission webhook "x.example" does not support dry run'
    real = cluster._create
    monkeypatch.setattr(
        cluster,
        "_create",
        lambda path, query, body: (
            cluster._status(400, "BadRequest", said)
            if "dryRun" in query
            else real(path, query, body)
        ),
    )
    assert preflight.problems(bed(), roles(1)) == []


def test_a_namespace_of_its_own_is_not_there_to_be_asked(cluster):
    assert preflight.problems(bed(namespace=None), roles()) == []
    assert not [path for method, path in cluster.asked if path.endswith("resourcequotas")]
