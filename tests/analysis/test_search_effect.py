"""H2: null effects are not found, planted ones are; a censored job is never dropped."""

import numpy as np
import pandas as pd
import pytest

from trialwatt.analysis.evidence import judge
from trialwatt.analysis.hypotheses import h2
from trialwatt.analysis.search_effect import evidence

FEW = 299
SAMPLERS = ("grid", "random", "tpe", "cmaes")
EQUAL = dict.fromkeys(SAMPLERS, 5.0)
PLANTED = {"grid": 6.0, "random": 5.0, "tpe": 3.0, "cmaes": 4.0}


def one(runs, **how):
    first, *_ = h2(runs, resamples=FEW, **how)
    return first


def many(search, seeds, means, **how):
    """The evidence of independent data sets, each judged alone."""
    runs = [search(np.random.default_rng(s), means, sut=f"sut{s:03}", **how) for s in range(seeds)]
    found = evidence(pd.concat(runs), FEW)
    assert len(found) == seeds
    return [judge("H2", [one])[0] for one in found]


def test_no_effect_is_rarely_found(search, false_positives):
    """150 data sets of four equal samplers; a third of the jobs does not reach the goal."""
    answers = many(search, 150, EQUAL, reach=0.67, noise=0.3, repetitions=5)
    assert sum(answer.outcome == "supported" for answer in answers) <= 0.05 * 150
    p = [test.p for answer in answers for test in answer.tests if not np.isnan(test.p)]
    assert len(p) > 400 and false_positives(sum(value < 0.05 for value in p), len(p))


SLOW_ONES_FAIL = {"grid": 0.7, "random": 0.85, "tpe": 1.0, "cmaes": 1.0}


@pytest.mark.parametrize(("reach", "repetitions"), [(1.0, 6), (SLOW_ONES_FAIL, 8)])
def test_a_planted_effect_is_found(search, reach, repetitions):
    """Power at least 0.9 where tpe needs half of grid's energy, with noise of 20 %."""
    answers = many(search, 60, PLANTED, noise=0.2, reach=reach, repetitions=repetitions)
    assert sum(answer.outcome == "supported" for answer in answers) >= 54


def test_a_difference_only_in_reaching_the_goal_is_found(search):
    """Dropping the jobs that did not reach it would hide the whole effect."""
    reach = {"grid": 0.0, "random": 0.0, "tpe": 1.0, "cmaes": 1.0}
    runs = search(np.random.default_rng(1), EQUAL, reach=reach, noise=0.1, repetitions=8)
    answer = one(runs)
    to_goal = next(t for t in answer.tests if "energy to tg" in t.name)
    assert answer.verdict == "supported" and to_goal.p_adjusted < 0.05 and to_goal.n == 8
    assert "16 of 32 runs are right-censored" in answer.sentence and "Gehan" in to_goal.name
    ratio = next(t for t in answer.tests if "÷" in t.name)
    assert ratio.effect == np.inf


def test_job_energy_alone_can_support(search):
    job = {"none": 10.0, "median": 6.0, "hyperband": 5.0}
    runs = search(
        np.random.default_rng(1),
        dict.fromkeys(job, 3.0),
        job,
        experiment="s-pru",
        factor="pruner",
    )
    answer = one(runs)
    assert answer.verdict == "supported" and answer.scope == "optuna in s-pru (local)"
    assert "Job energy at equal budget" in answer.sentence
    assert "Least with hyperband" in answer.sentence and "most with none" in answer.sentence


def test_waste_is_a_share_and_never_decides(search):
    runs = search(np.random.default_rng(1), EQUAL, noise=0.3)
    runs["wte_share"] = runs["sampler"].map({"grid": 0.0, "random": 0.1, "tpe": 0.4, "cmaes": 0.5})
    runs["wte_share"] += np.random.default_rng(2).uniform(0, 0.01, len(runs))
    answer = one(runs)
    waste = [t for t in answer.tests if not t.primary]
    assert waste[0].p_adjusted < 0.05 and answer.outcome == "undecided"


def test_space_sizes_compare_within_a_sampler_and_only_at_equal_budget(search):
    rng = np.random.default_rng(1)
    sizes = {12: 2.0, 24: 4.0, 48: 8.0}
    job = {size: 20.0 for size in sizes}
    grid = search(rng, sizes, job, experiment="s-phi", factor="pS", sampler="grid")
    grid["budget"] = grid["pS"]
    tpe = search(rng, sizes, job, experiment="s-phi", factor="pS", sampler="tpe")
    found = {a.scope: a for a in h2(pd.concat([grid, tpe]), resamples=FEW)}
    by_grid = found["optuna in s-phi (local, sampler grid)"]
    by_tpe = found["optuna in s-phi (local, sampler tpe)"]
    assert by_grid.verdict == by_tpe.verdict == "supported"
    assert "budgets differ" in by_grid.sentence
    assert not any("job energy at" in t.name for t in by_grid.tests)
    assert any("job energy at" in t.name for t in by_tpe.tests)
    assert "Least with 12" in by_grid.sentence


