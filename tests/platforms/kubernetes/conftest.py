"""Agents that are gone when it ends, an API server with a client of it, and data to share."""

from __future__ import annotations

import pytest
from tests.config.conftest import project  # noqa: F401 # the section, as a plan reads it
from tests.platforms.kubernetes.fakecluster import FakeCluster
from tests.platforms.kubernetes.pods import AgentProcess

from trialwatt.platforms.kubernetes import access, waiting


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """An API server that has objects and runs nothing; KUBECONFIG names it."""
    monkeypatch.setattr(waiting, "PERIOD_S", 0.01)
    with FakeCluster() as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "config")))
        yield fake


@pytest.fixture
def api(cluster):
    made = access.connect()
    yield made
    made.close()


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "digits.safetensors"
    path.write_bytes(b"images")
    return path


@pytest.fixture
def agent(hub, tmp_path):
    """Start an agent with a Python source as its command; job.json is given at once."""
    made = []

    def start(source: str, **keys) -> AgentProcess:
        job = tmp_path / "job.json"
        job.write_text("{}")
        hub.client().put("job.json", job)
        prelude = "import json, os, sys, time\n"
        each = AgentProcess(hub, tmp_path, "@python@", "-c", prelude + source, **keys)
        hub.post(each.life, {"file": "job.json"})
        made.append(each)
        return each

    yield start
    for each in made:
        each.close()
