"""A budget in other things than trials: written, checked, and part of what a run is."""

import pytest

from trialwatt.config.models import Search
from trialwatt.config.space import most_trials
from trialwatt.errors import ConfigError

WORKLOAD, PRICES, CARBON = "workloads/small.yaml", "prices.yaml", "carbon.yaml"


def run(project, **budget):
    project.edit(WORKLOAD, "search", to={"budget": budget, "sampler": "random"})
    return next(iter(project.plan().runs.values()))


def said(project) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        project.plan()
    return [str(problem) for problem in caught.value.problems]


def test_of_trials_alone_it_is_their_number(project):
    project.edit(WORKLOAD, "search", to={"budget": 3})
    number = next(iter(project.plan().runs))
    project.edit(WORKLOAD, "search", to={"budget": {"trials": 3}})
    assert next(iter(project.plan().runs)) == number
    project.edit(WORKLOAD, "search", to={"budget": {"trials": 4}})  # as many as the grid has
    assert next(iter(project.plan().runs.values())).workload.search.budget is None


def test_what_it_does_not_limit_is_in_no_record():
    search = Search.model_validate({"budget": {"kwh": 0.5}}, strict=True)
    assert search.model_dump(mode="json")["budget"] == {"kwh": 0.5, "running": "finish"}
    assert (search.trials, search.spends.limits) == (None, {"kwh": 0.5})


def test_prices_are_part_of_a_run_that_they_end_and_of_no_other(project):
    by_cost, by_kwh = run(project, cost=0.5), run(project, kwh=0.5)
    assert by_cost.workload.search.spends.rates.per_cpu_h == 0.03
    assert by_cost.workload.search.spends.rates.currency == "USD"
    assert by_kwh.workload.search.spends.rates is None
    project.edit(PRICES, "sets", "gcp-n2", "per_vcpu_h", to=0.04)
    assert run(project, cost=0.5) != by_cost
    assert run(project, kwh=0.5) == by_kwh


def test_carbon_is_reckoned_with_the_intensity_and_the_pue(project):
    project.edit("testbeds/bench.yaml", "pue", to=1.5)
    rates = run(project, gco2eq=20).workload.search.spends.rates
    assert (rates.g_per_kwh, rates.pue) == (475, 1.5)


@pytest.mark.parametrize(
    ("budget", "wanted"),
    [
        ({"kw": 1}, 'search.budget.kw: unknown key; did you mean "kwh"?'),
        ({"kwh": 0}, "search.budget.kwh: must be greater than 0 (got 0)"),
        ({"running": "stop"}, "search.budget.running: must be 'finish' or 'prune'"),
        ({"gain": {"trials": 3}}, "search.budget.gain.per_kwh: is missing"),
        (
            {
                "kwh": 1,
                "rates": {
                    "currency": "USD",
                    "per_cpu_h": 0.0,
                    "per_gb_h": 0.0,
                    "per_accelerator_h": {},
                    "g_per_kwh": 0.0,
                    "pue": 1.0,
                },
            },
            "search.budget.rates: is not for files",
        ),
    ],
)
def test_what_is_wrong_with_one(project, budget, wanted):
    project.edit(WORKLOAD, "search", to={"budget": budget})
    (found,) = said(project)
    assert found.startswith(f"config/{WORKLOAD}: {wanted}")


def test_on_a_grid_its_trials_are_a_bound_and_no_more_than_the_points(project):
    project.edit(WORKLOAD, "search", to={"budget": {"trials": 9, "kwh": 0.5}})
    (run, *_) = project.plan().runs.values()
    assert most_trials(run.workload) == 4
    project.edit(WORKLOAD, "search", to={"budget": 9})
    assert "is more than the 4 points of the grid (got 9)" in said(project)[0]


def test_a_grid_among_all_samplers_is_not_available_on_a_continuous_space(project):
    project.edit("spaces/four.yaml", "lr", to={"low": 0.001, "high": 0.1})
    project.edit(WORKLOAD, "search", to={"budget": 4, "sampler": "random"})
    project.edit("experiments/r-node.yaml", "vary", to={"search.sampler": "all"})
    experiment = project.plan().experiments["r-node"]
    assert [run.value for run in experiment.runs if run.treatment] and all(
        run.treatment["search.sampler"] != "grid" for run in experiment.runs
    )
    (lacking,) = [one for one in experiment.unavailable if "grid" in one.treatment]
    assert lacking.reason == "a continuous range without `levels` is on no grid"


def test_a_meter_that_is_asked_afterwards_cannot_end_a_search(project):
    project.edit(WORKLOAD, "search", to={"budget": {"kwh": 0.5}})
    project.edit("testbeds/bench.yaml", "meters", to=["prometheus", "model"])
    project.edit(
        "testbeds/bench.yaml",
        "prometheus",
        to={
            "url": "http://127.0.0.1:1",
            "queries": [{"name": "cpu", "query": "joules", "unit": "J", "counts": True}],
        },
    )
    assert any("needs a meter that is read while the run goes on" in each for each in said(project))
