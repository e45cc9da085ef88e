"""Room on nodes: what is requested, who may be where, and whether all pods fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.platforms.kubernetes.fakecluster import node, pod

from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes.capacity import (
    MB,
    Demand,
    Node,
    amount,
    demands,
    nodes_of,
    quantity,
    requested,
    shortages,
)
from trialwatt.platforms.kubernetes.options import Kubernetes


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("100m", 0.1),
        ("2", 2),
        (3, 3),
        ("1e3", 1000),
        ("1Gi", 2**30),
        ("16393244Ki", 16393244 * 1024),
        ("5G", 5e9),
        ("7k", 7000),
        ("128974848000m", 128974848),
        ("1E", 1e18),
        ("2Ei", 2 * 2**60),
    ],
)
def test_quantities(quantity, number):
    assert amount(quantity) == pytest.approx(number)


def test_what_is_no_quantity_is_refused():
    with pytest.raises(ValueError, match="lots"):
        amount("lots")


@pytest.mark.parametrize(
    ("resource", "value", "text"),
    [
        ("cpu", 0.1, "100m"),
        ("cpu", 0.1 + 0.2, "300m"),
        ("cpu", 0.0001, "1m"),
        ("memory", 64 * MB, "64Mi"),
        ("memory", 64 * MB + 1, "65Mi"),
        ("nvidia.com/gpu", 2.0, "2"),
        ("example.com/vcpu", 1, "1"),
    ],
)
def test_an_amount_is_written_as_a_quantity_that_is_not_less(resource, value, text):
    assert quantity(resource, value) == text
    assert amount(text) >= value - 1e-9


def container(cpu: str, **more) -> dict:
    return {"resources": {"requests": {"cpu": cpu}}, **more}


def test_a_pod_requests_its_containers_or_its_largest_initial_one():
    spec = {"containers": [container("1"), container("500m")]}
    assert requested(spec)["cpu"] == 1.5
    assert requested(spec | {"initContainers": [container("2")]})["cpu"] == 2
    sidecar = container("250m", restartPolicy="Always")
    assert requested(spec | {"initContainers": [sidecar]})["cpu"] == 1.75
    assert requested(spec | {"overhead": {"cpu": "100m"}})["cpu"] == pytest.approx(1.6)
    assert requested({"containers": [{}]}) == {"pods": 1}


def test_only_nodes_that_are_ready_and_open_count():
    nodes = [node("a"), node("b", ready="Unknown"), node("c", unschedulable=True)]
    assert [one.name for one in nodes_of(nodes, [], ())] == ["a"]


def test_what_others_have_requested_is_not_free_but_what_passes_is():
    pods = [
        pod("other", "a", "1", "1Gi"),
        pod("other", "a", "2", "1Gi", phase="Succeeded"),
        pod("other", "elsewhere", "3", "1Gi"),
        pod("trialwatt-0123456789-r1-abc", "a", "1500m", "1Gi"),
        pod("trialwatt-shared", "a", "250m", "256Mi"),
    ]
    (place,) = nodes_of([node("a")], pods, {"trialwatt-0123456789-r1-abc"})
    assert place.free["cpu"] == pytest.approx(4 - 1.25)
    assert place.all["cpu"] == 4


def test_the_pods_of_a_run_are_its_roles_and_the_hub():
    kubernetes = Kubernetes(
        hub={"cpu": 0.5, "memory_mb": 128},
        node_selector={"pool": "x"},
        accelerators={"gpu": {"resource": "nvidia.com/gpu", "count": 2}},
    )
    driver = Role("driver", "service", ("x",), 1, 512, accelerator="gpu")
    worker = Role("worker", "worker", ("x",), 2, 1024, accelerator="gpu")
    found = {one.name: one.amounts for one in demands(kubernetes, [driver, worker])}
    assert list(found) == ["driver", "worker-0", "hub"]
    assert found["worker-0"]["nvidia.com/gpu"] == 2
    assert "nvidia.com/gpu" not in found["driver"]
    assert found["hub"]["memory"] == 128 * MB
    assert all(one.selector == {"pool": "x"} for one in demands(kubernetes, [driver]))


def place(name: str, cpu: float, memory_mb: float) -> Node:
    has = {"cpu": cpu, "memory": memory_mb * MB, "pods": 110}
    return Node(name, {}, [], has, dict(has))


def wanted(*cpus: float) -> list[Demand]:
    return [
        Demand(f"w{n}", {"cpu": cpu, "memory": 100 * MB, "pods": 1}, {}, ())
        for n, cpu in enumerate(cpus)
    ]


def test_the_largest_pods_are_placed_first():
    nodes = [place("a", 3, 9999), place("b", 2, 9999)]
    assert shortages(wanted(1, 1, 1, 2), nodes) == []
    (said,) = shortages(wanted(1, 1, 1, 3), nodes)
    assert said.startswith("3 of 4 pods fit")
    assert "a 3 cores" in said
    assert "workers.memory_mb" in said


def test_tenths_of_a_core_add_up():
    assert shortages(wanted(*[0.1] * 10), [place("a", 1, 9999)]) == []
    assert shortages(wanted(*[0.1] * 11), [place("a", 1, 9999)]) != []


def test_a_selector_that_no_node_has():
    demand = Demand("w", {"cpu": 1, "memory": 1, "pods": 1}, {"pool": "x"}, ())
    (said,) = shortages([demand], [place("a", 4, 999)])
    assert said == ("no node may take w: none of 1 has the labels of the node_selector (pool=x)")
    (said,) = shortages([demand], [])
    assert "the cluster has no node that is ready and open for pods" in said


def test_a_node_that_an_autoscaler_is_about_to_remove_gives_no_room():
    taint = {"key": "ToBeDeletedByClusterAutoscaler", "value": "1", "effect": "NoSchedule"}
    (said,) = shortages(wanted(1), nodes_of([node("a", taints=[taint])], [], set()))
    assert "taints that the tolerations do not cover: ToBeDeletedByClusterAutoscaler=1" in said


cores = st.lists(st.integers(1, 40).map(lambda n: n / 10), min_size=1, max_size=8)


@given(cores, cores)
def test_what_is_said_to_fit_is_no_more_than_there_is(asked, have):
    nodes = [place(f"n{n}", cpu, 1e6) for n, cpu in enumerate(have)]
    before = [dict(one.free) for one in nodes]
    if not shortages(wanted(*asked), nodes):
        assert sum(asked) <= sum(have) + 1e-6
        assert max(asked) <= max(have) + 1e-6
    assert [one.free for one in nodes] == before


@given(st.integers(1, 4), st.integers(1, 20))
def test_equal_pods_fit_as_often_as_they_go_into_a_node(nodes, pods):
    places = [place(f"n{n}", 4, 1e6) for n in range(nodes)]
    assert (not shortages(wanted(*[2.0] * pods), places)) == (pods <= 2 * nodes)
