"""SMAC's trials on several fidelities: whole jobs, whose segments go on where they were paused."""

import pytest
from tests.contexts import PLAIN

from trialwatt.contract.reading import manifest, trials
from trialwatt.metrics.extract import extract_run
from trialwatt.review.plausible import trials as plausible_trials
from trialwatt.review.plausible.run import read
from trialwatt.suts.smac import Smac

SPACE = {
    "lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "decay": {"choices": [1e-6]},
    "ls": {"low": 8, "high": 32},
    "ln": {"choices": [1]},
}


@pytest.mark.skipif(bool(Smac.available()), reason=Smac.available())
@pytest.mark.contract
@pytest.mark.slow  # a whole job each
@pytest.mark.parametrize("pruner", ["hyperband", "halving"])
def test_a_promoted_trial_goes_on_from_where_it_was_paused(run_job, tmp_path, pruner):
    search = {"sampler": "smac", "pruner": pruner, "budget": 11}
    folder = run_job(tmp_path / "results", "smac", space=SPACE, search=search, epochs=9)
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    assert {(t["outcome"], t["epochs"]) for t in found.values()} == {
        ("paused", 1), ("paused", 3), ("completed", 9)
    }  # fmt: skip
    for segment in found.values():
        before = found.get(segment.get("resumes"))
        assert (before and before["epochs"]) == segment.get("from_epoch")
        assert (before and before["phi"]) in (None, segment["phi"])
        assert (before and before["number"]) in (None, segment["number"])
    first = [t for t in found.values() if "resumes" not in t]
    assert len(first) == 11 and 1 in {t["epochs"] for t in first}
    assert {t["from_epoch"] for t in found.values() if "resumes" in t} == {1, 3}
    assert not list(plausible_trials.faults(read(folder, testbed=None, power={}, action={})))
    row = extract_run(folder, PLAIN).run
    assert (row["trials_started"], row["trials_failed"]) == (len(first), 0)
    assert run["best"]["score"] == max(
        t["scores"]["macro_f1"] for t in found.values() if t["outcome"] == "completed"
    )
