"""Runs in a namespace that an administrator has made: one at a time, and nothing else changes."""

import json
import re
import time
from pathlib import Path

import pytest
from tests.platforms.kubernetes import fakecluster
from tests.platforms.kubernetes.asked import without_right
from tests.platforms.kubernetes.cluster import FakeCluster

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes import (
    access,
    data_pod,
    owners,
    preflight,
    reaping,
    rights,
    shared,
    space,
    waiting,
)
from trialwatt.platforms.kubernetes.platform import KubernetesPlatform

SPACE = "/api/v1/namespaces/mine"
SOURCE = "import json, sys; print(json.dumps({'done': 'deploy'}), flush=True); sys.stdin.read()"
OTHERS = {
    f"{SPACE}/pods/other": {"kind": "Pod", "metadata": {"name": "other", "uid": "o"}},
    f"{SPACE}/secrets/other": {"kind": "Secret", "metadata": {"name": "other"}},
    f"{SPACE}/secrets/shared": {
        "kind": "Secret",
        "metadata": {
            "name": "shared",
            "labels": {"app.kubernetes.io/managed-by": "trialwatt", "trialwatt/part": "shared"},
        },
    },
}
"""What is there beside a run: of somebody else, and of what runs share."""


def bed(**keys) -> Testbed:
    section = {"image": "x:1", "namespace": "mine", "schedule_s": 60, "start_s": 60} | keys
    return Testbed(
        platform="kubernetes",
        meters=["model"],
        kubernetes=section | {"undeploy_s": 60},
        sample_hz=10,
    )


@pytest.fixture
def cluster(tmp_path):
    made = FakeCluster(tmp_path / "pods")
    for path, each in json.loads(json.dumps(OTHERS)).items():
        made.store(path, each, "ADDED")
    yield made
    made.close()


@pytest.fixture
def begin(cluster, tmp_path):
    """Open a platform in the namespace; it is removed in any case."""
    made = []

    def one(run_id: str = "run-1") -> KubernetesPlatform:
        platform = KubernetesPlatform.open(run_id, bed(), tmp_path / run_id, cluster.api())
        made.append(platform)
        (tmp_path / run_id / "job.json").write_text("{}")
        return platform

    yield one
    for platform in made:
        platform.remove()


def start(platform, index: int = 0):
    role = Role("worker", "worker", ("@python@", "-c", SOURCE), 0.5, 128, index=index)
    platform.expect([role])
    platform.start(role).give("job.json")
    assert platform.inbox.get(timeout=120).body == {"done": "deploy"}


def test_a_run_is_in_it_and_leaves_what_is_anothers(cluster, begin):
    platform = begin()
    start(platform)
    made = [path for path in cluster.objects if path not in OTHERS]
    assert all("/namespaces/mine/" in path for path in made)
    assert not [path for path in made if "quota" in path]  # the administrator's holds
    assert "mine" not in json.dumps(platform.facts)
    platform.remove()
    assert set(cluster.objects) == set(OTHERS)


def test_it_asks_for_nothing_that_the_rights_do_not_give(cluster, begin):
    platform = begin()
    start(platform)
    platform._space.beat()
    platform.remove()
    reaping.reap(cluster.api(), 5, given="mine")
    asked = [each for each in cluster.asked if each != "GET /version"]
    assert len(asked) > 10
    assert all("/namespaces/mine/" in each for each in asked)
    assert without_right(asked, rights.IN_A_NAMESPACE) == []


def test_one_run_at_a_time_is_in_it(cluster, begin):
    platform = begin()
    with pytest.raises(TrialwattError, match="the namespace mine holds another run"):
        begin("run-2")
    start(platform)  # the first one goes on
    platform.remove()
    start(begin("run-3"))


def test_a_dead_coordinators_run_is_removed_and_a_living_ones_not(cluster, begin):
    platform = begin()
    start(platform)
    api = cluster.api()
    assert reaping.reap(api, 5, given="mine") == []
    claim = f"{SPACE}/configmaps/{rights.CLAIM}"
    who = owners.own_facts() | {"start": 1}
    cluster.update(claim, {"metadata": {"annotations": {"trialwatt/owner-facts": json.dumps(who)}}})
    platform._stopped.set()
    assert reaping.reap(api, 60, given="mine") == ["run-1"]
    assert set(cluster.objects) == set(OTHERS)


