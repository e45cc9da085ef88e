"""Several coordinators on one cluster, with one prefix: what is shared has owners."""

from __future__ import annotations

import json
import os
import re
import threading
import time

import pytest
from tests.platforms.kubernetes import fakecluster
from tests.platforms.kubernetes.asked import without_right
from tests.platforms.kubernetes.coordinators import Coordinator

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.installed import image_facts
from trialwatt.platforms.kubernetes import (
    data_pod,
    image,
    owners,
    preflight,
    rights,
    shared,
)
from trialwatt.platforms.kubernetes.claims import DOMAIN, REMOVAL, Claim, Ledger, claims_of
from trialwatt.platforms.kubernetes.options import Kubernetes
from trialwatt.platforms.kubernetes.platform import KubernetesPlatform
from trialwatt.platforms.processes import WORKFLOW_PID

OWN = "/api/v1/namespaces/trialwatt-shared"
GIVEN = "/api/v1/namespaces/mine"
CLAIMS = {OWN: OWN, GIVEN: f"{GIVEN}/configmaps/trialwatt-shared"}
"""The shared namespace → the object with the claims."""
MODES = pytest.mark.parametrize("space", [OWN, GIVEN])

SHARE = """
tell(kind.share(bed, data))
wait()
"""
UNSHARE = "tell(kind.unshare(bed))"
PROBE = """
api = access.connect()
tell(image.ask_image(api, bed)["digest"])
"""


@pytest.fixture
def begin(data):
    """Start a coordinator; it is gone in any case."""
    made = []

    def one(source: str, bed: Testbed) -> Coordinator:
        made.append(Coordinator(source, bed, data))
        return made[-1]

    yield one
    for each in made:
        each.close()


def bed(space: str = OWN, **keys) -> Testbed:
    cluster = {"image": "x:1", "schedule_s": 60, "start_s": 60, "undeploy_s": 60} | keys
    if space == GIVEN:
        cluster["namespace"] = "mine"
    return Testbed(platform="kubernetes", meters=["model"], kubernetes=cluster)


def deleted(cluster, part: str) -> list[str]:
    return [path for method, path in cluster.asked if method == "DELETE" and part in path]


def elsewhere(silent_s: float, what: str) -> Claim:
    """That of a coordinator of another machine."""
    who = owners.own_facts() | {"host": "elsewhere"}
    now_s = time.time()
    return Claim(owners.owner_label(who), what, who, now_s - 3600, now_s - silent_s)


def claim(cluster, space: str, each: Claim) -> None:
    made = cluster.objects[CLAIMS[space]]
    made["metadata"].setdefault("annotations", {})[each.key] = each.text


def users(cluster, space: str) -> set[str]:
    return {each.what for each in claims_of(cluster.objects[CLAIMS[space]])}


# --- real processes, started together -------------------------------------------------------------


@MODES
def test_two_that_probe_at_once_have_a_pod_each(cluster, begin, space):
    cluster.logs["probe"] = json.dumps(image_facts() | {"suts_lacking": {}})
    probes = []

    def on_pod(made: dict) -> None:  # none ends before both are there
        made["status"] |= {"phase": "Pending"}
        made["spec"]["nodeName"] = "a"
        probes.append(made)
        if len(probes) == 2:
            for each in probes:
                fakecluster.ended(each)

    cluster.on_pod = on_pod
    both = [begin(PROBE, bed(space)) for _ in range(2)]
    for each in both:
        assert each.heard().strip('"').startswith("sha256:")
        assert each.end()[0] == 0
    assert not cluster.names("/pods/")
    assert users(cluster, space) == set()


@MODES
def test_two_that_bring_up_the_data_at_once_have_one_pod(cluster, begin, space):
    starting = []

    def on_pod(made: dict) -> None:  # it is not ready before both want it
        made["status"] |= {"phase": "Pending"}
        made["spec"]["nodeName"] = "a"
        starting.append(made)

    cluster.on_pod = on_pod
    both = [begin(SHARE, bed(space)) for _ in range(2)]
    until(lambda: starting and len(claims_of(cluster.objects[CLAIMS[space]])) == 2)
    [pod] = starting
    fakecluster.running(pod)
    assert both[0].heard() == both[1].heard()
    assert not deleted(cluster, "/pods/")
    assert len(users(cluster, space)) == 1
    assert len(claims_of(cluster.objects[CLAIMS[space]])) == 2


