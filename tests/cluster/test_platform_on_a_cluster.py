"""The platform on a real cluster: starting, speaking, counting, and every way of an early end."""

import json
import os
import secrets
import shlex
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import pytest
from tests.cluster.conftest import ECHO, PATIENCE, body, ending, python, start

from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes import data_pod, manifests, owners, shared
from trialwatt.platforms.kubernetes.access import Api, connect
from trialwatt.platforms.kubernetes.claims import Ledger
from trialwatt.platforms.kubernetes.faults import is_running, node_of
from trialwatt.platforms.kubernetes.platform import KubernetesPlatform

HOSTNAME = "kubernetes.io/hostname"


def test_components_live_reach_each_other_and_leave_nothing(opened, left):
    began = time.monotonic()
    platform = opened()
    server = python(
        "import socket\n"
        "with socket.create_server((os.environ['OWN'], 7000)) as server:\n"
        "    while True:\n"
        "        server.accept()[0].sendall(b'hello')\n",
        name="storage",
        kind="service",
        speaks=False,
        environment={"OWN": "@host@"},
    )
    client = python(
        "import socket\n"
        "print(json.dumps({'done': 'deploy'}), flush=True)\n"
        "sys.stdin.readline()\n"
        "while True:\n"
        "    try:\n"
        "        with socket.create_connection((os.environ['SERVER'], 7000), 2) as server:\n"
        "            heard = server.recv(5).decode()\n"
        "            break\n"
        "    except OSError:\n"
        "        time.sleep(0.2)\n"
        "print(json.dumps({'done': heard, 'secret': os.environ['PASSWORD'][:2],\n"
        "  'user': os.getuid(), 'token': os.path.exists('/var/run/secrets')}), flush=True)\n"
        "sys.stdin.read()\n",
        environment={"SERVER": "@host:storage@"},
        secrets={"PASSWORD": "hush"},
    )
    platform.expect([server, client])
    start(platform, server)
    handle = start(platform, client)
    assert body(platform) == {"done": "deploy"}
    deploy_s = time.monotonic() - began
    print(f"deployed within {deploy_s:.1f} s")
    handle.send({"do": "setup"})
    assert body(platform) == {"done": "hello", "secret": "hu", "user": 10001, "token": False}
    assert platform.facts["components"]["worker-0"]["cpu"] == pytest.approx(0.2)
    assert platform.facts["components"]["worker-0"]["memory_mb"] == 96
    assert "hush" not in json.dumps(platform.facts)
    handle.stop(2)
    platform.remove()
    assert platform.facts["namespace"] not in left()
    assert set(platform.clock_offsets_ns()) == {"storage", "worker-0"}


def test_use_is_counted_by_the_containers_own_group(opened):
    platform = opened()
    burn = "print(json.dumps({'done': 'deploy'}), flush=True)\nwhile True: pass\n"
    handle = start(platform, python(burn, cpu=0.2))
    body(platform)
    first, began = handle.usage().cpu_ns, time.monotonic()
    time.sleep(5)
    used = (handle.usage().cpu_ns - first) / 1e9 / (time.monotonic() - began)
    assert 0.02 < used < 0.3  # it may have less than its share, but not more
    assert 5 << 20 < handle.usage().memory_bytes <= 96 << 20
    machine = platform.machine()
    assert machine.busy_ns() >= handle.usage().cpu_ns
    assert machine.own_usage()[0] > 0


def test_a_component_over_its_memory_is_killed_and_named(opened):
    platform = opened()
    source = (
        "print(json.dumps({'done': 'deploy'}), flush=True)\n"
        "print('eating', file=sys.stderr, flush=True)\n"
        "held = []\n"
        "while True:\n"
        "    held.append(bytearray(8 << 20))\n"
    )
    start(platform, python(source))
    end = ending(platform)
    assert end.reason == "memory"
    assert end.code == 137
    assert "eating" in end.tail


