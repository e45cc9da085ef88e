import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.config.identity import (
    canonical_phi,
    hash_of,
    repetition_seed,
    run_hash,
    run_of,
    run_text,
    trial_seed,
)
from trialwatt.config.models import RunConfig

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
PHI = {"lr": 1e-3, "ls": 32}
seeds = st.integers(0, 2**63 - 1)


def test_the_seeds_are_the_same_on_every_machine_and_for_ever():
    assert repetition_seed(1, 1) == 2962190013266194022
    assert trial_seed(repetition_seed(1, 1), PHI) == 927993078


@given(seeds, st.integers(1, 1000))
def test_a_repetition_has_63_bits_of_its_own(seed, repetition):
    first = repetition_seed(seed, repetition)
    assert 0 <= first < 2**63
    assert first != repetition_seed(seed, repetition + 1)
    assert first != repetition_seed(seed + 1, repetition)


@given(seeds, st.floats(1e-6, 1), st.integers(1, 512))
def test_a_trial_depends_on_its_repetition_and_phi_alone(seed, lr, ls):
    phi = {"lr": lr, "ls": ls}
    first = trial_seed(seed, phi)
    assert 0 <= first < 2**32
    assert first == trial_seed(seed, {"ls": float(ls), "lr": lr})
    assert first == trial_seed(seed, {"ls": np.int64(ls), "lr": np.float64(lr)})


def test_another_phi_or_repetition_is_another_seed():
    found = {trial_seed(run, {"lr": lr}) for run in range(20) for lr in (1e-4, 1e-3, 1e-2)}
    assert len(found) == 60


@pytest.mark.parametrize("value", [True, "a", 0.5, 3])
def test_plain_values_stay_as_they_are(value):
    assert canonical_phi({"x": value}) == {"x": value}
    assert type(canonical_phi({"x": value})["x"]) is type(value)


def test_the_hashes_of_the_reference_stay():
    """A changed hash would measure again what is measured."""
    manifests = [json.loads(path.read_text()) for path in sorted(REFERENCE.rglob("rep*/run.json"))]
    assert manifests
    for manifest in manifests:
        config = manifest["config"]
        assert hash_of(config) == manifest["hash"]
        assert run_hash(RunConfig.model_validate(config)) == manifest["hash"]


def test_the_hash_of_a_local_run_is_what_it_was_before_there_were_clusters():
    testbed = {
        "platform": "local",
        "cpu_per_vcpu": 0.25,
        "service": {"cpu": 1, "memory_mb": 1024},
        "meters": ["rapl", "model"],
        "sample_hz": 10,
        "storage": {"postgres_env": "A_URL"},
    }
    workload = {
        "dataset": "digits",
        "space": {"lr": {"choices": [0.1, 0.2]}, "decay": {"choices": [0.0]}},
        "fixed": {"ls": 8, "ln": 1},
    }
    run = RunConfig(sut="plain", workload=workload, testbed_name="local", testbed=testbed, seed=1)
    assert run_hash(run) == "7ea85da7a5"
    assert "kubernetes" not in run.testbed.model_dump()
    assert run.testbed.model_dump()["storage"] == {"postgres_env": "A_URL"}


def test_whether_a_busy_machine_is_allowed_is_no_part_of_a_run(run_config, tmp_path):
    """Neither its hash nor the text of its rule; it is taken from the testbed's record."""
    keys = {"quiet_wait_s": 7, "allow_busy_machine": False}
    one, other = run_config(), run_config(testbed=keys)
    assert run_hash(one) == run_hash(other)
    assert run_text(one) == run_text(other)
    record = tmp_path / "test.json"
    record.write_text(json.dumps({"testbed": other.testbed.model_dump(mode="json")}))
    assert run_of(run_text(one), record) == other