def test_two_images_on_one_prefix_leave_each_others_data_alone(cluster, begin):
    again = f"for _ in range(3):\n    kind.share(bed, data)\n{SHARE}"
    both = [begin(again, bed(image=picture)) for picture in ("x:1", "x:2")]
    for each in both:
        each.heard()
    assert len(cluster.names("/pods/")) == 2
    assert not deleted(cluster, "/pods/")


@MODES
def test_undeploying_takes_nothing_from_one_who_lives(cluster, begin, space):
    first = begin(SHARE, bed(space))
    first.heard()
    begin(f"{SHARE}", bed(space, image="x:2")).heard()  # and ends when it is told to
    other = begin(SHARE, bed(space, image="x:3"))
    other.heard()
    other.go_on()
    assert other.end()[0] == 0
    [removed, kept] = json.loads(begin(UNSHARE, bed(space, image="x:3")).heard())
    name = space.rsplit("/", 1)[1]
    assert removed.startswith("removed the pod data-") and "nobody uses it" in removed
    assert kept.startswith(f"the namespace {name} keeps what living coordinators use: ")
    assert kept.count("last heard of") == 2
    assert space == GIVEN or space in cluster.objects
    assert cluster.names(f"{space}/secrets/trialwatt-shared")
    assert len(cluster.names("/pods/")) == 2


@MODES
def test_the_last_one_takes_everything(cluster, begin, space):
    first = begin(SHARE, bed(space))
    first.heard()
    first.go_on()
    assert first.end()[0] == 0
    [said] = json.loads(begin(UNSHARE, bed(space)).heard())
    assert said.startswith("removed the ")
    assert not cluster.names("/api/v1") and not cluster.names("networkpolicies")
    assert json.loads(begin(UNSHARE, bed(space)).heard()) == []


@MODES
def test_who_comes_while_it_is_removed_waits_and_makes_all_anew(cluster, api, begin, space, data):
    data_pod.data_source(api, bed(space), data)
    before = set(cluster.objects)
    claim(cluster, space, elsewhere(0, REMOVAL))
    cluster.asked.clear()
    second = begin(SHARE, bed(space, image="x:2"))
    until(lambda: cluster.asked.count(("PATCH", CLAIMS[space])) > 1)  # it asks again
    assert set(cluster.objects) == before
    for path in before:
        cluster.objects.pop(path)
    second.heard()
    assert len(cluster.names("/pods/")) == 1


# --- who is alive ---------------------------------------------------------------------------------


@MODES
def test_a_claim_of_another_machine_holds_for_ten_minutes(cluster, api, data, space):
    source = data_pod.data_source(api, bed(space), data)
    own = source.ledger.find()
    source.ledger.drop(data_pod.name_of(Kubernetes(image="x:1")))
    assert len(claims_of(own)) == 1
    claim(cluster, space, elsewhere(owners.SILENCE_S - 30, "data-theirs"))
    [kept] = [said for said in shared.remove(api, bed(space)) if "keeps" in said]
    assert re.search(r"on elsewhere, since 2.*Z, last heard of 5\d\d s ago", kept)
    claim(cluster, space, elsewhere(owners.SILENCE_S + 30, "data-theirs"))
    [said] = shared.remove(api, bed(space))
    assert said.startswith("removed the")


@MODES
def test_what_the_dead_have_left_goes_with_the_next_one(cluster, api, data, space):
    data_pod.data_source(api, bed(space, image="x:2"), data)
    [path] = cluster.names("/pods/")
    pod = cluster.objects[path]
    names = {"silent": "data-silent", "lives": "data-lives", "probe": "probe-12345678"}
    for name in names.values():
        metadata = pod["metadata"] | {"name": name}
        cluster.objects[f"{space}/pods/{name}"] = pod | {"metadata": metadata}
    claim(cluster, space, elsewhere(owners.SILENCE_S + 30, names["silent"]))
    data_pod.data_source(api, bed(space), data)  # a moment ago a claim of it lived
    claim(cluster, space, elsewhere(0, names["lives"]))
    own = {data_pod.name_of(Kubernetes(image=image)) for image in ("x:1", "x:2")}
    left = {each.rsplit("/", 1)[1] for each in cluster.names("/pods/")}
    assert left == own
    assert users(cluster, space) == own | {names["lives"]}