def test_the_records_of_a_killed_pod_are_whole(opened, api, tmp_path):
    platform = opened()
    source = (
        "from pathlib import Path\n"
        "from trialwatt.records.writer import EventWriter\n"
        "events = EventWriter(Path(os.environ['TRIALWATT_FOLDER']), 'run', 'worker-0')\n"
        "number = 0\n"
        "while True:\n"
        "    events.write('epoch', number=number)\n"
        "    number += 1\n"
        "    if number == 20:\n"
        "        print(json.dumps({'done': 'deploy'}), flush=True)\n"
    )
    start(platform, python(source))
    body(platform)
    namespace = platform.facts["namespace"]
    began = time.monotonic()
    api.delete(f"/api/v1/namespaces/{namespace}/pods/worker-0-1", gracePeriodSeconds=0)
    end = ending(platform)
    assert end.reason == "deleted"
    assert time.monotonic() - began < 5 * PATIENCE
    [path] = tmp_path.glob("*/records/worker-0.jsonl")
    numbers = [json.loads(line)["number"] for line in path.read_text().splitlines()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 20
    start(platform, python(ECHO))  # it is replaced at once
    assert body(platform) == {"done": "deploy"}


def test_an_exit_code_comes_with_the_last_lines(opened):
    platform = opened()
    start(platform, python("print('my last line', file=sys.stderr)\nsys.exit(3)"))
    end = ending(platform)
    assert (end.code, end.reason) == (3, "error")
    assert "my last line" in end.tail


def test_a_pod_that_fits_nowhere_says_so(opened):
    platform = opened(schedule_s=3)
    start(platform, python(ECHO, cpu=900))
    end = ending(platform)
    assert end.reason == "unschedulable"
    assert "cpu" in end.tail


def test_an_image_that_does_not_exist_is_named_and_nothing_is_left(opened, left):
    before = left()
    with pytest.raises(TrialwattError, match=r"(?s)hub does not start.*image.*no-such-image"):
        opened(image="localhost/no-such-image:1", image_pull_policy="IfNotPresent")
    assert left() <= before


def test_a_quota_of_the_administrator_comes_with_its_text(opened, api):
    platform = opened()
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "of-the-admin"},
        "spec": {"hard": {"limits.cpu": "300m"}},
    }
    path = f"/api/v1/namespaces/{platform.facts['namespace']}/resourcequotas"
    api.post(path, quota)
    deadline = time.monotonic() + 20 * PATIENCE
    while not api.get(f"{path}/of-the-admin").get("status", {}).get("hard"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with pytest.raises(TrialwattError, match="exceeded quota: of-the-admin"):
        platform.start(python(ECHO, cpu=0.5))


def test_a_limit_range_of_the_administrator_comes_with_its_text(opened, api):
    platform = opened()
    limits = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "of-the-admin"},
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "300m"}}]},
    }
    api.post(f"/api/v1/namespaces/{platform.facts['namespace']}/limitranges", limits)
    with pytest.raises(TrialwattError, match="maximum cpu usage per Container is 300m") as said:
        platform.start(python(ECHO, cpu=0.5))
    assert "a LimitRange of the namespace says so" in str(said.value)


@pytest.mark.parametrize("native", [False, True])
def test_a_run_lives_and_ends_beside_a_container_that_was_put_there(
    opened, testbed, left, monkeypatch, native
):
    """Put there as a policy would, between the platform and the server."""
    size = {"cpu": "10m", "memory": "32Mi"}
    beside = {
        "name": "a-proxy",
        "image": testbed().model_dump()["kubernetes"]["image"],
        "command": ["python", "-c", "import time; time.sleep(3600)"],
        "resources": {"requests": size, "limits": size},
        "securityContext": manifests.CONTAINER_SECURITY,
    }
    key = "initContainers" if native else "containers"
    post = Api.post

    def inject(self, path, body):
        if path.endswith("/pods"):
            one = beside | ({"restartPolicy": "Always"} if native else {})
            spec = body["spec"] | {key: [one, *body["spec"].get(key, [])]}
            body = body | {"spec": spec}
        return post(self, path, body)

    monkeypatch.setattr(Api, "post", inject)
    platform = opened()
    platform.expect([python(ECHO)])
    handle = start(platform, python(ECHO))
    assert body(platform) == {"done": "deploy"}
    assert platform.facts["added"]["containers"] == 1
    handle.send({"do": "end"})
    assert ending(platform).code == 0
    platform.remove()
    assert platform.facts["namespace"] not in left()


def test_a_run_never_takes_more_than_it_has_said(opened, api):
    platform = opened()
    platform.expect([python(ECHO)])
    path = f"/api/v1/namespaces/{platform.facts['namespace']}/resourcequotas/trialwatt"
    hard = api.get(path)["spec"]["hard"]
    assert hard["pods"] == "2"
    assert hard["limits.cpu"] == "300m"
    assert hard["limits.memory"] == "224Mi"