@pytest.mark.parametrize(
    ("silent_s", "takes"), [(owners.SILENCE_S + 30, True), (owners.SILENCE_S - 60, False)]
)
def test_a_claim_of_another_machine_times_out(cluster, begin, silent_s, takes):
    first = begin()
    start(first)
    claim = f"{SPACE}/configmaps/{rights.CLAIM}"
    who = owners.own_facts() | {"host": "elsewhere"}
    marks = {"owner-facts": json.dumps(who), "heartbeat": str(time.time() - silent_s)}
    marks = {f"trialwatt/{name}": text for name, text in marks.items()}
    cluster.update(claim, {"metadata": {"annotations": marks}})
    if not takes:
        with pytest.raises(TrialwattError, match="holds another run"):
            begin("run-2")
        return
    start(begin("run-2"))
    runs = {each["metadata"].get("labels", {}).get("trialwatt/run-id") for each in pods(cluster)}
    assert runs == {None, "run-2"}  # None: of somebody else


def pods(cluster) -> list[dict]:
    return [each for path, each in cluster.objects.items() if f"{SPACE}/pods/" in path]


def test_no_run_removes_the_claim_of_another(cluster, begin):
    begin()
    space.release_given(cluster.api(), "mine", "run-2", 5)
    assert f"{SPACE}/configmaps/{rights.CLAIM}" in cluster.objects


def test_pods_that_stay_are_named(cluster, monkeypatch):
    labels = {"app.kubernetes.io/managed-by": "trialwatt", "trialwatt/run-id": "r"}
    cluster.store(
        f"{SPACE}/pods/stays",
        {"kind": "Pod", "metadata": {"name": "stays", "labels": labels}},
        "ADDED",
    )
    monkeypatch.setattr(space, "KINDS", ("api/v1:pods",))
    api = cluster.api()
    monkeypatch.setattr(api, "call", lambda *_, **__: {})  # a cluster that does not delete
    monkeypatch.setattr(
        api, "get", lambda *_, **__: {"items": [cluster.objects[f"{SPACE}/pods/stays"]]}
    )
    with pytest.raises(
        TrialwattError, match=r"not gone after 0.1 s: stays.*kubectl get pods -n mine"
    ):
        space.remove_labelled(api, "mine", {"trialwatt/run-id": "r"}, 0.1)


# --- what runs share, and what is checked before ----------------------------------------------


@pytest.fixture
def looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "PERIOD_S", 0.01)
    with fakecluster.FakeCluster() as fake:
        fake.put_nodes(fakecluster.node("one", cpu="8"))
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "config")))
        preflight.forget()
        yield fake
        preflight.forget()


def test_the_data_are_served_from_it(looked_at, tmp_path):
    (tmp_path / "digits").write_bytes(b"images")
    api = access.connect()
    source = data_pod.data_source(api, bed(), tmp_path / "digits", "run-1")
    assert source.namespace == "mine"
    assert not [
        path for path in looked_at.objects if re.fullmatch("/api/v1/namespaces/[^/]*", path)
    ]
    [policy] = looked_at.names("networkpolicies")
    chosen = looked_at.objects[policy]["spec"]["podSelector"]["matchLabels"]
    assert chosen["trialwatt/part"] == "shared"  # and no pod of anybody else
    api.close()


def test_the_preflight_asks_for_the_rights_in_it_and_not_for_what_others_have(looked_at):
    assert preflight.problems(bed(), []) == []
    assert ("GET", "/api/v1/pods") not in looked_at.asked
    assert not preflight.look(bed().options(type(shared.section(bed())))).sees_pods
    preflight.forget()
    looked_at.denied = {("create", "namespaces"), ("deletecollection", "secrets")}
    (said,) = preflight.problems(bed(), [])
    assert "(in the namespace mine): deletecollection secrets" in said
    assert "create namespaces" not in said and "k8s/rights-namespace.yaml" in said


def test_the_file_grants_what_is_needed_and_no_more():
    import yaml

    file = Path(__file__).resolve().parents[3] / "k8s" / "rights-namespace.yaml"
    documents = {one["kind"]: one for one in yaml.safe_load_all(file.read_text())}
    for kind, wanted in (("Role", rights.IN_A_NAMESPACE), ("ClusterRole", rights.OF_THE_CLUSTER)):
        granted = {
            (verb, group, resource, name)
            for rule in documents[kind]["rules"]
            for verb in rule["verbs"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", [""])
        }
        assert granted == {
            (r.verb, r.group, f"{r.resource}/{r.subresource}".rstrip("/"), r.name) for r in wanted
        }
    level = documents["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert level == "restricted"


def test_a_testbed_without_it_is_dumped_as_before():
    assert "namespace" not in bed(namespace=None).model_dump(mode="json")["kubernetes"]
    assert bed().model_dump(mode="json")["kubernetes"]["namespace"] == "mine"