def test_the_scripts_of_a_workflow_are_one_coordinator(monkeypatch):
    monkeypatch.delenv(WORKFLOW_PID, raising=False)
    assert owners.coordinator() == owners.own_facts()
    monkeypatch.setenv(WORKFLOW_PID, str(os.getppid()))
    workflow = owners.coordinator()
    assert workflow["pid"] == os.getppid() and owners.lives(workflow)
    monkeypatch.setenv(WORKFLOW_PID, str(2**22 - 1))  # it is gone
    assert not owners.lives(owners.coordinator())


def test_removing_is_granted_only_where_nobody_has_come_since(cluster, api, data):
    ledger = data_pod.data_source(api, bed(), data).ledger
    found = ledger.find()
    other = Ledger(api, OWN, owners.own_facts() | {"host": "elsewhere"})
    other.take("data-theirs", lambda: None, 1)
    with ledger.removing(found) as granted:
        assert not granted
    with ledger.removing(ledger.find()) as granted:
        assert granted
        assert REMOVAL in users(cluster, OWN)
        with pytest.raises(TrialwattError, match=r"still being removed after 0\.1 s"):
            # the mark is this process's own, so another one is put there
            claim(cluster, OWN, elsewhere(0, REMOVAL))
            other.take("data-more", lambda: None, 0.1)
    assert {each.owner for each in claims_of(ledger.find()) if each.what == REMOVAL} == {
        elsewhere(0, REMOVAL).owner
    }


def test_all_machines_go_by_the_servers_clock(cluster, api, data):
    cluster.ahead_s = 7200
    ledger = data_pod.data_source(api, bed(), data).ledger
    ledger.beat()
    [own] = claims_of(ledger.find())
    assert own.beat_s == pytest.approx(time.time() + 7200, abs=60)
    claim(cluster, OWN, elsewhere(0, "data-theirs"))  # which for the server is two hours old
    assert [each.what for each in ledger.living(ledger.find())] == [own.what]


def test_annotations_of_others_are_no_claims():
    texts = ["", "no json", "[]", "{}", '{"who": 1, "since": 0, "alive": 0}', "null"]
    made = {"metadata": {"annotations": {f"{DOMAIN}a.{n}": t for n, t in enumerate(texts)}}}
    made["metadata"]["annotations"]["kubernetes.io/x"] = elsewhere(0, "x").text
    assert claims_of(made) == []
    assert claims_of({"metadata": {}}) == []


def test_a_claim_is_read_as_it_was_written():
    written = elsewhere(5, "data-0123456789ab")
    assert claims_of({"metadata": {"annotations": {written.key: written.text}}}) == [written]
    assert len(written.key.partition("/")[2]) <= 63  # what Kubernetes takes


def test_a_namespace_of_others_gets_no_claim(cluster, api, data):
    cluster.objects[OWN] = {"metadata": {"name": "trialwatt-shared", "labels": {}}}
    with pytest.raises(TrialwattError, match="is not ours"):
        data_pod.data_source(api, bed(), data)
    assert "annotations" not in cluster.objects[OWN]["metadata"]


# --- the data pod ---------------------------------------------------------------------------------


def test_a_full_pod_is_replaced_where_nobody_else_uses_it(cluster, api, data):
    first = data_pod.data_source(api, bed(), data)
    pod = data_pod.name_of(Kubernetes(image="x:1"))
    cluster.room = len(b"images")
    data.write_bytes(b"images of another kind")
    claim(cluster, OWN, elsewhere(0, pod))
    with pytest.raises(TrialwattError, match="507"):
        data_pod.data_source(api, bed(), data)
    claim(cluster, OWN, elsewhere(owners.SILENCE_S + 30, pod))

    def empty(made: dict) -> None:
        cluster.files.clear()
        cluster.room = None
        fakecluster.running(made)

    cluster.on_pod = empty
    second = data_pod.data_source(api, bed(), data)
    assert list(cluster.files) == [f"{pod}/{second.name}", f"{pod}/{second.name}.sha256"]
    assert first.name != second.name


