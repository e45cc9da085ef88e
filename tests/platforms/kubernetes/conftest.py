"""Agents that are gone when it ends."""

from __future__ import annotations

import pytest
from tests.config.conftest import project  # noqa: F401 # the section, as a plan reads it
from tests.platforms.kubernetes.pods import AgentProcess


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
