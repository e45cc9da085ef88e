"""Runs on clusters of other people: what these add to pods, refuse, take away and forget."""

from __future__ import annotations

import json
import socket

import pytest
from tests.platforms.kubernetes import fakecluster
from tests.platforms.kubernetes.administrator import (
    limit_range,
    mirrored,
    resource_quota,
    sidecar,
    unrestricted,
)
from tests.platforms.kubernetes.cluster import FakeCluster
from tests.platforms.processes import wait_until

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.evidence import is_of_the_place
from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes import access, data_pod, image, manifests, shared, waiting
from trialwatt.platforms.kubernetes import platform as platform_module
from trialwatt.platforms.kubernetes.platform import KubernetesPlatform

SPACE = "/api/v1/namespaces/trialwatt-run-1"
ECHO = """
import json, sys
print(json.dumps({"done": "deploy"}), flush=True)
for line in sys.stdin:
    print(json.dumps({"done": json.loads(line)["do"]}), flush=True)
"""


@pytest.fixture
def cluster(tmp_path):
    made = FakeCluster(tmp_path / "pods")
    yield made
    made.close()


def bed(**keys) -> Testbed:
    section = {"image": "worker:test", "schedule_s": 60, "start_s": 60, "undeploy_s": 60} | keys
    return Testbed(platform="kubernetes", meters=["model"], kubernetes=section, sample_hz=10)


@pytest.fixture
def opened(cluster, tmp_path):
    """Open a platform; it is removed in any case."""
    made = []

    def one(**keys) -> KubernetesPlatform:
        made.append(KubernetesPlatform.open("run-1", bed(**keys), tmp_path / "run", cluster.api()))
        (tmp_path / "run" / "job.json").write_text("{}")
        return made[-1]

    yield one
    for platform in made:
        platform.remove()


def worker(source: str = ECHO, index: int = 0, **keys) -> Role:
    size = {"cpu": 0.5, "memory_mb": 128} | keys
    return Role("worker", "worker", ("@python@", "-c", source), **size, index=index)


def start(platform, *roles: Role) -> list:
    platform.expect(list(roles))
    handles = [platform.start(role) for role in roles]
    for handle in handles:
        handle.give("job.json")
    return handles


def take(platform):
    return platform.inbox.get(timeout=120)


def ending(platform):
    while (message := take(platform)).ending is None:
        pass
    return message.ending


def quota_of(cluster) -> dict:
    return cluster.objects[f"{SPACE}/resourcequotas/trialwatt"]["spec"]["hard"]


# --- what is put beside our container -------------------------------------------------------------


@pytest.mark.parametrize("native", [False, True])
def test_a_run_lives_and_ends_beside_a_mesh(cluster, opened, capfd, native):
    cluster.administrator.policies = [sidecar(native=native)]
    platform = opened()
    (handle,) = start(platform, worker())
    assert take(platform).body == {"done": "deploy"}
    handle.send({"do": "setup"})
    assert take(platform).body == {"done": "setup"}
    hard = quota_of(cluster)  # two pods, each with what was put there
    assert (hard["pods"], hard["limits.cpu"]) == ("2", "950m")
    assert hard["requests.memory"] == f"{128 + 256 + 2 * 64}Mi"
    machine = platform.machine()
    assert machine.cores == pytest.approx(0.5 + 0.25 + 2 * 0.1)
    assert machine.memory_mb == 128 + 256 + 2 * 64
    # The worker is its own container: its use is counted there, and what it reserves is as asked.
    assert wait_until(lambda: 0 < handle.usage().cpu_ns <= machine.busy_ns())
    assert platform.facts["added"] == {
        "containers": 1,
        "cpu": pytest.approx(0.1),
        "memory_mb": 64,
    }
    assert "the cluster puts istio-proxy into every pod of the run" in capfd.readouterr().err
    cluster.kill("worker-0-1", 9)
    end = ending(platform)
    assert (end.code, end.reason) == (137, "signal")
    assert "a line of the cluster's log" in end.tail
    start(platform, worker())  # its place in the quota is free again
    assert take(platform).body == {"done": "deploy"}
    platform.remove()
    assert not cluster.objects