@pytest.mark.parametrize("why", ["ended", "waits in vain", "held up", "never ready", "going"])
def test_a_pod_of_no_use_is_replaced_and_no_other(cluster, api, data, why):
    pod = f"{OWN}/pods/{data_pod.name_of(Kubernetes(image='x:1'))}"
    data_pod.data_source(api, bed(), data)
    first = cluster.objects[pod]
    uid = first["metadata"]["uid"]
    if why == "ended":
        first["status"]["phase"] = "Failed"
    elif why == "waits in vain":
        first["status"] = {}
        fakecluster.waiting("ErrImagePull", "unknown")(first)
    elif why == "held up":  # by a container that the cluster puts before ours
        first["status"] = {}
        fakecluster.waiting("PodInitializing", "")(first)
        crashes = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
        first["status"]["initContainerStatuses"] = [{"name": "istio-init", "state": crashes}]
    elif why == "going":
        first["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    else:
        unready = {"state": {"running": {}}, "ready": False}
        first["status"]["containerStatuses"] = fakecluster.statuses(first, unready)
        first["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    data_pod.data_source(api, bed(), data)
    assert cluster.objects[pod]["metadata"]["uid"] != uid


def test_one_that_another_has_made_meanwhile_is_not_removed(cluster, api, data):
    data_pod.data_source(api, bed(), data)
    [path] = cluster.names("/pods/")
    before = {"metadata": {"uid": "the-one-before"}}
    data_pod._replaceable(api, path, before, 5)
    assert cluster.names("/pods/") == [path]


# --- what else knows of others --------------------------------------------------------------------


def test_room_is_what_a_run_of_another_machine_leaves(cluster):
    cluster.put_nodes(fakecluster.node("a", cpu="4"))
    here = owners.own_facts()
    runs = {
        "trialwatt-theirs": (here | {"host": "elsewhere"}, 0),
        "trialwatt-silent": (here | {"host": "elsewhere"}, owners.SILENCE_S + 30),
        "trialwatt-mine": (here, 0),
        "another-mine": (here, 0),
    }
    for number, (name, (who, silent_s)) in enumerate(runs.items()):
        marks = {
            "trialwatt/owner-facts": json.dumps(who),
            "trialwatt/heartbeat": str(time.time() - silent_s),
        }
        labels = {"app.kubernetes.io/managed-by": "trialwatt", "trialwatt/run-id": name}
        metadata = {"name": name, "labels": labels, "annotations": marks}
        cluster.objects[f"/api/v1/namespaces/{name}"] = {"metadata": metadata}
        cluster.put_pods(fakecluster.pod(name, "a", f"{number + 1}00m", "1Gi"))
    preflight.forget()
    [place] = preflight.look(Kubernetes(image="x:1")).places
    preflight.forget()
    assert place.free["cpu"] == pytest.approx(4 - 0.1)


@MODES
def test_the_examination_tells_who_uses_it_and_what_the_dead_have_left(cluster, api, data, space):
    assert [each.subject for each in KubernetesPlatform.examine(bed(space))] == ["kubeconfig"]
    data_pod.data_source(api, bed(space), data)
    claim(cluster, space, elsewhere(0, "data-theirs"))
    [path] = cluster.names("/pods/")
    pod = cluster.objects[path]
    labels = pod["metadata"]["labels"] | {"trialwatt/component": "probe"}
    metadata = pod["metadata"] | {"name": "probe-12345678", "labels": labels}
    cluster.objects[f"{space}/pods/probe-12345678"] = pod | {"metadata": metadata}
    found = {each.subject: each for each in KubernetesPlatform.examine(bed(space))}
    assert "is used by 2 living coordinators" in found["shared data"].said
    assert found["left over"].state == "problem"
    assert "probe-12345678" in found["left over"].said


@MODES
def test_it_asks_for_nothing_that_the_rights_do_not_give(cluster, api, data, space):
    for picture in ("x:1", "x:2"):
        data_pod.data_source(api, bed(space, image=picture), data).ledger.beat()
    cluster.on_pod = fakecluster.ended
    cluster.logs["probe"] = "{}"
    image.ask_image(api, bed(space))
    shared.examined(api, bed(space))
    shared.remove(api, bed(space))
    assert not cluster.names(f"{space}/")
    granted = rights.IN_A_NAMESPACE if space == GIVEN else rights.NEEDED
    asked = [f"{method} {path}" for method, path in cluster.asked]
    assert len(asked) > 20
    assert without_right(asked, granted) == []


def until(test, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not test():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
