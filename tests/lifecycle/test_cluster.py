"""The deploy stage against an API server: the record of a cluster, the shared data, undeploying."""

from __future__ import annotations

import json

import pytest
from tests.platforms.kubernetes import fakecluster
from tests.platforms.kubernetes.fakecluster import FakeCluster, node

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.cluster import bring_up_data, describe_cluster, undeploy
from trialwatt.lifecycle.installed import image_facts
from trialwatt.lifecycle.reap import reap
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.platforms.kubernetes import preflight, waiting

POWER = PowerParameters(
    min_w=1, max_w=4, memory_w_per_gb=0.5, included_gb_per_vcpu=1, source="a test"
)
IMAGE = {
    "python": "3.11.14",
    "architecture": "x86_64",
    "kernel": "6.8.0",
    "cpu_model": "A Processor",
    "packages": {"torch": "2.13.0"},
    "modules": ["sklearn", "torch"],
    "suts_lacking": {"hyperopt": "java is not installed"},
}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "PERIOD_S", 0.01)
    with FakeCluster() as fake:
        busy = node("closed", cpu="64", unschedulable=True)
        fake.put_nodes(node("one", memory="8Gi"), node("two", memory="8Gi"), busy)
        fake.on_pod = fakecluster.ended
        fake.logs["probe"] = json.dumps(IMAGE)
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "config")))
        preflight.forget()
        yield fake
        preflight.forget()


def bed(**keys) -> Testbed:
    kubernetes = {"image": "x:1", "start_s": 1, "schedule_s": 1} | keys
    return Testbed(platform="kubernetes", meters=["model"], idle_s=0, kubernetes=kubernetes)


def test_the_record_of_a_cluster(cluster, tmp_path):
    output = tmp_path / "results" / "testbeds" / "k8s.json"
    describe_cluster("k8s", bed(), POWER, ["plain", "optuna"], output)
    record = json.loads(output.read_text())
    assert record["format"] == 1
    assert record["power"]["max_w"] == 4
    assert (record["host"]["cores"], record["host"]["memory_mb"]) == (8, 16384)
    assert record["host"]["cpu_model"] == "A Processor"
    assert record["host"]["system"] == "Kubernetes v1.35.2"
    idle = record["idle"]["meters"]["model"]
    assert idle["by"] == "definition"
    assert idle["domains"]["cpu"]["watts"] == pytest.approx(8 * 1)
    assert idle["domains"]["memory"]["watts"] == pytest.approx((16 - 8) * 0.5)
    facts = record["cluster"]
    assert facts["version"] == "v1.35.2"
    assert len(facts["nodes"]) == 2
    assert facts["nodes"][0]["container_runtime"] == "containerd://2.0.0"
    assert facts["image"]["digest"].startswith("sha256:")
    assert '"one"' not in output.read_text()  # names of machines are not for the public
    assert not cluster.names("/pods/")


def test_every_problem_is_in_one_report_and_nothing_is_made(cluster, tmp_path):
    cluster.denied = {("create", "pods")}
    cluster.version |= {"minor": "20", "gitVersion": "v1.20.0"}
    with pytest.raises(TrialwattError) as caught:
        describe_cluster("k8s", bed(), POWER, [], tmp_path / "k8s.json")
    said = str(caught.value)
    assert said.startswith("the cluster cannot be used:\n- ")
    assert "v1.20.0" in said
    assert "create pods" in said
    assert said.endswith("2 problems; no run was started.")
    assert not cluster.names("namespaces")
    assert not (tmp_path / "k8s.json").exists()


def test_a_sut_that_the_image_lacks(cluster, tmp_path):
    with pytest.raises(TrialwattError, match="hyperopt cannot run in the image x:1: java is not"):
        describe_cluster("k8s", bed(), POWER, ["plain", "hyperopt"], tmp_path / "k8s.json")


def test_a_module_that_a_workload_imports_and_the_image_lacks(cluster, tmp_path):
    describe_cluster("k8s", bed(), POWER, [], tmp_path / "k8s.json", ["sklearn"])
    assert "modules" not in json.loads((tmp_path / "k8s.json").read_text())["cluster"]["image"]
    with pytest.raises(TrialwattError, match=r'imports "xgboost".*layer on top of the image x:1'):
        describe_cluster("k8s", bed(), POWER, [], tmp_path / "k8s.json", ["sklearn", "xgboost"])


def test_an_image_that_cannot_be_pulled(cluster, tmp_path):
    cluster.on_pod = fakecluster.waiting("ImagePullBackOff", "not found")
    with pytest.raises(TrialwattError, match=r"kubernetes\.image: x:1 cannot be used"):
        describe_cluster("k8s", bed(), POWER, [], tmp_path / "k8s.json")
    assert not cluster.names("/pods/")


def test_the_shared_data_and_undeploying(cluster, tmp_path, capfd):
    data = tmp_path / "digits.safetensors"
    data.write_bytes(b"images")
    notes = tmp_path / "shared"
    cluster.on_pod = fakecluster.running
    bring_up_data(bed(), data, notes / "digits.json")
    note = json.loads((notes / "digits.json").read_text())
    assert note["name"] == "digits.safetensors"
    assert "token" not in note
    undeploy(bed(), tmp_path / "results")
    assert "removed the namespace trialwatt-shared" in capfd.readouterr().err
    assert not cluster.names("/api/v1/namespaces/")
    undeploy(bed(), tmp_path / "results")
    assert "nothing was left on the cluster" in capfd.readouterr().err


def test_what_an_image_says_of_itself():
    facts = image_facts()
    assert {"trialwatt", "torch", "optuna", "ray"} <= facts["packages"].keys()
    assert set(facts) == {*IMAGE}
    assert "plain" not in facts["suts_lacking"]


def test_reaping_of_all_hosts_is_for_platforms_that_have_several(tmp_path):
    with pytest.raises(TrialwattError, match="local has a single host: leave --all-hosts out"):
        reap(tmp_path, "local", Testbed(), all_hosts=True)