def test_a_mesh_that_is_never_ready_is_no_lost_node(cluster, opened):
    cluster.administrator.policies = [sidecar()]
    cluster.unready = {"istio-proxy"}
    platform = opened()
    (handle,) = start(platform, worker())
    assert take(platform).body == {"done": "deploy"}
    handle.send({"do": "setup"})
    assert take(platform).body == {"done": "setup"}
    assert handle.alive


def test_what_names_no_amounts_does_not_meet_the_quota_of_the_run(cluster, opened):
    cluster.administrator.policies = [sidecar(resources={"requests": {"cpu": "10m"}})]
    platform = opened()
    start(platform, worker())
    assert take(platform).body == {"done": "deploy"}
    assert quota_of(cluster).keys() == {
        "pods",
        "requests.cpu",
        "requests.ephemeral-storage",
        "limits.ephemeral-storage",
    }


def test_a_mesh_that_pod_security_refuses_is_told_at_once(cluster, opened):
    cluster.administrator.policies = [sidecar("istio-init", securityContext={})]
    with pytest.raises(TrialwattError, match=r"istio-init.*another name than main") as said:
        opened()
    assert 'violates PodSecurity "restricted:latest"' in str(said.value)
    assert not cluster.objects


def test_pods_ask_to_be_left_alone(cluster, opened):
    opened()
    metadata = cluster.objects[f"{SPACE}/pods/hub"]["metadata"]
    assert metadata["labels"]["sidecar.istio.io/inject"] == "false"
    assert metadata["annotations"]["linkerd.io/inject"] == "disabled"
    assert metadata["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        ("64Mi", r"limits\.memory 128Mi → 64Mi.*left out of it"),
        ("1Gi", r"exceeded quota: trialwatt,.*that quota is the run's own"),
    ],
)
def test_a_worker_of_another_size_is_not_measured(cluster, opened, monkeypatch, memory, said):
    def resize(pod):
        if pod["metadata"]["name"].startswith("worker"):
            pod["spec"]["containers"][0]["resources"]["limits"]["memory"] = memory

    monkeypatch.setattr(platform_module, "QUOTA_S", 0.5)  # it is refused each time
    cluster.administrator.policies = [resize]
    platform = opened()
    platform.expect([worker()])
    with pytest.raises(TrialwattError, match=said):
        platform.start(worker())


# --- limits, quotas, Pod Security, priorities -----------------------------------------------------


def test_a_limit_range_that_a_controller_puts_into_each_namespace_is_quoted(cluster, opened):
    path, limits = limit_range("trialwatt-run-1", max={"cpu": "300m"})
    cluster.store(path, limits, "ADDED")
    platform = opened()
    platform.expect([worker()])
    with pytest.raises(TrialwattError, match="worker-0 cannot be started") as said:
        platform.start(worker())
    assert "maximum cpu usage per Container is 300m" in str(said.value)
    assert "a LimitRange of the namespace says so" in str(said.value)


def test_the_defaults_of_a_limit_range_change_nothing(cluster, opened):
    default = {"cpu": "9", "memory": "9Gi", "ephemeral-storage": "1Mi"}
    path, limits = limit_range(
        "trialwatt-run-1", default=default, maxLimitRequestRatio={"cpu": "1"}
    )
    cluster.store(path, limits, "ADDED")
    platform = opened()
    start(platform, worker())
    assert take(platform).body == {"done": "deploy"}


def test_a_quota_that_a_controller_puts_into_each_namespace_is_quoted(cluster, opened):
    cluster.store(*resource_quota("trialwatt-run-1", {"requests.cpu": "500m"}), "ADDED")
    platform = opened()
    platform.expect([worker()])
    with pytest.raises(TrialwattError, match="exceeded quota: of-the-admin") as said:
        platform.start(worker())
    assert "has to have room for all pods of the largest run" in str(said.value)


