"""SMAC's trials on several fidelities: whole jobs, whose segments go on where they were paused."""

import pytest
from tests.contexts import PLAIN
from tests.suts.scripted import job_of

from trialwatt.contract.reading import manifest, trials
from trialwatt.metrics.extract import extract_run
from trialwatt.review.plausible import trials as plausible_trials
from trialwatt.review.plausible.run import read
from trialwatt.suts.asktell import LATER, Segment
from trialwatt.suts.smac import Smac

SPACE = {
    "lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "decay": {"choices": [1e-6]},
    "ls": {"low": 8, "high": 32},
    "ln": {"choices": [1]},
}


pytestmark = pytest.mark.skipif(bool(Smac.available()), reason=Smac.available())
GRID = {"lr": {"choices": [0.001, 0.01, 0.1]}, "ls": {"choices": [8, 16, 32, 64]}}


@pytest.mark.parametrize("pruner", ["hyperband", "halving"])
@pytest.mark.parametrize(("space", "budget"), [(SPACE, 11), (SPACE, 30), (GRID, 12)])
@pytest.mark.parametrize("workers", [1, 3])
def test_what_can_be_promoted_is_though_the_budget_or_the_space_is_over(
    tmp_path, pruner, space, budget, workers
):
    search = {"sampler": "smac", "pruner": pruner, "budget": budget}
    framework = Smac().open(job_of(tmp_path, "smac", space, search, epochs=9))
    given: list[Segment] = []
    running: list[int] = []
    while True:
        while len(running) < workers:
            answer = framework.ask(len(given))
            if not isinstance(answer, Segment):
                assert answer is (LATER if running else None)
                break
            running.append(len(given))
            given.append(answer)
        if not running:
            break
        ended = running.pop(0)
        framework.tell(ended, given[ended].phi["lr"] + given[ended].until / 100)
    assert sum(each.resume is None for each in given) <= budget
    resumed = [each for each in given if each.resume is not None]
    assert all(given[each.resume].phi == each.phi for each in resumed)
    assert all(given[each.resume].until < each.until for each in resumed)
    assert {3, 9} <= {each.until for each in resumed}


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
