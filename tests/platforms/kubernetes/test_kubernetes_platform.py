"""The platform against an API server of the tests, whose pods are processes of this machine."""

import gc
import json
import time
from pathlib import Path

import pytest
from tests.platforms.kubernetes.cluster import FakeCluster
from tests.platforms.processes import wait_until

from trialwatt.clock import AHEAD, boot_id
from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import Role
from trialwatt.platforms.hub.journal import Entry
from trialwatt.platforms.hub.server import HUB
from trialwatt.platforms.kubernetes import faults, manifests, owners, reaping
from trialwatt.platforms.kubernetes import handle as handle_module
from trialwatt.platforms.kubernetes.facts import hashed
from trialwatt.platforms.kubernetes.hub_proxy import HubProxy
from trialwatt.platforms.kubernetes.outages import LEAST_S
from trialwatt.platforms.kubernetes.platform import KubernetesPlatform

ECHO = """
say = lambda **keys: print(json.dumps(keys), flush=True)
say(done="deploy")
for line in sys.stdin:
    message = json.loads(line)
    if message["do"] == "end":
        break
    say(done=message["do"], who=os.environ["WHO"])
"""


@pytest.fixture
def cluster(tmp_path):
    made = FakeCluster(tmp_path / "pods")
    yield made
    made.close()


@pytest.fixture
def testbed():
    return Testbed.model_validate(
        {
            "platform": "kubernetes",
            "kubernetes": {
                "image": "worker:test",
                "schedule_s": 60,
                "start_s": 60,
                "undeploy_s": 60,
            },
            "meters": ["model"],
            "sample_hz": 10,
        }
    )


@pytest.fixture
def platform(cluster, testbed, tmp_path):
    made = KubernetesPlatform.open("run-1", testbed, tmp_path / "run", cluster.api())
    (tmp_path / "run" / "job.json").write_text("{}")
    yield made
    cluster.keeps_namespaces = False
    made.remove()


def role(source: str, **keys) -> Role:
    source = "import json, os, sys, time\n" + source
    defaults = {"name": "worker", "kind": "worker", "cpu": 0.5, "memory_mb": 128}
    return Role(**defaults | keys, command=("@python@", "-c", source))


def start(platform, each: Role):
    handle = platform.start(each)
    handle.give("job.json")
    return handle


def take(platform, timeout_s: float = 120):
    return platform.inbox.get(timeout=timeout_s)


def ending(platform):
    while (message := take(platform)).ending is None:
        pass
    return message.ending


def limit(platform, monkeypatch, **seconds) -> None:
    """From now on the platform has less patience than is good on a busy machine."""
    for name, value in seconds.items():
        monkeypatch.setitem(vars(platform._place.kubernetes), name, value)


def test_a_component_lives_speaks_uses_and_ends(platform, cluster, tmp_path):
    each = role(ECHO, environment={"WHO": "$(HOME) at @host@"}, secrets={"PASSWORD": "hush"})
    platform.expect([each])
    handle = start(platform, each)
    assert take(platform).body == {"done": "deploy"}
    handle.send({"do": "setup"})
    address = platform.host("worker-0")
    assert take(platform).body == {"done": "setup", "who": f"$(HOME) at {address}"}
    assert wait_until(lambda: handle.usage().cpu_ns > 0)
    assert handle.usage().memory_bytes > 1 << 20
    machine = platform.machine()
    assert machine.cores == pytest.approx(0.75)
    assert machine.busy_ns() >= handle.usage().cpu_ns
    assert machine.stolen_ns() is None
    handle.send({"do": "end"})
    assert ending(platform).code == 0
    assert not handle.alive
    before = handle.usage()
    assert handle.stop() == before
    offset_ns = platform.clock_offsets_ns()["worker-0"]
    uncertain_ns = platform.clock_facts()["uncertainty_ns"]["worker-0"]
    assert 0 < uncertain_ns < 1_000_000_000
    assert abs(offset_ns) <= uncertain_ns + 1_000_000  # one machine, and so one clock
    assert platform.facts["components"]["worker-0"]["node_hash"] == hashed("node-a")
    environment = platform.environment
    assert environment["set"]["worker-0"].items() >= {
        ("OMP_PROC_BIND", "false"),
        ("PASSWORD", None),
        ("WHO", None),
    }
    assert environment["kept"].keys() - {"LC_CTYPE"} == {"PATH", "TMPDIR"}  # Python may set that
    assert environment["left_out"] == {}
    platform.remove()
    assert not cluster.objects
    assert "hush" not in json.dumps(platform.facts)


