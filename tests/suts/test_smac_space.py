"""A search space reaches SMAC without loss, its conditions as those of ConfigSpace."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spaces import BOOSTERS, as_space, conditional_spaces, text
from tests.suts.scripted import job_of

from trialwatt.config.space import contains, grid
from trialwatt.suts.codes import phi_of
from trialwatt.suts.smac import Smac
from trialwatt.suts.smac_space import to_configspace

pytest.importorskip("smac")


@settings(max_examples=60, deadline=None)
@given(conditional_spaces(), st.integers(0, 2**31))
def test_every_draw_has_what_is_active_and_nothing_else(space, seed):
    domain = to_configspace(space)
    domain.seed(seed)
    for config in domain.sample_configuration(10):
        phi = phi_of(space, config)
        assert contains(space, phi), phi
        assert phi.keys() == set(config)


def test_every_point_of_a_space_with_conditions_is_drawn():
    space = as_space(BOOSTERS)
    domain = to_configspace(space)
    domain.seed(1)
    found = {text(phi_of(space, config)) for config in domain.sample_configuration(1500)}
    assert found == {text(phi) for phi in grid(space)}


@pytest.mark.parametrize("sampler", Smac.samplers)
def test_every_sampler_asks_within_the_conditions(sampler, tmp_path):
    rate = {"low": 1e-3, "high": 1.0, "log": True}  # SMAC ends where it finds nothing new
    space = BOOSTERS | {"rate": rate, "deep": rate | {"when": {"depth": [4]}}}
    job = job_of(tmp_path, "smac", space, {"sampler": sampler, "budget": 25}, epochs=1)
    assert Smac.condition_problems(job.workload) == {}
    search = Smac().open(job)
    for number in range(25):
        phi = search.ask(number)
        assert contains(job.workload.space, phi), phi
        search.tell(number, number % 7 / 7)


@pytest.mark.parametrize("sampler", ["smac", "gp"])
@pytest.mark.parametrize("failing", [{0, 1}, {2}])
def test_a_model_is_made_though_trials_failed(tmp_path, sampler, failing):
    search = {"sampler": sampler, "budget": 20}
    space = {"lr": {"low": 0.1, "high": 1.0}, "ls": {"low": 1, "high": 64}}
    framework = Smac().open(job_of(tmp_path, "smac", space, search))
    for number in range(20):
        phi = framework.ask(number)
        framework.tell(number, None if number in failing else phi["lr"])
