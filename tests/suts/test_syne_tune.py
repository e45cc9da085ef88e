"""Syne Tune's schedulers ask for φs of the space, with the types that it has."""

import pytest
from tests.suts.scripted import job_of

from trialwatt.config.space import contains
from trialwatt.suts.syne_tune import SyneTune

pytest.importorskip("syne_tune")

SPACE = {
    "warm": {"choices": [True, False]},
    "always": {"choices": [True]},
    "mixed": {"choices": [1, 0.5, "a", True]},
    "rate": {"low": 1e-3, "high": 1.0, "log": True},
    "step": {"low": 0.1, "high": 0.75, "step": 0.2},
}


@pytest.mark.parametrize("sampler", SyneTune.samplers)
def test_what_a_sampler_asks_for_is_in_the_space(sampler, tmp_path):
    if missing := SyneTune.samplers[sampler].missing():
        pytest.skip(f"needs {', '.join(missing)}")
    job = job_of(tmp_path, "syne-tune", SPACE, {"sampler": sampler, "budget": 20}, epochs=1)
    search = SyneTune().open(job)
    for number in range(20):
        phi = search.ask(number)
        assert contains(job.workload.space, phi), phi
        search.tell(number, number % 5 / 5)