def test_a_component_knows_how_far_the_hubs_clock_is_ahead(platform):
    source = f"print(json.dumps({{'done': int(os.environ[{AHEAD!r}])}}), flush=True)"
    start(platform, role(source))
    ahead_ns, offset_ns = take(platform).body["done"], platform.clock_offsets_ns()["worker-0"]
    uncertain_ns = platform.clock_facts()["uncertainty_ns"]["worker-0"]
    assert abs(ahead_ns - offset_ns) <= uncertain_ns + 1_000_000  # here all clocks are one


def test_records_come_before_the_message_that_follows_them(platform, tmp_path):
    source = """
from pathlib import Path
from trialwatt.records.writer import EventWriter
events = EventWriter(Path(os.environ["TRIALWATT_FOLDER"]), "run-1", "worker-0")
for number in range(50):
    events.write("epoch", number=number)
print(json.dumps({"done": "trials"}), flush=True)
time.sleep(60)
"""
    start(platform, role(source))
    assert take(platform).body == {"done": "trials"}
    lines = (tmp_path / "run" / "records" / "worker-0.jsonl").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == list(range(50))


def test_a_replaced_component_goes_on_with_its_records(platform, tmp_path, cluster):
    source = """
from pathlib import Path
from trialwatt.records.writer import EventWriter
path = Path(os.environ["TRIALWATT_FOLDER"])
before = (path / "records" / "worker-0.jsonl").read_text().count("\\n")
EventWriter(path, "run-1", "worker-0").write("note", text=str(before))
print("a last line", file=sys.stderr, flush=True)
sys.exit(3)
"""
    for life in range(2):
        start(platform, role(source))
        end = ending(platform)
        assert (end.code, end.reason) == (3, "error")
        assert "a last line" in end.tail
        assert f"worker-0-{life + 1}" in cluster.processes
    lines = (tmp_path / "run" / "records" / "worker-0.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["0", "1"]


def test_files_travel_in_both_directions(platform, tmp_path):
    source = """
from pathlib import Path
from trialwatt.records.remote import keep
print(json.dumps({"done": "deploy"}), flush=True)
for line in sys.stdin:
    folder = Path(os.environ["TRIALWATT_FOLDER"])
    text = (folder / "best.txt").read_text()
    (folder / "weights").mkdir()
    (folder / "weights" / "worker-0_answer.txt").write_text(text[::-1])
    keep(folder, "weights/worker-0_answer.txt")
    print(json.dumps({"done": "test"}), flush=True)
"""
    handle = start(platform, role(source))
    take(platform)
    (tmp_path / "run" / "best.txt").write_text("abc")
    handle.give("best.txt")
    handle.send({"do": "test"})
    take(platform)
    handle.stop(1)
    handle.fetch("weights/worker-0_answer.txt")
    assert (tmp_path / "run" / "weights" / "worker-0_answer.txt").read_text() == "cba"
    with pytest.raises(TrialwattError, match="left no file"):
        handle.fetch("weights/another.txt")


@pytest.fixture
def nothing_collected():
    """What is left of other tests is not finalised where the stack ends."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("stream", "words"),
    [("message", "{"), ("agent", "[" * 5000), ("usage", "[[1]]"), ("agent", '{"clock": {}}')],
)
def test_a_component_that_says_what_nobody_can_read_ends_alone(
    platform, nothing_collected, stream, words
):
    source = f"""
from trialwatt.platforms.hub.client import HubClient
print(json.dumps({{"done": "deploy"}}), flush=True)
HubClient.here().append("worker-0", {stream!r}, {words.encode()!r})
time.sleep(600)
"""
    start(platform, role(source))
    other = role(ECHO, environment={"WHO": "me"}, index=1)
    start(platform, other)
    end = ending(platform)
    assert end.reason == "error"
    assert f"what it says ({stream}) cannot be read" in end.tail
    assert platform._current["worker-1"].alive


@pytest.fixture
def of_an_hour(cluster, testbed, tmp_path, monkeypatch):
    """A platform whose login is a token in a file, and the file."""
    token = tmp_path / "token"
    token.write_text("old")
    cluster.token = "old"
    server = {"server": f"http://127.0.0.1:{cluster.port}"}
    config = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": {"tokenFile": str(token)}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr(HubProxy.__init__, "__defaults__", (2.0, HUB))  # not a minute and a half
    made = KubernetesPlatform.open("run-1", testbed, tmp_path / "run")
    (tmp_path / "run" / "job.json").write_text("{}")
    yield made, token
    cluster.token = None
    made.remove()


def test_a_run_outlives_the_token_that_it_was_begun_with(of_an_hour, cluster):
    platform, token = of_an_hour
    handle = start(platform, role(ECHO, environment={"WHO": "me"}))
    take(platform)
    token.write_text("new")
    cluster.token = "new"
    cluster.cut_watches()
    handle.send({"do": "setup"})
    assert take(platform).body["done"] == "setup"
    start(platform, role(ECHO, environment={"WHO": "me"}, index=1))
    assert take(platform).body["done"] == "deploy"
    platform.remove()
    assert not cluster.objects


def test_a_token_that_nobody_replaces_is_why_the_run_ends(of_an_hour, cluster, tmp_path):
    platform, token = of_an_hour
    start(platform, role(ECHO, environment={"WHO": "me"}))
    take(platform)
    cluster.token = "new"
    end = ending(platform)
    assert end.reason == "unreachable"
    assert "401 Unauthorized" in end.tail
    assert f"the token in {token} may have run out" in end.tail
    assert "has to write a new one" in end.tail


def test_a_component_commands_no_other_and_writes_as_no_other(platform):
    source = """
from trialwatt.platforms.hub.client import HubClient
hub, refused = HubClient.here(), 0
for method, path in (
    ("POST", "/log/worker-1/records"), ("GET", "/records/worker-1"), ("GET", "/journal"),
    ("POST", "/inbox"), ("POST", "/retire/worker-1-1"), ("PUT", "/files/job.json"),
):
    try:
        hub.request(method, path, b"" if method in ("POST", "PUT") else None)
    except PermissionError:
        refused += 1
print(json.dumps({"done": refused}), flush=True)
"""
    start(platform, role(source))
    assert take(platform).body == {"done": 6}


def test_stop_ends_a_component_that_does_not_listen(platform, cluster):
    source = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps({"done": "deploy"}), flush=True)
while True:
    time.sleep(1)
"""
    handle = start(platform, role(source))
    take(platform)
    begin = time.monotonic()
    handle.stop(0.5)
    assert time.monotonic() - begin < 10
    assert not handle.alive
    assert ending(platform).reason == "stopped"
    assert not [path for path in cluster.objects if path.endswith("pods/worker-0-1")]


def test_a_pod_killed_without_a_word_is_noticed_and_named(platform, cluster, monkeypatch):
    noticed, tell = [], platform._ended

    def noted(handle, ending):
        noticed.append(time.monotonic())
        tell(handle, ending)

    monkeypatch.setattr(platform, "_ended", noted)
    start(platform, role(ECHO, environment={"WHO": ""}))
    take(platform)
    cluster.kill("worker-0-1")
    end = ending(platform)
    assert wait_until(lambda: "worker-0-1" in cluster.ended_mono)
    assert noticed[0] - cluster.ended_mono["worker-0-1"] < 5
    assert (end.code, end.reason) == (137, "signal")
    assert "a line of the cluster's log" in end.tail


def test_a_deleted_pod_says_so(platform, cluster):
    start(platform, role(ECHO, environment={"WHO": ""}))
    take(platform)
    cluster.api().delete(f"{cluster.pods('trialwatt-run-1')}/worker-0-1")
    assert ending(platform).reason == "deleted"


def test_a_signal_of_its_own_is_no_deletion(platform):
    start(platform, role("os.kill(os.getpid(), 9)"))
    end = ending(platform)
    assert (end.code, end.reason) == (137, "signal")


def test_an_unschedulable_pod_says_what_is_missing(platform, cluster, monkeypatch):
    cluster.schedules = False
    handle = start(platform, role(ECHO))
    assert wait_until(lambda: faults.unschedulable(handle.pod))
    limit(platform, monkeypatch, schedule_s=1)
    end = ending(platform)
    assert end.reason == "unschedulable"
    assert "Insufficient cpu" in end.tail


def test_what_the_cluster_warns_of_a_pod_that_waits_is_said_as_it_comes(platform, cluster, capfd):
    cluster.schedules = False
    start(platform, role(ECHO))
    about = {"kind": "Pod", "name": "worker-0-1"}
    said = {"type": "Warning", "reason": "FailedScheduling", "message": "no room"}
    for number in (1, 2):
        path = f"/api/v1/namespaces/trialwatt-run-1/events/e{number}"
        cluster.store(path, said | {"involvedObject": about}, "ADDED")
    assert wait_until(lambda: platform._events.get("worker-0-1"))
    assert wait_until(lambda: "FailedScheduling" in capfd.readouterr().err)


def test_who_waits_for_its_address_hears_why_there_is_none(platform, cluster, monkeypatch):
    cluster.schedules = False
    each = start(platform, role(ECHO))
    assert wait_until(lambda: faults.unschedulable(each.pod))
    limit(platform, monkeypatch, schedule_s=1)
    with pytest.raises(TrialwattError) as said:
        platform.host(each.role.component)
    assert "worker-0 cannot be reached: unschedulable" in str(said.value)
    assert "Insufficient cpu" in str(said.value)


def test_an_image_that_cannot_be_pulled(platform, cluster):
    cluster.pull_error = "ErrImagePull"
    start(platform, role(ECHO))
    end = ending(platform)
    assert end.reason == "image"
    assert "manifest unknown" in end.tail


def test_a_refusal_by_a_quota_comes_at_once_with_its_text(platform, cluster):
    text = 'pods "worker-0-1" is forbidden: exceeded quota: of-the-admin, requested: cpu=2'
    cluster.fail("POST .*/pods$", 403, {"reason": "Forbidden", "message": text})
    with pytest.raises(TrialwattError, match="exceeded quota: of-the-admin"):
        platform.start(role(ECHO))
    posts = [path for method, path in map(str.split, cluster.asked) if method == "POST"]
    assert len([path for path in posts if path.endswith("/pods")]) == 2  # the hub's, and one try


def test_our_own_quota_may_take_a_moment(platform, cluster):
    text = 'pods "worker-0-1" is forbidden: exceeded quota: trialwatt, requested: cpu=2'
    cluster.fail("POST .*/pods$", 403, {"reason": "Forbidden", "message": text}, times=3)
    start(platform, role(ECHO))
    assert take(platform).body == {"done": "deploy"}


def test_a_server_that_refuses_for_a_moment_what_it_allowed_is_asked_again(platform, cluster):
    """As one does that has just been restarted and does not know its roles yet."""
    handle = start(platform, role(ECHO, environment={"WHO": "me"}))
    assert take(platform).body == {"done": "deploy"}
    text = 'User "me" cannot get resource "pods/proxy" in API group ""'
    for method in ("GET", "POST"):
        cluster.fail(f"{method} .*/proxy/", 403, {"reason": "Forbidden", "message": text}, times=2)
    # The journal may be waiting for lines in a request of before: the answer to the first comes
    # there, the second's in one that was refused.
    for step in ("setup", "search"):
        handle.send({"do": step})
        assert take(platform).body["done"] == step
    assert not cluster.faults


@pytest.mark.parametrize("what", ["POST .*/pods$", "PATCH .*/resourcequotas/"])
def test_a_worker_is_asked_for_again_where_the_server_does_not_know_its_roles_yet(
    platform, cluster, what
):
    """Also by a request that was not made before: what counts is that others were allowed there."""
    start(platform, role(ECHO))
    assert take(platform).body == {"done": "deploy"}
    text = 'this is forbidden: User "me" cannot do resource "these" in API group ""'
    cluster.fail(what, 403, {"reason": "Forbidden", "message": text}, times=2)
    start(platform, role(ECHO, index=1))
    assert take(platform).body == {"done": "deploy"}
    assert not cluster.faults


def test_a_create_whose_answer_was_lost_is_not_done_twice(platform, cluster):
    cluster.fail("POST .*/pods$", 0)
    start(platform, role(ECHO))
    assert take(platform).body == {"done": "deploy"}
    pods = [path for path in cluster.objects if "/pods/worker" in path]
    assert len(pods) == 1


@pytest.mark.parametrize("trouble", ["restart", "cut", "forget"])
def test_the_run_survives_trouble_with_the_api_server(platform, cluster, trouble):
    handle = start(platform, role(ECHO, environment={"WHO": "me"}))
    take(platform)
    if trouble == "restart":
        cluster.restart()
    elif trouble == "forget":
        cluster.forget()
        cluster.cut_watches()
    else:
        cluster.cut_watches()
    cluster.fail("GET .*proxy/journal", 500, times=2)
    handle.send({"do": "setup"})
    assert take(platform).body["done"] == "setup"
    cluster.kill("worker-0-1")
    assert ending(platform).code == 137


def test_an_outage_is_told_of_with_its_length_when_it_is_over(platform, cluster):
    handle = start(platform, role(ECHO, environment={"WHO": "me"}))
    take(platform)
    platform.disturbances()
    cluster.restart(2 * LEAST_S)
    handle.send({"do": "setup"})
    assert take(platform).body["done"] == "setup"
    found = []
    assert wait_until(lambda: found.extend(platform.disturbances()) or found)
    assert {each.what for each in found} == {"outage"}
    assert max(each.seconds for each in found) >= LEAST_S
    assert all("did not answer" in each.text for each in found)


def test_a_server_that_asks_for_patience_throttles(platform, cluster):
    start(platform, role(ECHO, environment={"WHO": "me"}))
    take(platform)
    cluster.fail("PATCH .*/resourcequotas/", 429, {"reason": "TooManyRequests"}, times=4)
    start(platform, role(ECHO, index=1, environment={"WHO": "me"}))
    take(platform)
    found = platform.disturbances()
    assert [each.what for each in found if "the API server answered" in each.text] == ["throttled"]


def test_a_node_that_is_back_with_another_boot_was_rebooted(platform, cluster):
    handle = start(platform, role(ECHO))
    take(platform)
    assert handle.boot == boot_id()
    info = {"nodeInfo": {"bootID": "another"}}
    cluster.store("/api/v1/nodes/node-a", {"metadata": {}, "status": info}, "ADDED")
    ended = {"terminated": {"exitCode": 255, "reason": "Unknown"}}
    containers = [{"name": "main", "state": ended, "ready": False}]
    status = {"phase": "Failed", "containerStatuses": containers}
    cluster.update(f"{cluster.pods('trialwatt-run-1')}/worker-0-1", {"status": status})
    end = ending(platform)
    assert end.reason == "node"
    assert "the node node-a was rebooted" in end.tail


def test_a_hub_that_is_gone_ends_all(platform, cluster):
    handle = start(platform, role(ECHO))
    take(platform)
    cluster.kill("hub")
    end = ending(platform)
    assert end.reason == "unreachable"
    assert "hub" in end.tail
    later = platform.start(role(ECHO, index=1))  # as one that replaces another would be
    assert ending(platform) == later.ending
    assert (later.ending.reason, later.alive) == ("unreachable", False)
    assert not [path for path in cluster.objects if "/pods/worker-1" in path]
    begin = time.monotonic()
    handle.stop(1)
    platform.remove()
    assert time.monotonic() - begin < 50  # outages of a minute and more are waited out elsewhere
    assert not cluster.objects


def test_the_node_of_the_hub_is_lost_and_with_it_what_runs_there(platform, cluster):
    start(platform, role(ECHO))
    take(platform)
    gone = {"conditions": [{"type": "Ready", "status": "False"}]}
    cluster.update(f"{cluster.pods('trialwatt-run-1')}/hub", {"status": gone})
    end = ending(platform)
    assert end.reason == "node"
    assert "the cluster has lost sight of the node node-a" in end.tail


def test_a_node_that_is_lost_before_it_reported_the_start_is_no_fault_of_the_image(
    platform, cluster, monkeypatch
):
    handle = start(platform, role(ECHO))
    take(platform)
    waiting = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    never = {"phase": "Pending", "containerStatuses": [waiting]}
    cluster.update(f"{cluster.pods('trialwatt-run-1')}/worker-0-1", {"status": never})
    assert handle.wait_for(lambda: not faults.is_running(handle.pod), 60)
    handle.check(schedule_s=0, start_s=0, last_event="")
    assert handle.alive
    monkeypatch.setattr(handle_module, "SILENCE_S", 0.0)
    end = ending(platform)
    assert end.reason == "node"
    assert "no sign of life" in end.tail


def test_processes_killed_for_memory_are_counted_at_the_moment(platform, monkeypatch):
    """A framework's word of a process that died may be here before the next sample."""
    handle = start(platform, role(ECHO))
    take(platform)
    told = platform._take_fact

    def one_more(handle, fact):
        told(handle, fact | ({"oom_kills": 3} if "counted" in fact else {}))

    monkeypatch.setattr(platform, "_take_fact", one_more)
    assert handle.oom_kills() == 3
    platform.remove()
    begin = time.monotonic()
    assert handle.oom_kills() == 3  # nobody is asked any more
    assert time.monotonic() - begin < 3


def test_whatever_the_last_words_are_nothing_is_left(platform, cluster, monkeypatch):
    start(platform, role(ECHO))
    take(platform)

    def garbled():
        raise ValueError("not a journal's entry")

    monkeypatch.setattr(platform._reader, "drain", garbled)
    with pytest.raises(ValueError, match="not a journal's entry"):
        platform.remove()
    assert not cluster.objects
    platform.remove()


def test_a_batch_without_a_sample_changes_nothing(platform):
    handle = start(platform, role(ECHO))
    take(platform)
    before = handle.usage()
    for component in ("worker-0", "hub"):
        platform._take(Entry(0, component, "usage", f"{component}-1", b"[]"))
    assert handle.usage().cpu_ns >= before.cpu_ns


def test_what_the_hub_has_used_never_falls(platform):
    """Its counters were read from a control group that was just gone: once as zeros."""
    for sample in ([1, 9 * 10**15, 2 << 20, 1 << 40, 0], [2, 0, 0, 0, 0]):
        platform._take(Entry(0, "hub", "usage", "hub-1", json.dumps([sample]).encode()))
    assert platform.machine().busy_ns() >= 9 * 10**15


def test_the_series_of_a_run_are_those_of_its_namespace(platform):
    """And of our container alone: what a mesh uses in a worker's pod is not the worker's."""
    labels = {"namespace": "trialwatt-run-1", "container": "main"}
    assert platform.series_labels == labels


def test_a_run_that_cannot_be_deployed_leaves_nothing(cluster, testbed, tmp_path):
    cluster.pull_error = "ErrImageNeverPull"
    with pytest.raises(TrialwattError, match=r"(?s)hub does not start.*ErrImageNeverPull"):
        KubernetesPlatform.open("run-2", testbed, tmp_path / "other", cluster.api())
    assert not cluster.objects


def test_without_the_right_to_make_a_namespace_nothing_is_asked_for_more(
    cluster, testbed, tmp_path
):
    text = "namespaces is forbidden: User cannot create resource"
    cluster.fail("POST .*/namespaces$", 403, {"reason": "Forbidden", "message": text})
    with pytest.raises(TrialwattError, match="User cannot create"):
        KubernetesPlatform.open("run-3", testbed, tmp_path / "other", cluster.api())
    assert not [asked for asked in cluster.asked if asked.startswith("DELETE")]


def test_what_holds_a_namespace_is_named(platform, cluster, monkeypatch):
    cluster.keeps_namespaces = True
    limit(platform, monkeypatch, undeploy_s=1)
    with pytest.raises(TrialwattError, match=r"not gone after 1 s.*keep\.me"):
        platform.remove()


def test_nothing_is_asked_more_than_once_a_second_while_nothing_happens(platform, cluster):
    start(platform, role(ECHO))
    take(platform)
    for _ in range(5):  # what the start has set off may still be on its way
        before, began = len(cluster.asked), time.monotonic()
        time.sleep(2)
        asked, seconds = cluster.asked[before:], time.monotonic() - began
        if all("journal" in each for each in asked):
            break
    else:
        raise AssertionError(f"it asks and asks: {asked}")
    assert len(asked) <= seconds * 5  # samples travel four times a second at most


def test_the_coordinator_of_a_hundred_workers_is_small(cluster, testbed, tmp_path):
    """100 pods with their changes and samples, without processes; the memory is that of a child."""
    import subprocess
    import sys

    code = f"""
import re, sys
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from trialwatt.platforms.kubernetes.options import Kubernetes
from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes import manifests
from trialwatt.platforms.kubernetes.access import Api
from trialwatt.platforms.kubernetes.login import Loaded, Login
from trialwatt.platforms.kubernetes.watch import Watch
from kubernetes import client
configuration = client.Configuration()
configuration.host = "http://127.0.0.1:{cluster.port}"
api = Api(Login(lambda: Loaded(client.ApiClient(configuration))))
from trialwatt.platforms.kubernetes.facts import hashed
from trialwatt.platforms.hub.journal import Entry
from trialwatt.platforms.kubernetes.platform import KubernetesPlatform
place = manifests.Place("r", "o", "many", Kubernetes(image="i"), 5, 60)
seen = []
watch = Watch(api, "/api/v1/namespaces/many/pods", lambda pod: seen.append(1), seen.append, print)
watch.start()
import time
for number in range(100):
    role = Role("worker", "worker", ("true",), 1, 128, index=number)
    pod = manifests.component_pod(place, role, f"worker-{{number}}-1", "http://h", {{}})
    api.post("/api/v1/namespaces/many/pods", pod)
for _ in range(2):
    for number in range(100):
        path = f"/api/v1/namespaces/many/pods/worker-{{number}}-1"
        api.patch(path, {{"status": {{"phase": "Running", "filler": "x" * 2000}}}})
deadline = time.monotonic() + 120
while len(seen) < 300 and time.monotonic() < deadline:
    time.sleep(0.05)
# not ru_maxrss: that begins with what the process had from which this one was forked
peak_kb = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(len(seen), int(peak_kb) // 1024)
"""
    cluster.runs_pods = False
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, resident_mb = map(int, done.stdout.split())
    assert count >= 300
    assert resident_mb < 250


# --- who may be removed -------------------------------------------------------------------------


def namespaces(cluster) -> set[str]:
    return {path.rsplit("/", 1)[1] for path in cluster.objects}


def test_reap_takes_what_dead_coordinators_of_this_machine_have_left(cluster):
    here, api = owners.own_facts(), cluster.api()
    coordinators = {
        "living": here,
        "dead": here | {"pid": 2**22 - 1},
        "another-process-now": here | {"start": here["start"] + 1},
        "before-the-reboot": here | {"boot": "another"},
        "other-container": here | {"processes": "pid:[1]"},
        "other-host": here | {"host": "elsewhere"},
    }
    for name, who in coordinators.items():
        owner = owners.owner_label(who)
        place = manifests.Place(name, owner, f"trialwatt-{name}", None, 5, 60)
        made = manifests.namespace(place, json.dumps(who), str(int(time.time())))
        api.post("/api/v1/namespaces", made)
    api.post("/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": "of-somebody"}})
    dead = {"dead", "another-process-now", "before-the-reboot"}
    assert set(reaping.reap(api, 5)) == dead
    kept = {f"trialwatt-{name}" for name in coordinators if name not in dead} | {"of-somebody"}
    assert namespaces(cluster) == kept


@pytest.mark.parametrize(
    ("silent_s", "all_hosts", "dead"),
    [(0, True, False), (3600, True, True), (3600, False, False), (0, False, False)],
)
def test_other_machines_are_judged_by_their_silence(silent_s, all_hosts, dead):
    who = owners.own_facts() | {"host": "elsewhere"}
    annotations = {manifests.OWNER_FACTS: json.dumps(who), manifests.HEARTBEAT: "1000"}
    assert owners.is_dead(annotations, all_hosts, 1000 + silent_s) is dead


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}"])
def test_what_names_no_coordinator_is_nobodys_to_remove(text):
    assert not owners.is_dead({manifests.OWNER_FACTS: text}, True, 1e12)
