"""What tests of runs need: the prepared digits, small configurations, and a whole job of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trialwatt import credentials
from trialwatt.config.functions import source_of
from trialwatt.config.models import RunConfig, Testbed, Workload

__all__ = [
    "digits",
    "run_config",
    "run_job",
    "secrets_forgotten",
    "subnormal_floats_again",
    "testbed_facts",
    "workload",
]
"""Fixtures, for a conftest.py to take all of."""

BUSY = {"quiet_wait_s": 0, "allow_busy_machine": True}
"""Of a testbed on which tests run beside others."""
SIX_POINTS = {
    "lr": {"choices": [0.001, 0.01]},
    "decay": {"choices": [1e-6]},
    "ls": {"choices": [16, 32, 64]},
    "ln": {"choices": [1]},
}
SMALL_SPACE = {
    "lr": {"choices": [0.001, 0.01]},
    "decay": {"choices": [1e-6]},
    "ls": {"choices": [16, 32]},
    "ln": {"choices": [1]},
}


@pytest.fixture(autouse=True)
def subnormal_floats_again():
    """A trial flushes subnormal floats for its whole process; other tests need them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture(autouse=True)
def secrets_forgotten():
    """What one test takes for a secret is a word to the others."""
    before = set(credentials._known)
    yield
    credentials._known.clear()
    credentials._known.update(before)


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """The prepared digits."""
    from trialwatt.workload.sources import prepare

    path = tmp_path_factory.mktemp("data") / "digits.safetensors"
    prepare("digits", path)
    return path


@pytest.fixture(scope="session")
def workload():
    """Make a small workload on digits; keywords replace its keys."""

    def make(**keys) -> Workload:
        base = {
            "dataset": "digits",
            "epochs": 2,
            "space": SMALL_SPACE,
            "workers": {"count": 2, "cpu": 2, "memory_mb": 1024},
            "deadline_s": 600,
        }
        return Workload.model_validate(base | keys)

    return make


@pytest.fixture(scope="session")
def run_config(workload):
    """Make the resolved configuration of a small run."""

    def make(sut: str = "plain", testbed: dict | None = None, **keys) -> RunConfig:
        bed = {"cpu_per_vcpu": 0.5, "meters": ["model"], "idle_s": 0} | BUSY | (testbed or {})
        return RunConfig(
            sut=sut,
            workload=workload(**keys),
            testbed_name="test",
            testbed=Testbed.model_validate(bed),
            seed=1,
        )

    return make


@pytest.fixture(scope="session")
def testbed_facts(tmp_path_factory) -> Path:
    """A description of this machine as the testbed rule writes it, with the power model only."""
    from trialwatt.meters.choose import open_available
    from trialwatt.meters.coefficients import PowerParameters
    from trialwatt.records.testbed_facts import describe, measure_idle, write_testbed

    power = PowerParameters(
        min_w=0.68, max_w=4.11, memory_w_per_gb=0.392, included_gb_per_vcpu=4, source="a test"
    )
    path = tmp_path_factory.mktemp("testbed") / "test.json"
    bed = Testbed(meters=["model"], idle_s=0)
    with open_available(bed, power) as chosen:
        idle = measure_idle(chosen.meters, 0, bed.sample_hz)
        write_testbed(path, describe("test", bed, power, chosen.facts(), idle))
    return path


@pytest.fixture(scope="session")
def run_job(digits, testbed_facts, run_config):
    """Run one repetition of a small job in a results folder; returns the repetition's folder."""

    def run(results: Path, sut: str = "plain", repetition: int = 1, **keys) -> Path:
        from trialwatt.lifecycle.execute import execute

        config = run_config(sut, **keys)
        function = config.workload.trial
        data = digits if function is None else source_of(function, Path())
        return execute(config, repetition, str(data), str(testbed_facts), str(results))

    return run