def test_all_that_is_made_is_restricted(cluster, opened, monkeypatch):
    """Where Pod Security holds on the whole cluster, the data pod and the probe too."""
    cluster.administrator.restricts = True
    platform = opened()
    start(platform, worker())
    assert take(platform).body == {"done": "deploy"}
    space = shared.foreseen(platform._api, platform._place.kubernetes)
    others = [
        space.pod_of("probe-1", image.PROBE, image.COMMAND, image.DISK_MB, image.DEADLINE_S),
        data_pod.pod_for(space, "data-1"),
    ]
    pods = [made for path, made in cluster.objects.items() if "/pods/" in path]
    assert len(pods) == 2
    assert [unrestricted(pod) for pod in [*pods, *others]] == [[]] * 4


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("securityContext", {}, "runAsNonRoot != true"),
        ("hostNetwork", True, "host namespaces"),
        ("volumes", [{"name": "v", "hostPath": {"path": "/"}}], "hostPath"),
    ],
)
def test_the_standard_is_not_met_by_everything(path, value, said):
    """The tests' own Pod Security refuses what the real one does."""
    place = manifests.Place("r", "o", "n", shared.section(bed()), 5, 60)
    pod = manifests.hub_pod(place)
    assert unrestricted(pod) == []
    pod["spec"][path] = value
    assert said in "; ".join(unrestricted(pod))


def test_a_priority_class_is_that_of_every_pod(cluster, opened):
    platform = opened(priority_class="measuring")
    start(platform, worker())
    take(platform)
    pods = [made for path, made in cluster.objects.items() if "/pods/" in path]
    assert {pod["spec"]["priorityClassName"] for pod in pods} == {"measuring"}


def test_a_priority_class_that_there_is_not_is_told(cluster, opened):
    text = 'pods "hub" is forbidden: no PriorityClass with name measuring was found'
    cluster.fail("POST .*/pods$", 403, {"reason": "Forbidden", "message": text})
    with pytest.raises(TrialwattError, match=r"kubernetes\.priority_class has to name one of"):
        opened(priority_class="measuring")


def test_a_pod_that_a_more_important_one_displaces_is_evicted(cluster, opened):
    platform = opened()
    start(platform, worker())
    take(platform)
    path = f"{SPACE}/pods/worker-0-1"
    cluster.disrupt(path, "PreemptionByScheduler")
    cluster.end(path)
    end = ending(platform)
    assert end.reason == "evicted" and is_of_the_place(end)


# --- nodes ----------------------------------------------------------------------------------------


def test_a_node_that_is_away_for_a_while_ends_the_run_and_not_a_trial(cluster, opened):
    """For 90 s, of which the control plane gives it 40; it is back before 300 s, after which pods
    of others are evicted. Ours are given up after ten."""
    cluster.nodes = {"worker-0-1": "node-b"}
    platform = opened()
    away, beside = start(platform, worker(), worker(index=1))
    assert [take(platform).body, take(platform).body] == [{"done": "deploy"}] * 2
    cluster.lose_node("node-b")
    message = take(platform)
    assert (message.component, message.ending.reason) == ("worker-0", "node")
    assert "the cluster has lost sight of the node node-b" in message.ending.tail
    assert is_of_the_place(message.ending)  # so that the run fails, and is done again
    assert cluster.evict_by_taint("node-b", 50) == ["worker-0-1"]
    cluster.find_node("node-b")
    assert not away.alive and beside.alive
    beside.send({"do": "setup"})
    assert take(platform).body == {"done": "setup"}
    platform.remove()
    assert not cluster.objects


def test_a_default_of_five_minutes_does_not_keep_a_lost_node_secret(cluster, opened):
    """A policy may replace our tolerations by the cluster's own."""

    def patient(pod):
        pod["spec"]["tolerations"] = [
            {"key": "node.kubernetes.io/unreachable", "tolerationSeconds": 300}
        ]

    cluster.administrator.policies = [patient]
    platform = opened()
    start(platform, worker())
    take(platform)
    assert cluster.evict_by_taint("node-a", 90) == []
    cluster.lose_node("node-a")
    assert ending(platform).reason == "node"


@pytest.mark.parametrize(("drained", "reason"), [(True, "evicted"), (False, "node")])
def test_a_node_that_an_autoscaler_removes(cluster, opened, drained, reason):
    cluster.nodes = {"worker-0-1": "node-b"}
    platform = opened()
    _, beside = start(platform, worker(), worker(index=1))
    take(platform), take(platform)
    cluster.remove_node("node-b", drained)
    end = ending(platform)
    assert end.reason == reason and is_of_the_place(end)
    assert beside.alive


def test_a_runtime_that_was_restarted_and_forgot_is_a_matter_of_the_node(cluster, opened):
    platform = opened()
    start(platform, worker())
    take(platform)
    state = {"terminated": {"exitCode": 255, "reason": "Unknown"}}
    status = {"containerStatuses": [{"name": "main", "state": state, "ready": False}]}
    cluster.update(f"{SPACE}/pods/worker-0-1", {"status": {"phase": "Failed"} | status})
    end = ending(platform)
    assert end.reason == "node" and is_of_the_place(end)


