"""Other coordinators' pods on the nodes of a run: seen, timed, on the record, and flagged."""

from __future__ import annotations

import json
import re

import pytest
from tests.contexts import PLAIN
from tests.platforms.kubernetes.asked import without_right
from tests.platforms.kubernetes.cluster import FakeCluster
from tests.platforms.kubernetes.coordinators import Coordinator

from trialwatt.clock import Stamp
from trialwatt.config.models import Testbed
from trialwatt.metrics.extract import extract_run
from trialwatt.platforms.kubernetes import neighbours, rights
from trialwatt.platforms.kubernetes.facts import hashed
from trialwatt.platforms.kubernetes.neighbours import Neighbours


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test sets."""
    at = [0.0]
    monkeypatch.setattr(neighbours, "now", lambda: Stamp(int(at[0] * 1e9), int(at[0] * 1e9)))
    return at


def pod(uid: str, node: str, run: str = "theirs", phase: str = "Running", **labels) -> dict:
    known = {"app.kubernetes.io/managed-by": "trialwatt", "trialwatt/owner": "them"}
    known |= {"trialwatt/run-id": run} if run else {}
    known |= {f"trialwatt/{name}": text for name, text in labels.items()}
    return {
        "metadata": {"uid": uid, "name": uid, "labels": known},
        "spec": {"nodeName": node},
        "status": {"phase": phase},
    }


ENDED_BESIDE_A_MESH = pod("a", "one")
ENDED_BESIDE_A_MESH["status"]["containerStatuses"] = [
    {"name": "istio-proxy", "state": {"running": {}}},
    {"name": "main", "state": {"terminated": {"exitCode": 0}}},
]


def test_a_visit_lasts_while_both_are_on_a_node(clock):
    seen = Neighbours("ours")
    seen.changed(pod("a", "one"))
    seen.changed(pod("b", "two"))
    assert not seen.facts()  # the run is nowhere yet
    clock[0] = 10
    seen.run_is_on({"one", "two", "three"})
    clock[0] = 12
    seen.deleted(pod("a", "one"))
    assert seen.taken() == []  # b is still there
    [fact] = seen.facts()
    assert fact["seconds"] is None
    clock[0] = 15
    seen.changed(pod("b", "two", phase="Succeeded"))
    [told] = seen.taken()
    assert (told.what, told.seconds, told.since.mono_ns) == ("beside", 5.0, 10 * 10**9)
    assert told.text == "run theirs of the coordinator them was on 2 nodes of this run"
    assert seen.taken() == []
    assert seen.facts() == [
        {
            "coordinator": "them",
            "run_id": "theirs",
            "since_utc_ns": 10 * 10**9,
            "seconds": 5.0,
            "node_hashes": sorted([hashed("one"), hashed("two")]),
        }
    ]


def test_it_is_over_when_the_runs_own_components_are_gone(clock):
    seen = Neighbours("ours")
    seen.run_is_on({"one"})
    seen.changed(pod("a", "one"))
    clock[0] = 3
    seen.run_is_on(set())
    assert [each.seconds for each in seen.taken()] == [3.0]
    seen.run_is_on({"one"})  # replaced
    assert len(seen.facts()) == 2


@pytest.mark.parametrize(
    "other",
    [
        pod("a", "one", "ours"),
        pod("a", "two"),
        pod("a", ""),
        pod("a", "one", phase="Failed"),
        ENDED_BESIDE_A_MESH,
        pod("a", "one", "", part="shared", component="data"),
        {"metadata": {"uid": "a"}, "spec": {"nodeName": "one"}, "status": {"phase": "Running"}},
    ],
    ids=[
        "own",
        "another node",
        "no node",
        "has ended",
        "has ended, its mesh not",
        "serves data",
        "of somebody",
    ],
)
def test_what_does_not_disturb_is_none(clock, other):
    seen = Neighbours("ours")
    seen.run_is_on({"one"})
    seen.changed(other)
    assert seen.facts() == []


def test_a_probe_of_another_one_is_a_visit(clock):
    seen = Neighbours("ours")
    seen.run_is_on({"one"})
    seen.changed(pod("a", "one", "", part="shared", component="probe"))
    assert seen.facts()[0]["run_id"] is None
    seen.deleted(pod("a", "one"))
    assert seen.taken()[0].text.startswith("a probe of an image of the coordinator them was on 1 ")


# --- real coordinators ----------------------------------------------------------------------------

SECTION = {"image": "worker:test", "schedule_s": 60, "start_s": 60, "undeploy_s": 60}
OTHER = """
from trialwatt.platforms.base import Role
say = "import json, sys; print(json.dumps({'done': 'deploy'}), flush=True); sys.stdin.read()"
platform = kind.open("theirs", bed, data)
role = Role("worker", "worker", ("@python@", "-c", say), 0.5, 128)
platform.expect([role])
(data / "job.json").write_text("{}")
platform.start(role).give("job.json")
tell(platform.inbox.get(timeout=120).body)
wait()
tell(platform.facts["beside"])
platform.remove()
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    made = FakeCluster(tmp_path / "pods")
    monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig(tmp_path / "kubeconfig")))
    yield made
    made.close()