def test_a_pod_that_a_drained_node_evicts_says_so(opened, api):
    platform = opened()
    start(platform, python(ECHO))
    body(platform)
    namespace = platform.facts["namespace"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "worker-0-1", "namespace": namespace},
    }
    began = time.monotonic()
    api.post(f"/api/v1/namespaces/{namespace}/pods/worker-0-1/eviction", eviction)
    assert ending(platform).reason == "evicted"
    assert time.monotonic() - began < (5 + manifests.GRACE_S) * PATIENCE


def test_a_pod_that_fills_its_disk_is_evicted_with_the_nodes_sentence(opened):
    platform = opened()
    source = (
        "print(json.dumps({'done': 'deploy'}), flush=True)\n"
        "print('filling', file=sys.stderr, flush=True)\n"
        "with open('/tmp/filler', 'wb') as file:\n"
        "    for _ in range(200):\n"
        "        file.write(bytes(1 << 20))\n"
        "    file.flush()\n"
        "    time.sleep(600)\n"
    )
    start(platform, python(source))
    body(platform)
    end = ending(platform, 120)  # a kubelet looks every ten seconds, and slower when busy
    assert end.reason == "evicted"
    assert "filling" in end.tail
    assert "exceeds" in end.tail.lower()


NODE_S = 120
"""The control plane gives a silent node 40 to 50 s."""
loses_a_node = pytest.mark.skipif(
    not os.environ.get("TRIALWATT_STOP_NODE") or not os.environ.get("TRIALWATT_START_NODE"),
    reason="needs TRIALWATT_STOP_NODE and TRIALWATT_START_NODE: commands that take the node's "
    "kubelet off and bring it back",
)
loses_one_of_two = pytest.mark.skipif(
    "{node}" not in os.environ.get("TRIALWATT_STOP_NODE", ""),
    reason="needs two nodes, and {node} in TRIALWATT_STOP_NODE and TRIALWATT_START_NODE",
)


def reported(handle) -> bool:
    """Its node has said that it runs: before that the cluster cannot lose sight of it."""
    return handle.wait_for(lambda: is_running(handle.pod), 30 * PATIENCE)


@loses_a_node
def test_a_node_that_is_lost_ends_what_runs_there(opened, off):
    platform = opened()
    handle = start(platform, python(ECHO))
    body(platform)
    assert reported(handle)
    off(node_of(handle.pod))
    end = ending(platform, NODE_S)
    assert end.reason == "node"  # its own, or the hub's, which on one node is the same
    assert "lost sight of the node" in end.tail


@pytest.fixture
def apart(opened, api):
    """Open a platform with its hub on one node, and start a worker there and one on another."""

    def on(platform, **selector) -> None:
        kubernetes = platform._place.kubernetes.model_copy(update={"node_selector": selector})
        platform._place = replace(platform._place, kubernetes=kubernetes)

    def make():
        nodes = [each["metadata"]["labels"] for each in api.get("/api/v1/nodes")["items"]]
        here, there = ({HOSTNAME: labels[HOSTNAME]} for labels in nodes[:2])
        platform = opened(node_selector=here)
        beside = start(platform, python(ECHO, index=1))
        on(platform, **there)
        alone = start(platform, python(ECHO))
        assert [body(platform), body(platform)] == [{"done": "deploy"}] * 2
        assert node_of(beside.pod) != node_of(alone.pod)
        assert reported(beside) and reported(alone)
        on(platform)  # and from now on anywhere
        return platform, beside, alone

    return make


@loses_a_node
@loses_one_of_two
def test_a_worker_that_is_lost_with_its_node_ends_alone_and_comes_again_elsewhere(apart, off, left):
    platform, beside, alone = apart()
    off(node_of(alone.pod))
    message = platform.inbox.get(timeout=NODE_S * PATIENCE)
    assert message.component == "worker-0"
    assert message.ending.reason == "node"
    assert f"lost sight of the node {node_of(alone.pod)}" in message.ending.tail
    again = start(platform, python(ECHO))
    assert body(platform) == {"done": "deploy"}
    assert node_of(again.pod) == node_of(beside.pod)
    for handle, step in ((beside, "setup"), (again, "trials")):
        handle.send({"do": step})
        assert body(platform) == {"done": step}
    platform.remove()  # with the node away
    assert platform.facts["namespace"] not in left()


