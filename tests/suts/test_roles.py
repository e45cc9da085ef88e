"""Roles are the same wherever they run: nothing of this machine stands in them, and no secret."""

import sys
from pathlib import Path

import pytest

from trialwatt import suts
from trialwatt.suts.base import Job

BEDS = [("optuna", {"storage": {"postgres": "service"}})]


@pytest.mark.parametrize(("sut", "bed"), [*((name, {}) for name in suts.names(own=True)), *BEDS])
def test_roles_have_no_place_of_this_machine_and_no_secret_in_the_open(
    sut, bed, run_config, monkeypatch
):
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "-Dof.this.machine=1")
    config = run_config(sut, testbed=bed)
    job = Job("run-1", config, 1, 7, "/seen/job", "/seen/data", 1, 1.0, config.testbed.service)
    roles = suts.get(sut)().roles(job)
    secrets = [value for role in roles for value in role.secrets.values()]
    assert bool(secrets) == (sut not in ("plain", "optuna") or bool(bed))
    own = [sys.executable, sys.prefix, str(Path(suts.__file__).parents[2]), str(Path.cwd())]
    own += ["127.0.0", "localhost", "of.this.machine", *secrets]
    for role in roles:
        for text in (*role.command, *role.environment.values()):
            assert not any(word in text for word in own), (role.component, text)
        assert not any(value in repr(role) for value in secrets)
        assert role.command[0] == "@python@"
        if role.kind == "worker" or role.speaks:
            assert bool(role.secrets) == bool(secrets)


@pytest.mark.parametrize("sut", ["ray", "hyperopt", "smac"])
def test_two_runs_have_two_secrets(sut, run_config):
    one, other = (suts.get(sut)().planned_roles(run_config(sut))[0].secrets for _ in "ab")
    assert one.keys() == other.keys()
    assert set(one.values()).isdisjoint(other.values())
