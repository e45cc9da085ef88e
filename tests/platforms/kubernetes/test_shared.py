"""The data pod: brought up once, used again, replaced where it must be, removed."""

from __future__ import annotations

import json

import pytest
from tests.platforms.kubernetes import fakecluster

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes import data_pod, image, shared
from trialwatt.platforms.kubernetes.options import Kubernetes

SPACE = "/api/v1/namespaces/trialwatt-shared"
POD = data_pod.name_of(Kubernetes(image="x:1"))


def bed(**keys) -> Testbed:
    cluster = {"image": "x:1", "schedule_s": 1, "start_s": 1, "undeploy_s": 1} | keys
    return Testbed(platform="kubernetes", meters=["model"], kubernetes=cluster)


def test_it_is_brought_up_and_filled(cluster, api, data):
    source = data_pod.data_source(api, bed(), data)
    assert source.url == "http://10.0.0.7:8080"
    assert source.name.endswith("/digits.safetensors")
    assert cluster.files[f"{POD}/{source.name}"] == b"images"
    assert source.token not in repr(source)
    namespace = cluster.objects[SPACE]
    assert namespace["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "trialwatt"
    assert "trialwatt/run-id" not in namespace["metadata"]["labels"]
    policy = cluster.names("networkpolicies")
    assert len(policy) == 1
    assert "egress" not in cluster.objects[policy[0]]["spec"]


def test_its_pod_has_no_rights_and_equal_requests_and_limits(cluster, api, data):
    data_pod.data_source(api, bed(hub={"cpu": 0.1, "memory_mb": 128}), data)
    spec = cluster.objects[f"{SPACE}/pods/{POD}"]["spec"]
    (container,) = spec["containers"]
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert container["resources"]["limits"]["cpu"] == "100m"
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    key = shared.key_in(cluster.objects[f"{SPACE}/secrets/trialwatt-shared"])
    assert key not in json.dumps(spec)


def test_it_is_used_again_and_not_filled_twice(cluster, api, data):
    first = data_pod.data_source(api, bed(), data)
    cluster.asked.clear()
    again = data_pod.data_source(api, bed(), data)
    assert again == first
    assert not [path for method, path in cluster.asked if method == "PUT"]
    data.write_bytes(b"other images")
    other = data_pod.data_source(api, bed(), data)
    assert other.sha256 != first.sha256
    assert cluster.files[f"{POD}/{other.name}"] == b"other images"
    assert cluster.files[f"{POD}/{first.name}"] == b"images"  # somebody may be at it


def test_each_image_has_a_pod_of_its_own(cluster, api, data):
    data_pod.data_source(api, bed(), data)
    data_pod.data_source(api, bed(image="x:2"), data)
    images = {
        cluster.objects[path]["spec"]["containers"][0]["image"] for path in cluster.names("/pods/")
    }
    assert images == {"x:1", "x:2"}


def test_undeploying_removes_it_and_says_so(cluster, api, data):
    data_pod.data_source(api, bed(), data)
    assert shared.remove(api, bed()) == [
        "removed the namespace trialwatt-shared with the shared data"
    ]
    assert cluster.names("/api/v1") == []  # what is in a namespace goes with it
    assert shared.remove(api, bed()) == []


def test_a_namespace_of_others_is_left_alone(cluster, api):
    cluster.objects[SPACE] = {"metadata": {"name": "trialwatt-shared", "labels": {}}}
    with pytest.raises(TrialwattError, match="is not ours"):
        shared.remove(api, bed())
    assert SPACE in cluster.objects


def test_what_holds_a_namespace_is_said(cluster, api, data, monkeypatch):
    data_pod.data_source(api, bed(), data)
    cluster.objects[SPACE] |= {
        "spec": {"finalizers": ["kubernetes"]},
        "status": {
            "conditions": [
                {"type": "ContentRemaining", "status": "True", "message": "pods. has 1 instances"}
            ]
        },
    }
    monkeypatch.setattr(cluster, "_delete", lambda path, query, body: (200, {}))
    with pytest.raises(TrialwattError) as caught:
        shared.remove(api, bed())
    assert "is not gone after 1 s: finalizers kubernetes; ContentRemaining" in str(caught.value)


@pytest.mark.parametrize(
    ("on_pod", "said"),
    [
        (
            fakecluster.waiting("ErrImagePull", "manifest unknown"),
            r"kubernetes.image: x:1 cannot be used \(ErrImagePull: manifest unknown\)",
        ),
        (fakecluster.waiting("InvalidImageName", "bad"), "InvalidImageName"),
        (
            fakecluster.waiting("CreateContainerConfigError", "no user"),
            "cannot be started .CreateContainerConfigError: no user",
        ),
        (fakecluster.unplaced, "gets no node: 0/1 nodes are available"),
        (fakecluster.waiting("ContainerCreating", ""), "does not start within 1 s"),
    ],
)
def test_a_pod_that_cannot_start_says_why(cluster, api, data, on_pod, said):
    cluster.on_pod = on_pod
    with pytest.raises(TrialwattError, match=said):
        data_pod.data_source(api, bed(), data)


def test_what_the_cluster_warns_of_a_pod_that_waits_is_said_at_once_and_at_the_end(
    cluster, api, data, capfd
):
    wait = fakecluster.waiting("ContainerCreating", "")
    warned = ("Warning", "FailedMount", "secret not found")
    events = {
        "new": fakecluster.event(*warned, "2026-01-01T00:00:09Z", name=POD, uid="u1"),
        "old": fakecluster.event("Warning", "BackOff", "not this", name=POD, uid="u1"),
        "other": fakecluster.event("Warning", "Evicted", "nor this", "2027", name=POD, uid="u0"),
        "normal": fakecluster.event("Normal", "Pulled", "fine", "2027", name=POD, uid="u1"),
    }
    events = {f"{SPACE}/events/{name}": event for name, event in events.items()}

    def on_pod(made):
        made["metadata"]["uid"] = "u1"
        wait(made)
        cluster.objects |= events

    cluster.on_pod = on_pod
    said = (
        f"pod {POD} does not start within 1 s .*; the cluster's last warning: FailedMount: secret "
    )
    with pytest.raises(TrialwattError, match=said):
        data_pod.data_source(api, bed(), data)
    assert capfd.readouterr().err == f"pod {POD} waits: FailedMount: secret not found\n"


def test_credentials_of_a_registry_come_from_the_environment(cluster, api, data, monkeypatch):
    monkeypatch.delenv("REGISTRY", raising=False)
    with pytest.raises(TrialwattError, match="the environment variable REGISTRY is empty"):
        data_pod.data_source(api, bed(image_pull_secret_env="REGISTRY"), data)
    monkeypatch.setenv("REGISTRY", '{"auths": {}}')
    data_pod.data_source(api, bed(image_pull_secret_env="REGISTRY"), data)
    [path] = cluster.names("/secrets/registry-")
    assert cluster.objects[path]["type"] == "kubernetes.io/dockerconfigjson"
    spec = cluster.objects[f"{SPACE}/pods/{POD}"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": path.rsplit("/", 1)[1]}]
    monkeypatch.setenv("REGISTRY", '{"auths": {"other": {}}}')
    data_pod.data_source(api, bed(image="x:2", image_pull_secret_env="REGISTRY"), data)
    assert len(cluster.names("/secrets/registry-")) == 2  # each has his own


# --- the probe of the image -----------------------------------------------------------------------


def test_the_image_is_asked_in_a_pod_that_is_gone_afterwards(cluster, api):
    cluster.on_pod = fakecluster.ended
    cluster.logs["probe"] = 'a warning\n{"python": "3.11.14", "suts_lacking": {}}\n'
    facts = image.ask_image(api, bed())
    assert facts["digest"] == "sha256:" + "ab" * 32
    assert (facts["image"], facts["python"], facts["node"]) == ("x:1", "3.11.14", "a")
    assert not cluster.names("/pods/")


def test_an_image_that_is_no_worker_image(cluster, api):
    cluster.on_pod = fakecluster.ended
    cluster.logs["probe"] = "hello from nginx\n"
    with pytest.raises(TrialwattError, match="is no worker image of trialwatt"):
        image.ask_image(api, bed())
    assert not cluster.names("/pods/")


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        ("docker.io/library/x@sha256:12", "sha256:12"),
        ("sha256:34", "sha256:34"),
        ("docker-pullable://r/x@sha256:56", "sha256:56"),
        ("", ""),
    ],
)
def test_digests(image_id, digest):
    assert image.digest_of(image_id) == digest
