"""A real cluster: KUBECONFIG names it, TRIALWATT_IMAGE a worker image that its nodes can have.

TRIALWATT_ADMIN_CONTEXT names the context of an administrator, where the current one has but the
rights of k8s/rights.yaml. Where pods take long, TRIALWATT_PATIENCE (a factor, 1 without it)
stretches all waits. Commands in TRIALWATT_RESTART_APISERVER, TRIALWATT_STOP_NODE and
TRIALWATT_START_NODE let the suite see an API server that restarts and a node that is lost; where
{node} stands in the latter two, it is the name of the node, and of two nodes one is lost.
"""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
from pathlib import Path

import pytest

from trialwatt.config.models import Testbed
from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes import manifests

PATIENCE = float(os.environ.get("TRIALWATT_PATIENCE", "1"))


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    missing = [name for name in ("KUBECONFIG", "TRIALWATT_IMAGE") if not os.environ.get(name)]
    for item in items:
        if here in item.path.parents:
            item.add_marker("cluster")
            if missing:
                why = f"needs a cluster: set {' and '.join(missing)}"
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture
def testbed():
    """A testbed on the cluster; keywords replace keys of its section kubernetes."""

    def make(**keys) -> Testbed:
        section = {
            "image": os.environ["TRIALWATT_IMAGE"],
            "namespace_prefix": "trialwatt-test",
            "hub": {"cpu": 0.1, "memory_mb": 128},
            "ephemeral_mb": 128,
            "schedule_s": 30 * PATIENCE,
            "start_s": 60 * PATIENCE,
            "undeploy_s": 60 * PATIENCE,
        }
        return Testbed.model_validate(
            {"platform": "kubernetes", "kubernetes": section | keys, "meters": ["model"]}
        )

    return make


@pytest.fixture
def api():
    """For what the tests do and see beside the platform: as an administrator."""
    from trialwatt.platforms.kubernetes.access import connect

    made = connect(os.environ.get("TRIALWATT_ADMIN_CONTEXT"))
    yield made
    made.close()


@pytest.fixture
def left(api):
    """Names of all namespaces of runs."""

    def names() -> set[str]:
        selector = f"{manifests.MANAGED}=trialwatt,{manifests.RUN_ID}"
        found = api.get("/api/v1/namespaces", labelSelector=selector)
        return {item["metadata"]["name"] for item in found["items"]}

    return names


@pytest.fixture
def opened(testbed, tmp_path):
    """Open a platform; it is removed in any case."""
    from trialwatt.platforms.kubernetes.platform import KubernetesPlatform

    made = []

    def make(**keys) -> KubernetesPlatform:
        run_id = f"test-{secrets.token_hex(4)}"
        folder = tmp_path / run_id
        folder.mkdir()
        (folder / "job.json").write_text("{}")
        made.append(KubernetesPlatform.open(run_id, testbed(**keys), folder))
        return made[-1]

    yield make
    for each in made:
        each.remove()


@pytest.fixture
def off():
    """Take a node's kubelet away; it is brought back in any case."""
    taken = []

    def command(variable: str, node: str) -> None:
        words = shlex.split(os.environ[variable].replace("{node}", shlex.quote(node)))
        subprocess.run(words, check=True)

    def take(node: str) -> None:
        taken.append(node)
        command("TRIALWATT_STOP_NODE", node)

    yield take
    for node in taken:
        command("TRIALWATT_START_NODE", node)


def python(source: str, **keys) -> Role:
    """A worker that runs `source`, with json, os, sys and time at hand."""
    source = "import json, os, sys, time\n" + source
    defaults = {"name": "worker", "kind": "worker", "cpu": 0.2, "memory_mb": 96}
    return Role(**defaults | keys, command=("@python@", "-c", source))


ECHO = """
say = lambda **keys: print(json.dumps(keys), flush=True)
say(done="deploy")
for line in sys.stdin:
    message = json.loads(line)
    if message["do"] == "end":
        break
    say(done=message["do"])
"""


def start(platform, role: Role):
    handle = platform.start(role)
    handle.give("job.json")
    return handle


def body(platform, timeout_s: float = 60) -> dict:
    message = platform.inbox.get(timeout=timeout_s * PATIENCE)
    assert message.ending is None, message
    return message.body


def ending(platform, timeout_s: float = 60):
    while (message := platform.inbox.get(timeout=timeout_s * PATIENCE)).ending is None:
        pass
    return message.ending
