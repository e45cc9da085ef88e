"""Whose each container of a pod is, and what a cluster has made of the pod."""

import copy

import pytest
from tests.platforms.kubernetes.administrator import mirrored, sidecar

from trialwatt.platforms.kubernetes import containers

SIZE = {"cpu": "500m", "memory": "128Mi"}
ASKED = {
    "metadata": {"name": "worker-0-1"},
    "spec": {
        "restartPolicy": "Never",
        "containers": [
            {"name": "main", "image": "x:1", "resources": {"requests": SIZE, "limits": SIZE}}
        ],
    },
}


def made(*policies) -> dict:
    pod = copy.deepcopy(ASKED)
    for policy in policies:
        policy(pod)
    return pod


def test_ours_is_found_by_its_name():
    pod = made(sidecar("a-proxy"), sidecar("z-agent"))
    pod["status"] = {"containerStatuses": [{"name": "a-proxy"}, {"name": "main", "ready": True}]}
    assert containers.own_of(pod)["image"] == "x:1"
    assert containers.own_status(pod) == {"name": "main", "ready": True}
    assert containers.own_of({}) == containers.own_status({"metadata": {}}) == {}


def test_a_pod_that_is_as_it_was_asked_for_has_nothing_beside_it():
    assert containers.added(ASKED, made()) == containers.Added()
    assert containers.added(ASKED, made(mirrored)) == containers.Added()
    assert containers.changed(ASKED, made(mirrored)) == ""


@pytest.mark.parametrize("native", [False, True])
def test_what_a_mesh_adds_is_what_it_reserves(native):
    found = containers.added(ASKED, made(sidecar(native=native)))
    assert found.names == ("istio-proxy",)
    assert (found.cores, found.memory_mb) == (pytest.approx(0.1), 64)
    assert found.amounts["limits.memory"] == 64 << 20
    assert not found.unnamed
    assert containers.changed(ASKED, made(sidecar(native=native))) == ""


def test_one_that_ends_before_ours_begins_takes_nothing_unless_it_is_larger():
    def initial(cpu: str):
        size = {"requests": {"cpu": cpu, "memory": "1Mi"}, "limits": {"cpu": cpu}}
        return lambda pod: pod["spec"].update(initContainers=[{"name": "i", "resources": size}])

    small, large = (containers.added(ASKED, made(initial(cpu))) for cpu in ("100m", "2"))
    assert small.amounts == {}
    assert large.amounts == {"requests.cpu": 1.5, "limits.cpu": 1.5}
    assert small.unnamed == large.unnamed == {"limits.memory"}


def test_one_without_an_amount_is_known_to_have_none():
    found = containers.added(ASKED, made(sidecar(resources={"requests": {"cpu": "1m"}})))
    assert found.unnamed == {"requests.memory", "limits.cpu", "limits.memory"}


@pytest.mark.parametrize(
    ("key", "to", "said"),
    [
        ("limits", {"cpu": "1", "memory": "128Mi"}, "limits.cpu 500m → 1"),
        ("requests", {"cpu": "0.5"}, "requests.memory 128Mi → none"),
        ("limits", {"cpu": "0.5", "memory": "131072Ki"}, ""),  # the same amounts
    ],
)
def test_another_size_than_asked_for_is_said(key, to, said):
    def resize(pod):
        pod["spec"]["containers"][0]["resources"][key] = to

    assert containers.changed(ASKED, made(resize)) == said


def test_a_pod_without_ours_is_none_of_ours():
    gone = made(lambda pod: pod["spec"]["containers"][0].update(name="app"))
    assert "no container main" in containers.changed(ASKED, gone)
