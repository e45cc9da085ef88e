"""A handful of runs tells what a job takes, with an interval that is as wide as they are few."""

import dataclasses
import shutil

import numpy as np
import pytest
from benchmarks.synthetic_table import CONTEXT
from tests.analysis.cost_law import simulated

from trialwatt.analysis.framework_cost import laws
from trialwatt.errors import TrialwattError
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.extract import extract_run
from trialwatt.replay.handful import (
    Apart,
    Spread,
    apart_of,
    combined,
    handful_of,
    predicted,
    runs_below,
)
from trialwatt.replay.handful_command import handful_estimate


@pytest.fixture(scope="module")
def handful(table_runs):
    return handful_of(table_runs, CONTEXT)


def test_its_middle_is_what_such_jobs_took(handful, table_runs):
    assert handful.trials == 8 and len(handful.runs) == 2
    context = MetricsContext.of(CONTEXT.model_dump())
    runs = [extract_run(folder, context).run for folder in table_runs]
    found = predicted(handful, "plain", 4, 2, None)
    for name, column, factor in (
        ("kwh", "job_energy_kwh", 1.0),
        ("g", "carbon_g", 1.0),
        ("money", "oc", 1.0),
        ("hours", "jct_ms", 1 / 3.6e6),
    ):
        took = np.mean([run[column] * factor for run in runs])
        assert found[name].middle == pytest.approx(took, rel=0.25), name
        assert found[name].low < found[name].middle < found[name].high


def test_more_trials_take_more(handful):
    some, many = (predicted(handful, "plain", budget, 2, None) for budget in (200, 400))
    assert 1.5 < many["kwh"].middle / some["kwh"].middle < 2.05  # imports and deploy come once
    alone = predicted(handful, "plain", 400, 1, None)
    assert alone["hours"].middle == pytest.approx(2 * many["hours"].middle, rel=0.2)


@pytest.mark.parametrize(
    ("jobs", "trials", "known", "most"),
    [(1, 24, True, 0.97), (2, 8, False, 1.0), (5, 24, False, 0.96)],
)
def test_nine_of_ten_next_jobs_are_in_the_interval(jobs, trials, known, most):
    """Jobs that differ by a tenth and more, each with the luck of its trials; of two jobs that
    differ little by chance the interval is rather too wide."""
    rng, budget, apart, trial = np.random.default_rng(1), 24, 0.15, 0.5
    luck = np.full(4, trial**2 / budget)
    inside = []
    for _ in range(1000):
        means = rng.normal(0, apart, (jobs, 4)) + rng.normal(0, trial / trials**0.5, (jobs, 4))
        own = Apart(np.full(4, apart**2 * rng.chisquare(4) / 4), 4) if known else None
        found = combined([Spread(mean, luck) for mean in means], budget, jobs * trials, own)
        following = np.exp(rng.normal(0, apart) + rng.normal(0, trial / budget**0.5))
        inside.append(found["kwh"].low <= following <= found["kwh"].high)
    assert 0.87 < np.mean(inside) <= most


def test_one_job_does_not_tell_how_jobs_differ(handful):
    alone = dataclasses.replace(handful, runs=handful.runs[:1])
    narrow = predicted(alone, "plain", 4, 2, None)["kwh"]
    jobs = simulated(noise=5.0).assign(testbed="test")
    wide = predicted(alone, "plain", 4, 2, laws(jobs))["kwh"]
    assert wide.high / wide.low > narrow.high / narrow.low
    assert apart_of(laws(jobs)).freedom == 4


def test_runs_that_tell_nothing_are_named(handful, run_job, tmp_path, table_runs):
    with pytest.raises(TrialwattError, match="optuna: measured with plain"):
        predicted(handful, "optuna", 4, 2, None)
    other = run_job(tmp_path / "results", "plain", epochs=2)
    with pytest.raises(TrialwattError, match="of another SUT, search, workload or testbed"):
        handful_of([*table_runs, other], CONTEXT)
    with pytest.raises(TrialwattError, match="no completed run"):
        handful_of([], CONTEXT)


def test_the_command_says_what_it_cannot(table_runs, tmp_path, results_of):
    results = results_of(table_runs)
    assert len(runs_below(results)) == 2
    with pytest.raises(TrialwattError, match="flagged runs"):
        handful_estimate(results, [], 6, None, None, False)
    said = handful_estimate(results, [], 6, None, None, True)
    assert "8 trials of 2 jobs" in said and "a job of 6 trials" in said
    assert "of 2 jobs: their differences are known badly" in said
    assert "not to be told without a trial table" in said
    assert "not estimated: optuna: measured with plain" in said
    shutil.rmtree(next(iter(runs_below(results))))
    said = handful_estimate(results, ["plain"], None, None, None, True)
    assert "of one job: the interval holds the luck of the trials alone" in said
    (results / "plan.json").unlink()
    with pytest.raises(TrialwattError, match=r"no plan\.json in it or above it"):
        handful_estimate(results, [], 6, None, None, True)
