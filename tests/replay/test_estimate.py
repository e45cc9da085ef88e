"""What every strategy would take, and which of them needs least."""

import numpy as np
import pandas as pd
import pytest
from benchmarks.synthetic_table import made

from trialwatt.config.models import Search
from trialwatt.errors import TrialwattError
from trialwatt.replay.estimate import Effort, Estimate, each_wanted, estimates, ratio
from trialwatt.replay.estimate_command import table_estimate
from trialwatt.replay.run import Wanted
from trialwatt.replay.strategies import Choice, choices

BASE = Wanted("plain", Search(sampler="random", budget=8), None)
QUICK = Effort(20, 5.0, 1)


def silent(*_):
    pass


def test_every_sampler_and_every_pruner_is_a_choice():
    found = choices(["optuna"])
    assert Choice("optuna", "gp", "none") in found and Choice("optuna", "random", "median") in found
    assert Choice("optuna", "tpe", "median") not in found
    assert {one.sampler for one in choices(["optuna"], pruner="median")} > {"tpe", "grid"}
    assert {str(one) for one in choices(["plain"], "grid")} == {"plain grid"}
    assert {one.sut for one in choices()} >= {"plain", "optuna", "ray", "hyperopt"}


def test_the_least_comes_first_and_what_cannot_be_is_named():
    table = made(goal={"target": 0.6})
    chosen = [
        Choice("plain", "random", "none"),
        Choice("optuna", "random", "asha"),
        Choice("optuna", "cmaes", "none"),
        Choice("plain", "tpe", "none"),
    ]
    found = estimates(table, each_wanted(BASE, chosen), None, QUICK, silent)
    assert [one.per_goal_kwh for one in found.found] == sorted(
        one.per_goal_kwh for one in found.found
    )
    assert {one.choice for one in found.found} == set(chosen[:2])
    assert "searches ranges only" in found.left_out[chosen[2]]
    assert "no sampler 'tpe'" in found.left_out[chosen[3]]
    for one in found.found:
        assert one.replay.costs.workers == table.workload.workers.count
        seeds = [one.replay.one(n)[0].seed[0] for n in one.searches["search"]]
        repetitions = sorted(table.seeds)
        assert one.searches["repetition"].tolist() == [repetitions[seed] for seed in seeds]
    with pytest.raises(TrialwattError, match=r"no strategy can be replayed: .*ranges only"):
        estimates(table, each_wanted(BASE, chosen[2:3]), None, QUICK, silent)


def test_a_slow_strategy_has_fewer_searches():
    wanted = each_wanted(BASE, [Choice("optuna", "tpe", "none")])
    told = []
    effort = Effort(500, 0.0, 1)
    found = estimates(made(), wanted, None, effort, lambda *said: told.append(said))
    assert told == [(1, 1, wanted[0][0], 20)] and len(found.found[0].searches) == 20


def searched(kwh, reached, whole=9.0, name="random"):
    """An estimate of searches of so many seeds, of given energies to the goal."""
    count = len(kwh)
    rows = pd.DataFrame(
        {
            "search": range(1, count + 1),
            "repetition": np.arange(count) % 8,
            "job_energy_kwh": whole,
            "goal_target": 0.5,
            "goal_reached": reached,
            "energy_to_goal_kwh": np.where(reached, kwh, np.nan),
        }
    )
    return Estimate(Choice("plain", name, "none"), rows, None)


def test_a_search_that_missed_the_goal_is_paid_for():
    one = searched(np.array([1.0, 1.0]), [True, False])
    assert one.per_goal_kwh == pytest.approx((1 + 9) / 1)
    assert np.isinf(searched(np.array([1.0]), [False]).per_goal_kwh)


def test_two_are_told_apart_within_seeds():
    hard = np.tile(np.linspace(1, 5, 8), 10)  # seeds differ more than strategies do
    rng = np.random.default_rng(1)
    every = np.ones(80, bool)
    one = searched(hard, every)
    more = ratio(searched(1.2 * hard * rng.uniform(0.95, 1.05, 80), every), one)
    assert more.value == pytest.approx(1.2, rel=0.02)
    assert 1.1 < more.low < more.value < more.high < 1.3 and more.is_told_apart
    alike = ratio(searched(hard * rng.permutation(np.linspace(0.5, 1.5, 80)), every), one)
    assert alike.low < 1 < alike.high and not alike.is_told_apart
    fewer = ratio(searched(hard[:16], every[:16]), one)
    assert fewer.searches == 16 and fewer.value == pytest.approx(1)


def test_it_is_said_which_needs_least(tmp_path):
    file = made(goal={"target": 0.6}, seeds=6).write(tmp_path / "table.parquet")
    chosen = [*choices(["plain"]), Choice("optuna", "cmaes", "none")]
    lines = table_estimate(file, BASE, chosen, None, False, QUICK).splitlines()
    assert "6 seeds" in lines[0] and "workers: 2" in lines[0]
    assert lines[1].startswith("until macro_f1 is 0.6")
    to_goal = lines.index(next(line for line in lines if line.startswith("strategy")))
    head = lines[to_goal].split()
    assert {"reached", "kWh", "gCO2eq", "USD", "hours"} <= set(head)
    assert lines[to_goal + 1].startswith("plain ") and " 1 " in lines[to_goal + 1]
    assert any(line.startswith("least energy for each goal reached: plain") for line in lines)
    assert any("told apart from the second" in line for line in lines)
    assert "not estimated: optuna cmaes" in lines[-1]


def test_without_a_goal_whole_searches_are_compared(tmp_path):
    file = made(dataset="mnist").write(tmp_path / "table.parquet")  # no target is known of it
    said = table_estimate(file, BASE, choices(["plain"]), None, False, QUICK)
    assert "until" not in said and "least energy of a whole search: plain" in said


def test_a_goal_that_none_reaches_names_no_winner(tmp_path):
    file = made(goal={"target": 2.0}).write(tmp_path / "table.parquet")
    said = table_estimate(file, BASE, choices(["plain"]), None, False, QUICK)
    assert "no search of any strategy reached the goal" in said
    assert "∞ (∞–∞)" in said
