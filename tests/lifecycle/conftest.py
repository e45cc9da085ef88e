"""Real runs of whole jobs, small enough for every test run."""

from pathlib import Path

import pytest

from trialwatt.config.models import Testbed
from trialwatt.lifecycle.execute import execute
from trialwatt.meters.choose import open_available
from trialwatt.meters.model import PowerParameters
from trialwatt.records.testbed_facts import describe, measure_idle, write_testbed

POWER = PowerParameters(
    min_w=0.68, max_w=4.11, memory_w_per_gb=0.392, included_gb_per_vcpu=4, source="a test"
)


@pytest.fixture
def testbed_facts(tmp_path) -> Path:
    """A description of this machine as the testbed rule writes it, with the power model only."""
    path = tmp_path / "test.json"
    bed = Testbed(meters=["model"], idle_s=0)
    with open_available(bed, POWER) as chosen:
        idle = measure_idle(chosen.meters, 0, bed.sample_hz)
        write_testbed(path, describe("test", bed, POWER, chosen.facts(), idle))
    return path


@pytest.fixture
def job(tmp_path, digits, testbed_facts, run_config):
    """Run one repetition in tmp_path/results; returns its folder."""

    def run(sut="plain", repetition=1, **keys) -> Path:
        config = run_config(sut, **keys)
        return execute(
            config, repetition, str(digits), str(testbed_facts), str(tmp_path / "results")
        )

    return run