def test_testbeds_and_suts_are_never_mixed(search):
    parts = [
        search(np.random.default_rng(i), EQUAL, sut=sut, testbed=testbed)
        for i, (sut, testbed) in enumerate([("optuna", "a"), ("optuna", "b"), ("ray", "a")])
    ]
    parts[1]["job_energy_kwh"] *= 100
    *scopes, every = h2(pd.concat(parts), resamples=FEW)
    assert [a.scope for a in scopes] == [
        "optuna in s-sam (a)",
        "optuna in s-sam (b)",
        "ray in s-sam (a)",
    ]
    assert every.outcome == "undecided"


def test_only_one_sampler(search):
    answer = one(search(np.random.default_rng(1), {"grid": 5.0}))
    assert answer.verdict == "undecided: only one sampler has values"


@pytest.mark.parametrize(("change", "reason"), [(None, "no goal target"), (True, "no run reached")])
def test_without_a_goal_job_energy_still_counts(search, change, reason):
    runs = search(np.random.default_rng(1), EQUAL, dict(zip(SAMPLERS, (9, 7, 5, 3), strict=True)))
    runs["goal_censored"], runs["energy_to_goal_kwh"] = change, np.nan
    answer = one(runs)
    assert answer.verdict == "supported" and reason in answer.sentence


def test_a_job_that_missed_the_goal_is_censored_where_the_others_could_still_reach_it(search):
    """At the end of its last trial, not with its test and undeploy."""
    runs = search(np.random.default_rng(1), EQUAL, repetitions=6, noise=0.01)
    runs.loc[runs["sampler"] == "grid", "goal_censored"] = True
    steps = {"step_deploy_energy_kwh": 0.5, "step_setup_energy_kwh": 0.5}
    runs = runs.assign(**steps, step_trials_energy_kwh=3.5)
    assert "Least with grid (4.5e+03 Wh)" not in one(runs).sentence
    assert "6 of 24 runs are right-censored" in one(runs).sentence
    runs.loc[23, "energy_to_goal_kwh"] = 1.0
    cut = runs.assign(goal_censored=[True] * 23 + [False])
    assert "no level has a median" in evidence(cut, FEW)[0].primary[0].undecided


def test_equal_samplers_are_equivalent(search):
    """In at least 80 % of data sets with noise of 3 % and ten blocks, of two levels."""
    two = {"grid": 5.0, "tpe": 5.0}
    answers = many(search, 60, two, noise=0.03, repetitions=10)
    assert sum(answer.verdict == "equivalent" for answer in answers) >= 40
    assert not any(answer.outcome == "supported" for answer in answers)


def test_equal_jobs_without_a_goal_are_equivalent(search):
    runs = search(np.random.default_rng(3), {"grid": 5.0, "tpe": 5.0}, noise=0.01, repetitions=8)
    answer = one(runs.assign(goal_censored=None, energy_to_goal_kwh=np.nan))
    assert answer.verdict == "equivalent"
    assert "Energy to tg is not compared: no goal target is known." in answer.sentence


def test_undecided_says_what_it_would_take(search):
    close = {"grid": 5.5, "random": 5.0, "tpe": 5.0}
    answer = one(search(np.random.default_rng(3), close, noise=0.1, repetitions=5))
    assert "5 blocks leave it open, about" in answer.verdict and "would decide" in answer.verdict


def test_a_level_without_values_does_not_take_the_others_with_it(search):
    runs = search(np.random.default_rng(1), PLANTED, noise=0.02)
    runs.loc[(runs["sampler"] == "cmaes") & (runs["repetition"] > 1), "status"] = "failed"
    answer = one(runs)
    assert answer.verdict == "supported" and "cmaes has values in 1 of 6 blocks." in answer.sentence


def test_only_complete_blocks_of_one_plan_are_compared(search):
    runs = search(np.random.default_rng(1), PLANTED, noise=0.02, repetitions=8)
    runs = runs.assign(block=runs["repetition"], block_plan="first", block_runs=4)
    runs.loc[runs["repetition"] > 6, "block_plan"] = "second"
    runs = runs.drop(runs.index[(runs["repetition"] == 6) & (runs["sampler"] == "tpe")])
    answer = one(runs)
    assert {test.n for test in answer.tests} == {5}
    assert "8 runs of blocks 7, 8 left out: they ran under another plan (second)" in answer.sentence
    assert "3 runs of block 6 left out: not complete." in answer.sentence


