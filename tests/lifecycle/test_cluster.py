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
    **image_facts(),
    "python": "3.11.14",
    "architecture": "x86_64",
    "kernel": "6.8.0",
    "cpu_model": "A Processor",
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


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"code_sha256": "ab" * 32}, "the code of trialwatt, SHA-256 abababababab (not "),
        ({"packages": IMAGE["packages"] | {"torch": "1.2.3"}}, "torch 1.2.3 (not "),
        (
            {"packages": {n: v for n, v in IMAGE["packages"].items() if n != "optuna"}},
            "optuna is missing (not ",
        ),
        ({"packages": None, "code_sha256": None}, "SHA-256 unknown (not "),
    ],
)
def test_an_image_of_other_versions_is_refused_unless_that_is_allowed(
    cluster, tmp_path, other, said
):
    cluster.logs["probe"] = json.dumps(IMAGE | other)
    with pytest.raises(TrialwattError) as caught:
        describe_cluster("k8s", bed(), POWER, ["optuna"], tmp_path / "k8s.json")
    assert said in str(caught.value)
    assert "`snakemake --profile k8s image`" in str(caught.value)
    allowed = bed().model_copy(update={"allow_other_versions": True})
    describe_cluster("k8s", allowed, POWER, ["optuna"], tmp_path / "k8s.json")
    record = json.loads((tmp_path / "k8s.json").read_text())
    for key, value in other.items():
        assert record["cluster"]["image"][key] == value


def test_a_build_of_the_same_version_and_a_sampler_that_no_plan_needs_are_no_difference(
    cluster, tmp_path
):
    packages = {n: f"{v.partition('+')[0]}+rocm" for n, v in IMAGE["packages"].items()}
    del packages["optuna"]
    cluster.logs["probe"] = json.dumps(IMAGE | {"packages": packages})
    describe_cluster("k8s", bed(), POWER, ["plain"], tmp_path / "k8s.json")


def test_an_image_without_the_entry_points_of_a_sut_lacks_it(cluster, tmp_path):
    """Who is not there says nothing of what it lacks."""
    cluster.logs["probe"] = json.dumps(IMAGE | {"suts": [], "suts_lacking": {}})
    with pytest.raises(TrialwattError, match="- the worker image has no SUT plain"):
        describe_cluster("k8s", bed(), POWER, ["plain"], tmp_path / "k8s.json")


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