def test_a_run_beside_another_coordinators_has_it_on_record_and_a_flag(
    cluster, run_job, tmp_path, capfd
):
    bed = {"platform": "kubernetes", "meters": ["model"], "kubernetes": SECTION}
    folder = tmp_path / "theirs"
    folder.mkdir()
    other = Coordinator(OTHER, Testbed.model_validate(bed), folder)
    try:
        assert json.loads(other.heard()) == {"done": "deploy"}
        ours = run_job(tmp_path / "results", testbed=bed)
        other.go_on()
        [theirs] = json.loads(other.heard())
        assert other.end()[0] == 0
    finally:
        other.close()
    manifest = json.loads((ours / "run.json").read_text())
    assert manifest["status"] == "completed"
    [fact] = manifest["enforcement"]["beside"]
    assert fact["run_id"] == "theirs" and fact["seconds"] > 0
    assert theirs["run_id"] == manifest["run_id"]  # each has seen the other
    assert theirs["coordinator"] != fact["coordinator"]
    said = re.findall("disturbed for .*", capfd.readouterr().err)
    assert len(said) == 1 and "run theirs of the coordinator" in said[0]
    flags = extract_run(ours, PLAIN).run["flags"]
    assert "disturbed within the job" in flags and "run theirs" in flags
    assert without_right(cluster.asked, rights.NEEDED) == []


def test_in_a_namespace_that_is_given_nobody_knows(cluster, run_job, tmp_path):
    bed = {"platform": "kubernetes", "meters": ["model"], "kubernetes": SECTION}
    bed["kubernetes"] = SECTION | {"namespace": "mine"}
    manifest = json.loads((run_job(tmp_path / "results", testbed=bed) / "run.json").read_text())
    assert manifest["enforcement"]["beside"] is None
    assert without_right(cluster.asked, [*rights.IN_A_NAMESPACE, *rights.OF_THE_CLUSTER]) == []
    assert not [each for each in cluster.asked if each.startswith("GET /api/v1/pods")]


def test_without_the_right_to_see_others_the_run_goes_on_and_nobody_knows(
    cluster, run_job, tmp_path, capfd
):
    refused = {"reason": "Forbidden", "message": "you must not list pods"}
    cluster.fail(r"GET /api/v1/pods\b", 403, refused, times=10**6)
    bed = {"platform": "kubernetes", "meters": ["model"], "kubernetes": SECTION}
    manifest = json.loads((run_job(tmp_path / "results", testbed=bed) / "run.json").read_text())
    assert manifest["status"] == "completed"
    assert manifest["enforcement"]["beside"] is None
    said = "whether other coordinators are on these nodes is not known: .*you must not list pods"
    assert len(re.findall(said, capfd.readouterr().err)) == 1
