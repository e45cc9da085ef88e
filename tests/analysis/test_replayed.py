"""Replayed searches as runs: the seed is the block, live searches are the check."""

import numpy as np
import pandas as pd
import pytest

from trialwatt.analysis.hypotheses import h2
from trialwatt.analysis.replayed import at_scores, per_seed
from trialwatt.analysis.sensitivity import AS_IT_IS, KIND, POWER, VALUE, sensitivity, under_models

FEW = 299


def searches(means, seeds=8, each=20, noise=0.02, missing=(), luck=0.5, **same):
    """means: sampler → mean energy to goal; missing: seeds in which nobody reaches the goal."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "strategy": place,
            "search": number,
            "repetition": seed,
            "experiment": "s-sam",
            "varied": "search.sampler",
            "sut": "optuna",
            "testbed": "local",
            "sampler": sampler,
            "treatment": f"search.sampler={sampler}",
            "budget": 24,
            "hash": sampler,
            "energy_method": "counter",
            "goal_target": 0.9,
            "goal_reached": seed not in missing,
            "energy_to_goal_kwh": np.nan if seed in missing else energy,
            "time_to_goal_ms": np.nan if seed in missing else 1e3 * energy,
            "cost_to_goal": np.nan if seed in missing else energy,
            "searched_energy_kwh": 20.0,
            "searched_time_ms": 2e4,
            "searched_cost": 20.0,
            "job_energy_kwh": 22.0 * (1 + 0.002 * rng.normal()),
            "wte_share": 0.1,
        }
        | same
        for place, (sampler, mean) in enumerate(means.items())
        for seed in range(1, seeds + 1)
        for number in range(each * seed, each * seed + each)
        for energy in [mean * seed**0.5 * np.exp(luck * rng.normal()) * (1 + noise * rng.normal())]
    ]
    return pd.DataFrame(rows)


def checked(verdict="holds", quantities=("energy_to_goal_kwh", "job_energy_kwh"), count=2):
    told = [{"quantity": name, "verdict": verdict} for name in quantities]
    return [{"coverage": {"quantities": told} if told else None}] * count


APART = {"random": 6.0, "tpe": 3.0}
ALIKE = {"random": 5.0, "tpe": 5.0}


def test_a_row_is_a_measured_seed_and_its_middle_is_that_of_its_searches():
    table = searches(APART, seeds=3, each=21)
    rows = per_seed(table, checked())
    assert len(rows) == 6 and set(rows["block"]) == {1, 2, 3}
    one = table[(table["strategy"] == 1) & (table["repetition"] == 2)]
    row = rows[(rows["strategy"] == 1) & (rows["repetition"] == 2)].iloc[0]
    assert row["energy_to_goal_kwh"] == np.median(one["energy_to_goal_kwh"])
    assert row["job_energy_kwh"] == pytest.approx(22.0, rel=0.01) and row["searches"] == 21
    assert row["reached_share"] == 1 and row["live_job_energy_kwh"] == "holds"


def test_a_seed_whose_searches_mostly_missed_is_censored_where_they_ended():
    table = searches(APART, seeds=2, each=4)
    missed = (table["strategy"] == 0) & (table["repetition"] == 1) & (table["search"] % 4 > 0)
    table.loc[missed, "goal_reached"] = False
    table.loc[missed, "energy_to_goal_kwh"] = np.nan
    rows = per_seed(table, checked()).set_index(["strategy", "repetition"])
    assert rows.loc[(0, 1), "goal_censored"] is True and rows.loc[(0, 2), "goal_censored"] is False
    assert np.isnan(rows.loc[(0, 1), "energy_to_goal_kwh"])
    assert rows.loc[(0, 1), "searched_energy_kwh"] == pytest.approx(20.0)
    assert rows.loc[(0, 1), "reached_share"] == 0.25


def test_more_searches_are_no_more_blocks(search):
    live = search(np.random.default_rng(1), ALIKE)
    for each in (20, 400):
        found = h2(live, replayed=per_seed(searches(APART, 4, each), checked()), resamples=FEW)
        assert found[0].verdict.startswith("demonstration only")
        assert "4 complete of 5 blocks" in found[0].verdict


def test_the_verdict_comes_from_replay_and_live_runs_are_its_check(search):
    live = search(np.random.default_rng(1), ALIKE)
    alone = h2(live, resamples=FEW)
    found = h2(live, replayed=per_seed(searches(APART), checked()), resamples=FEW)
    assert found[-1].verdict == "supported: replayed"
    assert found[-1].words == "supported (replayed)" and found[-1].outcome == "supported"
    assert found[-1].sentence.startswith("H2, replayed: supported (1 scope: supported in 1).")
    assert f"Live searches, as its check: {alone[-1].words}." in found[-1].sentence
    assert found[0].scope == "optuna in replayed s-sam (local)"
    assert "Replayed: a block is a measured seed" in found[0].sentence
    assert found[1:-1] == alone[:-1]


def test_where_a_check_fails_replay_is_not_believed(search):
    live = search(np.random.default_rng(1), ALIKE)
    wrong = [checked("holds")[0], checked("fails")[0]]
    found = h2(live, replayed=per_seed(searches(APART), wrong), resamples=FEW)
    assert found[0].verdict == (
        "undecided: replay is not believed of tpe: live searches fall outside of it"
    )
    other = [checked("holds")[0], checked("fails", ["wte_share"])[0]]
    found = h2(live, replayed=per_seed(searches(APART), other), resamples=FEW)
    assert found[0].verdict == "supported"  # by energies, of which the check is another


def test_what_was_never_checked_says_so(search):
    live = search(np.random.default_rng(1), ALIKE)
    known = [checked()[0], {"coverage": None}]
    (first, *_) = h2(live, replayed=per_seed(searches(APART), known), resamples=FEW)
    assert "Energy to goal of tpe: never checked against live searches." in first.sentence
    known = [checked()[0], checked("undecided")[0]]
    (first, *_) = h2(live, replayed=per_seed(searches(APART), known), resamples=FEW)
    assert "of tpe: live searches neither confirm nor refute it." in first.sentence
    (first, *_) = h2(live, replayed=per_seed(searches(APART), [{}, {}]), resamples=FEW)
    assert "Energy to goal of random, tpe: never checked" in first.sentence


def test_seeds_in_which_nobody_reaches_the_goal_tell_of_no_difference(search):
    live = search(np.random.default_rng(1), ALIKE)
    cells = per_seed(searches(APART, luck=0.1, missing=(3,)), checked())
    (first, *_) = h2(live, replayed=cells, resamples=FEW)
    assert "In 1 of 8 blocks no level reached the goal" in first.sentence
    assert first.verdict == "supported" and "n = 7" in first.sentence
    assert "95 %, Student's t of paired logarithms" in {test.interval for test in first.tests}


def test_scores_are_reached_seed_by_seed():
    table = searches(APART, seeds=2, each=3)
    attained = table[["strategy", "search"]].assign(target=0.5, energy_kwh=1.0)
    late = attained.assign(target=0.9, energy_kwh=[4.0, np.nan, np.nan] * 4)
    found = at_scores(table, pd.concat([attained, late]))
    assert len(found) == 8
    assert (found.loc[found["target"] == 0.5, "energy_kwh"] == 1.0).all()
    assert found.loc[found["target"] == 0.9, "energy_kwh"].isna().all()


def test_another_power_model_multiplies_each_seed_as_its_few_searches():
    table = searches(APART)
    few = table[table["search"] % 20 < 5]
    energies = ["job_energy_kwh", "energy_to_goal_kwh", "searched_energy_kwh"]
    other = few.assign(
        **{name: few[name] * few["strategy"].map({0: 2.0, 1: 3.0}) for name in energies}
    )
    both = pd.concat(
        [
            few.assign(**{KIND: AS_IT_IS, VALUE: "as recorded"}),
            other.assign(**{KIND: POWER, VALUE: "m"}),
        ]
    )
    cells = per_seed(table, checked())
    found = under_models(cells, both, checked())
    assert list(found) == ["as recorded", "m"]
    by = cells["strategy"].map({0: 2.0, 1: 3.0})
    for name in energies:
        np.testing.assert_allclose(found["m"][name].astype(float), cells[name] * by)


def test_an_assumption_that_changes_the_verdict_is_seen():
    same = searches(ALIKE, luck=0.01)
    apart = searches({"random": 9.0, "tpe": 4.0}, luck=0.01)
    few = pd.concat(
        [
            same.assign(**{KIND: AS_IT_IS, VALUE: "as recorded"}),
            apart.assign(**{KIND: "number of workers", VALUE: "16"}),
        ]
    )
    found = sensitivity(few, checked(), FEW)
    assert list(found["outcome"]) == ["equivalent", "supported"]
    assert found["order"].iloc[1] == "search.sampler=tpe < search.sampler=random"
    assert found["to_goal"].iloc[1] == pytest.approx(2.25, rel=0.05)