@loses_a_node
@loses_one_of_two
def test_a_hub_that_is_lost_with_its_node_ends_all(apart, off, left):
    platform, beside, _ = apart()
    off(node_of(beside.pod))
    messages = [platform.inbox.get(timeout=NODE_S * PATIENCE) for _ in range(2)]
    ends = {message.component: message.ending for message in messages}
    assert (ends["worker-1"].reason, ends["worker-0"].reason) == ("node", "unreachable")
    assert "the run's hub is gone" in ends["worker-0"].tail
    assert f"lost sight of the node {node_of(beside.pod)}" in ends["worker-0"].tail
    platform.remove()  # with the node away
    assert platform.facts["namespace"] not in left()


@pytest.mark.skipif(
    not os.environ.get("TRIALWATT_RESTART_APISERVER"),
    reason="needs TRIALWATT_RESTART_APISERVER: a command that restarts the API server",
)
def test_a_run_survives_the_restart_of_the_api_server(opened):
    platform = opened()
    handle = start(platform, python(ECHO))
    body(platform)
    subprocess.run(shlex.split(os.environ["TRIALWATT_RESTART_APISERVER"]), check=True)
    handle.send({"do": "setup"})
    assert body(platform, 120) == {"done": "setup"}
    start(platform, python("sys.exit(4)", index=1))
    assert ending(platform, 120).code == 4


COORDINATOR = """
import sys, time
from pathlib import Path
from trialwatt.config.models import Testbed
from trialwatt.platforms.kubernetes.platform import KubernetesPlatform
testbed = Testbed.model_validate_json(sys.argv[1])
platform = KubernetesPlatform.open(sys.argv[2], testbed, Path(sys.argv[3]))
print("open", flush=True)
time.sleep(600)
"""


def test_what_a_killed_coordinator_leaves_is_reaped(testbed, left, tmp_path):
    bed, run_id = testbed(), f"test-killed-{os.getpid()}"
    arguments = [bed.model_dump_json(), run_id, str(tmp_path / "run")]
    coordinator = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, *arguments], stdout=subprocess.PIPE
    )
    try:
        assert coordinator.stdout.readline() == b"open\n"
        assert run_id not in KubernetesPlatform.reap(bed)  # it lives
    finally:
        coordinator.kill()
        coordinator.communicate()
    namespace = f"trialwatt-test-{run_id}"
    assert namespace in left()
    assert run_id in KubernetesPlatform.reap(bed)
    assert namespace not in left()


def test_the_clocks_are_close_on_one_machine_and_known_everywhere(opened):
    platform = opened()
    start(platform, python(ECHO))
    body(platform)
    facts = platform.clock_facts()
    assert 0 < facts["uncertainty_ns"]["worker-0"] < 1_000_000_000
    assert isinstance(platform.clock_offsets_ns()["worker-0"], int)


def test_a_role_may_use_shared_memory_and_scratch_and_nothing_else(opened):
    source = (
        "found = {}\n"
        "for path in ('/dev/shm/x', '/tmp/x', '/run/trialwatt/x', '/x', '/etc/x'):\n"
        "    try:\n"
        "        open(path, 'w').close()\n"
        "        found[path] = True\n"
        "    except OSError:\n"
        "        found[path] = False\n"
        "print(json.dumps({'done': found}), flush=True)\n"
    )
    platform = opened()
    start(platform, python(source))
    assert body(platform) == {
        "done": {
            "/dev/shm/x": True,
            "/tmp/x": True,
            "/run/trialwatt/x": True,
            "/x": False,
            "/etc/x": False,
        }
    }


def test_what_is_shared_stays_while_another_coordinator_lives(testbed, tmp_path):
    data = tmp_path / "digits"
    data.write_bytes(b"images")
    bed = testbed(namespace_prefix=f"trialwatt-test-{secrets.token_hex(4)}")
    with closing(connect()) as api:
        source = data_pod.data_source(api, bed, data)
        before = source.ledger.find()
        who = owners.own_facts() | {"host": "elsewhere"}
        other = Ledger(api, source.ledger.path, who)
        other.take("data-theirs", lambda: None, 10 * PATIENCE)
        with source.ledger.removing(before) as granted:
            assert not granted
        assert any("keeps what living" in said for said in shared.remove(api, bed))
        assert data_pod.data_source(api, bed, data).token == source.token
        other.drop("data-theirs")
        [said] = shared.remove(api, bed)
        assert said == f"removed the namespace {source.namespace} with the shared data"
        assert api.find(f"/api/v1/namespaces/{source.namespace}") is None