# --- IPv6 -----------------------------------------------------------------------------------------


def _ipv6() -> bool:
    try:
        with socket.create_server(("::1", 8080), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not _ipv6(), reason="needs ::1, and port 8080 of it, where the hub listens")
def test_pods_that_have_addresses_of_ipv6_alone(cluster, opened):
    cluster.address = "::1"
    platform = opened()
    source = """
import json, os, sys
print(json.dumps({"done": os.environ["WHERE"], "hub": os.environ["TRIALWATT_HUB"]}), flush=True)
sys.stdin.read()
"""
    role = Role(
        "worker",
        "worker",
        ("@python@", "-c", source),
        0.5,
        128,
        environment={"WHERE": "@host@:7077 @host@"},
    )
    start(platform, role)
    said = take(platform).body
    assert said == {"done": "[::1]:7077 ::1", "hub": "http://[::1]:8080"}
    assert platform.host("worker-0") == "::1"


# --- what runs share, and the probe ---------------------------------------------------------------


@pytest.fixture
def still(tmp_path, monkeypatch):
    """A cluster whose pods are as they are put, and a client of it."""
    monkeypatch.setattr(waiting, "PERIOD_S", 0.01)
    with fakecluster.FakeCluster() as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "config")))
        api = access.connect()
        yield fake, api
        api.close()


@pytest.mark.parametrize("native", [False, True])
def test_the_probe_ends_though_the_mesh_beside_it_lives_on(still, native):
    fake, api = still
    fake.administrator.policies = [sidecar("a-proxy", native=native)]
    fake.on_pod = fakecluster.ended
    fake.logs["probe"] = json.dumps({"python": "3.11.14", "suts_lacking": {}})
    facts = image.ask_image(api, bed())
    assert facts["python"] == "3.11.14"
    assert facts["digest"] == "sha256:" + "ab" * 32  # of our image, not of the mesh's
    assert not fake.names("/pods/")


@pytest.mark.parametrize(
    ("state", "more", "said"),
    [
        ({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}, {}, "back-off"),
        ({"waiting": {"reason": "ImagePullBackOff", "message": "mesh/proxy"}}, {}, "mesh/proxy"),
        ({"running": {}}, {"start_s": 1}, "a-proxy, which this cluster adds, is not started"),
    ],
)
def test_a_probe_that_cannot_begin_says_what_it_waits_for(still, state, more, said):
    fake, api = still
    fake.administrator.policies = [sidecar("a-proxy", native=True)]

    def held(made):
        fakecluster.waiting("PodInitializing", "")(made)
        made["status"]["initContainerStatuses"] = [
            {"name": "a-proxy", "state": state, "started": False}
        ]

    fake.on_pod = held
    with pytest.raises(TrialwattError, match=said) as caught:
        image.ask_image(api, bed(**more))
    assert "kubernetes.image" not in str(caught.value)  # which is not at fault
    assert not fake.names("/pods/")


def test_data_that_are_there_are_used_again_though_the_cluster_names_another_image(still, tmp_path):
    """A policy has images come from a mirror; and a mesh stands first, and is not ready."""
    fake, api = still
    fake.administrator.policies = [mirrored, sidecar()]
    (tmp_path / "digits").write_bytes(b"images")
    data_pod.data_source(api, bed(), tmp_path / "digits")
    uploads = [each for each in fake.asked if each[0] == "PUT"]
    pods = [each for each in fake.asked if each[0] == "POST" and each[1].endswith("/pods")]
    data_pod.data_source(api, bed(), tmp_path / "digits")
    assert [each for each in fake.asked if each[0] == "PUT"] == uploads
    assert [each for each in fake.asked if each[0] == "POST" and each[1].endswith("/pods")] == pods


def test_data_have_addresses_of_ipv6(still, tmp_path):
    fake, api = still

    def six(made):
        fakecluster.running(made)
        made["status"]["podIP"] = "fd00::7"

    fake.on_pod = six
    (tmp_path / "digits").write_bytes(b"images")
    assert data_pod.data_source(api, bed(), tmp_path / "digits").url == "http://[fd00::7]:8080"
