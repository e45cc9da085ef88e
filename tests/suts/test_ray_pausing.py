"""Tune's schedulers that pause trials: whole jobs, and what they are told."""

import pytest
from tests.contexts import PLAIN

from trialwatt.contract.reading import manifest, trials
from trialwatt.metrics.extract import extract_run
from trialwatt.review.plausible import trials as plausible_trials
from trialwatt.review.plausible.run import read
from trialwatt.suts.codes import phi_of
from trialwatt.suts.ray import Ray
from trialwatt.suts.ray_pausing import PAUSING
from trialwatt.suts.ray_space import domains

pytestmark = pytest.mark.skipif(bool(Ray.available()), reason=Ray.available())

RANGES = {
    "lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "decay": {"low": 1e-6, "high": 1e-4, "log": True},
    "ls": {"low": 8, "high": 32},
    "ln": {"low": 1, "high": 2},
}
BUDGET, EPOCHS = 6, 4


@pytest.fixture(params=list(PAUSING))
def job(request, run_job, tmp_path):
    """A whole job of each of them; its name and folder."""
    if missing := PAUSING[request.param].missing():
        pytest.skip(f"needs {', '.join(missing)}")
    sampler = "bohb" if request.param == "bohb" else "random"
    search = {"sampler": sampler, "pruner": request.param, "budget": BUDGET}
    if sampler == "bohb" or request.param == "hyperband-sync":
        # Two of the second bracket's three trials go on: one of them has waited.
        search["pruner_options"] = {"reduction_factor": 2}
    keys = {"space": RANGES, "search": search, "epochs": EPOCHS, "deadline_s": 600}
    return request.param, run_job(tmp_path / "results", "ray", **keys)


@pytest.mark.contract
@pytest.mark.slow  # a whole job each
def test_a_whole_job_pauses_trials_and_goes_on_with_them(job):
    name, folder = job
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    assert {t["outcome"] for t in found.values()} <= {"completed", "pruned", "paused"}
    resumed = {key: t for key, t in found.items() if "resumes" in t}
    assert resumed
    for segment in resumed.values():
        before = found[segment["resumes"]]
        assert (before["outcome"], before["epochs"]) == ("paused", segment["from_epoch"])
        if before["number"] == segment["number"]:
            assert before["phi"] == segment["phi"]
    copied = [t for t in resumed.values() if found[t["resumes"]]["number"] != t["number"]]
    assert bool(copied) == (name in ("pbt", "pb2"))
    assert all(t["phi"]["ls"] == found[t["resumes"]]["phi"]["ls"] for t in copied)
    assert not (folder / "states").exists()
    assert not list(plausible_trials.faults(read(folder, testbed=None, power={}, action={})))
    row = extract_run(folder, PLAIN).run
    assert row["trials_started"] == len({t["number"] for t in found.values()}) <= BUDGET
    completed = [t for t in found.values() if t["outcome"] == "completed"]
    assert row["trials_completed"] == len(completed) > 0
    assert row["reports"] == sum(t["epochs"] - t.get("from_epoch", 0) for t in found.values())
    assert run["best"]["score"] == max(t["scores"]["macro_f1"] for t in completed)


def told(name, workload, **options):
    return PAUSING[name].make(workload, options)


def test_what_changes_in_a_population_stays_in_the_space(workload):
    load = workload(space=RANGES | {"decay": {"choices": [1e-6, 1e-5]}})
    scheduler = told("pbt", load)
    assert set(scheduler._hyperparam_mutations) == {"lr", "decay"}
    beyond = {"lr": 0.12, "decay": 1, "ls": 9, "ln": 1}
    inside = scheduler._custom_explore_fn(beyond)
    assert inside == beyond | {"lr": 0.1}
    assert phi_of(load.space, inside) == {"lr": 0.1, "decay": 1e-5, "ls": 9, "ln": 1}
    assert scheduler._hyperparam_mutations["decay"] == [0, 1]
    assert type(scheduler._hyperparam_mutations["lr"]) is type(domains(load.space)["lr"])
    assert set(told("pbt", load, mutate="lr, ls")._hyperparam_mutations) == {"lr", "ls"}


def test_pb2_changes_ranges_alone(workload):
    load = workload(space=RANGES | {"decay": {"choices": [1e-6, 1e-5]}})
    assert told("pb2", load)._hyperparam_bounds == {"lr": [1e-4, 1e-1]}


@pytest.mark.parametrize(
    ("name", "space", "options", "said"),
    [
        ("pbt", {}, {"mutate": "rate"}, "mutate: rate is not in the search space"),
        ("pbt", {"lr": None, "decay": None}, {}, "no hyperparameter of the space can change"),
        ("pb2", {"lr": {"choices": [0.1, 0.2]}, "decay": None}, {}, "needs a range"),
        ("pbt", {}, {"quantile_fraction": 0.9}, "quantile_fraction"),
    ],
)
def test_what_cannot_change_is_said_at_planning(workload, name, space, options, said):
    axes = {key: axis for key, axis in (RANGES | space).items() if axis is not None}
    fixed = {key: 0.001 for key in RANGES if key not in axes}
    search = {"sampler": "random", "budget": 4, "pruner": name, "pruner_options": options}
    load = workload(space=axes, fixed=fixed, search=search)
    ((key, sentence),) = Ray.search_problems(load)
    assert key == ("search.pruner_options" if options else "search.pruner")
    assert said in sentence
