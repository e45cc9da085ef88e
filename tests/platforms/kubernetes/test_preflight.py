"""What keeps a cluster from serving a run is said at once, before anything is made there."""

from __future__ import annotations

import pytest
from tests.platforms.kubernetes.fakecluster import FakeCluster, node, pod

from trialwatt.config.models import Testbed
from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes import preflight
from trialwatt.platforms.kubernetes.options import section

GPU = {"resource": "nvidia.com/gpu", "node_selector": {"gpu": "l4"}}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeCluster() as fake:
        fake.put_nodes(node("a"), node("b"))
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "config")))
        preflight.forget()
        yield fake
        preflight.forget()


def bed(**kubernetes) -> Testbed:
    return Testbed(
        platform="kubernetes", meters=["model"], kubernetes={"image": "x:1"} | kubernetes
    )


def roles(count: int, cpu: float = 1, memory_mb: int = 1024, accelerator: str = "cpu"):
    return [
        Role("worker", "worker", ("true",), cpu, memory_mb, index, accelerator=accelerator)
        for index in range(count)
    ]


def test_a_good_cluster_has_no_problems_and_nothing_is_made(cluster):
    assert preflight.problems(bed(), roles(6)) == []
    assert {method for method, path in cluster.asked if "accessreviews" not in path} == {"GET"}


def test_it_is_asked_once_however_often_the_plan_asks(cluster):
    preflight.problems(bed(), roles(1))
    asked = len(cluster.asked)
    for count in range(1, 6):
        assert preflight.problems(bed(), roles(count)) == []
    assert len(cluster.asked) == asked


def test_everything_is_said_at_once(cluster):
    cluster.version |= {"minor": "24+", "gitVersion": "v1.24.9"}
    cluster.denied = {("create", "namespaces"), ("get", "pods/log")}
    cluster.objects["/api/v1/namespaces/trialwatt-shared"] = {"metadata": {}}
    found = preflight.problems(bed(image=None), roles(9))
    assert len(found) == 5
    said = "\n".join(found)
    assert "the cluster is v1.24.9; 1.25 or newer is needed" in said
    assert "does not allow: create namespaces, get pods/log. An administrator" in said
    assert "k8s/rights.yaml" in said
    assert "a namespace trialwatt-shared that is not ours" in said
    assert "kind load docker-image trialwatt-worker:" in said
    assert "podman" in said
    assert "snakemake --profile k8s image" in said
    assert "8 of 10 pods fit" in said or "7 of 10 pods fit" in said
    assert "workers.count" in said


def test_no_kubeconfig(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    preflight.forget()
    (said,) = preflight.problems(bed(), roles(1))
    assert said.startswith("there is no kubeconfig")
    preflight.forget()


def test_an_unknown_context_ends_the_questions(cluster):
    (said,) = preflight.problems(bed(context="other"), roles(1))
    assert said == 'the kubeconfig has no context "other" (there are: fake)'
    assert cluster.asked == []


def test_refused_credentials(cluster):
    cluster.refuses_credentials = True
    (said,) = preflight.problems(bed(), roles(1))
    assert "the current context refuses the credentials" in said
    assert "the token of the kubeconfig may have run out" in said


def test_a_server_that_is_not_there(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "PATIENCE_S", 0)
    file = tmp_path / "config"
    file.write_text(file.read_text().replace(cluster.url, "http://127.0.0.1:9"))
    (said,) = preflight.problems(bed(), roles(1))
    assert "the API server of the current context cannot be reached" in said
    assert "Is the cluster running" in said


def test_pods_that_are_not_ours_to_see_are_left_out_of_the_sum(cluster):
    cluster.put_pods(pod("other", "a", "4", "1Gi"))
    assert preflight.problems(bed(), roles(6)) != []
    preflight.forget()
    cluster.denied = {("list", "pods")}
    (said,) = preflight.problems(bed(), roles(6))
    assert "list pods" in said  # named as a right, the room is judged by what nodes have
    assert not preflight.look(section(bed())).sees_pods


def test_many_pods_come_in_pages(cluster, monkeypatch):
    monkeypatch.setattr(preflight, "PAGE", 2)
    cluster.put_pods(*(pod("other", "a", f"{n}m", "1Mi") for n in range(1, 8)))
    (place, _) = preflight.look(section(bed())).places
    assert place.free["cpu"] == pytest.approx(4 - 0.028)


def test_a_worker_below_a_millicore(cluster):
    (said,) = preflight.problems(bed(), roles(1, cpu=0.0001))
    assert said.startswith("worker-0: 0.0001 cores are less than a millicore")


def test_a_metrics_source_that_does_not_answer(cluster):
    prometheus = {"url": "http://127.0.0.1:9", "preset": "kepler", "retries": 0}
    asked = Testbed(
        platform="kubernetes",
        meters=["prometheus", "model"],
        kubernetes={"image": "x:1"},
        prometheus=prometheus,
    )
    (said,) = preflight.problems(asked, roles(1))
    assert said.startswith("the metrics source does not answer as it should: ")
    assert "127.0.0.1:9" in said


# --- accelerators ---------------------------------------------------------------------------------


def test_an_accelerator_that_the_testbed_does_not_name(cluster):
    assert preflight.accelerator_problem(bed(), "cpu") == ""
    said = preflight.accelerator_problem(bed(), "gpu")
    assert said == "the testbed's kubernetes.accelerators does not say how a pod gets a gpu"


def test_an_accelerator_that_no_node_has(cluster):
    said = preflight.accelerator_problem(bed(accelerators={"gpu": GPU}), "gpu")
    assert said.startswith("no node offers 1 nvidia.com/gpu (allocatable)")


def test_an_accelerator_on_a_node_that_pods_may_not_use(cluster):
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    devices = {"nvidia.com/gpu": "1"}
    cluster.put_nodes(node("g", labels={"gpu": "l4"}, taints=[taint], devices=devices))
    said = preflight.accelerator_problem(bed(accelerators={"gpu": GPU}), "gpu")
    assert "taints that the tolerations do not cover: nvidia.com/gpu=present:NoSchedule" in said

    tolerant = GPU | {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}
    assert preflight.accelerator_problem(bed(accelerators={"gpu": tolerant}), "gpu") == ""
    two = roles(2, accelerator="gpu")
    assert preflight.problems(bed(accelerators={"gpu": tolerant}), two[:1]) == []
    (said,) = preflight.problems(bed(accelerators={"gpu": tolerant}), two)
    assert "no node has room for worker-1" in said
    assert "1 nvidia.com/gpu" in said
