"""Runs on this machine, with their liveness records in a folder of the test's own."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from tests.platforms.hub.process import HubProcess
from tests.platforms.processes import offered

from trialwatt.config.models import Testbed
from trialwatt.platforms import liveness
from trialwatt.platforms.local import LocalPlatform

_numbers = itertools.count()


def pytest_generate_tests(metafunc):
    """Tests with `kind` run for every kind of enforcement that this machine offers."""
    if "kind" in metafunc.fixturenames:
        kinds = [kind for kind, reason in offered().items() if not reason]
        if "group_kind" in metafunc.fixturenames:
            kinds = [kind for kind in kinds if kind != "soft"]
        metafunc.parametrize("kind", kinds)


@pytest.fixture
def group_kind(kind) -> str:
    """For tests that need control groups."""
    return kind


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv(liveness.VARIABLE, str(folder))
    return folder


@pytest.fixture
def run_id() -> str:
    return f"test-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def local(kind, run_id, tmp_path):
    """An open platform, removed in any case."""
    made = LocalPlatform.open(run_id, Testbed(enforcement=kind), tmp_path / "run")
    yield made
    made.remove()


@pytest.fixture
def hub(tmp_path):
    """A hub of the test's own."""
    made = HubProcess(tmp_path)
    yield made
    made.close()