def test_few_repetitions(search):
    answer = one(search(np.random.default_rng(1), PLANTED, repetitions=2))
    said = "demonstration only: undecided: 2 complete of 5 blocks that a comparison needs"
    assert answer.verdict == said and answer.sentence == f"H2 for {answer.scope}: {said}."
    two = {k: PLANTED[k] for k in ("grid", "tpe")}
    answer = one(search(np.random.default_rng(1), two, repetitions=5))
    assert answer.verdict == "undecided: needs 7 blocks"  # of two outcomes
    answer = one(search(np.random.default_rng(1), PLANTED, repetitions=1))
    assert answer.verdict == "demonstration only: undecided: one block, so that noise is not known"


def test_missing_energies_are_counted(search):
    runs = search(np.random.default_rng(1), PLANTED, noise=0.02, repetitions=8)
    lost = runs.index[runs["repetition"] == 3]
    runs.loc[lost, ["job_energy_kwh", "energy_to_goal_kwh"]] = np.nan
    answer = one(runs)
    assert answer.verdict == "supported"
    assert f"{len(lost)} of {len(runs)} runs have no energy" in answer.sentence
    runs.loc[runs.index[0], ["job_energy_kwh", "energy_to_goal_kwh"]] = np.nan
    assert "1 of 7 blocks are not complete." in one(runs).sentence
    runs[["job_energy_kwh", "energy_to_goal_kwh"]] = np.nan
    assert one(runs).outcome == "undecided"


def test_a_job_ended_by_its_deadline_is_censored(search):
    runs = search(np.random.default_rng(1), EQUAL, repetitions=8)
    runs.loc[runs["sampler"] == "grid", "status"] = "deadline"
    answer = one(runs)
    job = next(t for t in answer.tests if "job energy at equal budget between" in t.name)
    assert "Gehan" in job.name and job.n == 8 and job.p < 0.05


def test_infeasible_jobs_are_censored_for_the_goal_and_no_job_of_equal_budget(search):
    runs = search(np.random.default_rng(1), EQUAL, repetitions=8)
    cannot = runs["sampler"] == "grid"
    runs.loc[cannot, "status"] = "infeasible"
    runs.loc[cannot, "goal_censored"], runs.loc[cannot, "energy_to_goal_kwh"] = True, np.nan
    answer = one(runs)
    sizes = {
        t.name.split(": ")[1].split(" between")[0]: t.n for t in answer.tests if "between" in t.name
    }
    assert sizes["energy to tg"] == sizes["job energy at equal budget"] == 8
    assert "most with grid" in answer.sentence
    assert "8 runs are infeasible" in answer.sentence


def test_ties(search):
    runs = search(np.random.default_rng(1), PLANTED, noise=0)
    answer = one(runs)
    assert answer.verdict == "supported"
    runs["energy_to_goal_kwh"] = 5.0
    assert "all values are equal" in one(runs).sentence


def test_flags_may_come_from_a_csv(search, tmp_path):
    runs = search(np.random.default_rng(1), PLANTED, reach=0.7)
    path = tmp_path / "runs.csv"
    runs.replace({"goal_censored": {True: "true", False: "false"}}).to_csv(path, index=False)
    runs["goal_censored"] = runs["goal_censored"].astype(object)
    runs.loc[0, "goal_censored"] = None
    again = pd.read_csv(path, dtype={"goal_censored": str})
    again.loc[0, "goal_censored"] = None
    assert one(again).tests == one(runs).tests


def test_space_sizes_are_compared_way_by_way(table):
    """A search of the whole space, and one with the same budget for all, are never mixed."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "pS": size,
            "budget": budget,
            "job_energy_kwh": budget * rng.uniform(0.9, 1.1),
            "repetition": repetition,
        }
        for size in (6, 24, 96)
        for budget in {size, 24}
        for repetition in range(6)
    ]
    runs = table(rows, experiment="s-phi", varied="space", sampler="random", goal_censored=False)
    runs["energy_to_goal_kwh"] = runs["job_energy_kwh"] / 2
    found = evidence(runs, resamples=99)
    assert [one.scope for one in found] == [
        "optuna in s-phi (local, budget of the whole space)",
        "optuna in s-phi (local, budget 24)",
    ]
    whole, fixed = found
    assert [o.test.n for o in whole.primary if o.test] == [6]  # budgets differ: no job energy
    assert [o.test.n for o in fixed.primary] == [6, 6]


def test_a_key_without_a_column_is_read_from_the_labels(search):
    key = "search.sampler_options.n_startup_trials"
    runs = search(np.random.default_rng(3), {"2": 6.0, "5": 3.0}, factor="pruner")
    runs["treatment"] = [f"{key}={level}" for level in runs["pruner"]]
    runs = runs.assign(pruner="none", varied=key, experiment="mine")
    found = evidence(runs, FEW)
    assert [one.scope for one in found] == ["optuna in mine (local)"]
    goal = found[0].primary[0]
    assert goal.test and "Least with 5" in goal.words and f"between {key}s" in goal.test.name
