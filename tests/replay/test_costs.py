"""What a framework adds to a replayed job is what its measured law says of it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from benchmarks.synthetic_table import made

from trialwatt.analysis.framework_cost import QUANTITIES, Estimate, Law
from trialwatt.config.models import Search
from trialwatt.errors import TrialwattError
from trialwatt.metrics.formulas import J_PER_KWH
from trialwatt.replay.costs import setting
from trialwatt.replay.outcomes import outcomes
from trialwatt.replay.run import Replay, Wanted

TABLE = made(goal={"target": 0.8})
FITS = {
    "time": [(1.0, 0.1, 0.02)],
    "energy": [(30.0, 2.0, 0.5)],
    "cost": [(1e-4, 1e-5, 1e-6)],
}


def laws(sut="optuna", fits=FITS, workers=1):
    points = pd.DataFrame({"trials": [6, 18], "reports": [0, 0]})
    return [
        Law(
            sut=sut,
            testbed="test",
            sampler="random",
            control="plain",
            quantity=quantity,
            blocks=len(fits[quantity.name]),
            terms={name: Estimate(0.0, 0.0, 0.0) for name in ("job", "trial", "report")},
            lacking={},
            plain_rate=1.0,
            epoch_s=1.0,
            break_even={},
            residual=0.0,
            per_block=np.array(fits[quantity.name]),
            points=points,
            runs=pd.DataFrame({"wn": [workers]}),
        )
        for quantity in QUANTITIES
    ]


def job(given, number=1, pruner="none"):
    wanted = Wanted("optuna", Search(sampler="random", pruner=pruner, budget=12), 1)
    replay = Replay(TABLE, wanted, given)
    log, found = replay.one(number)
    return log, found, outcomes(found, replay.costs, replay.scoring)[0]


@pytest.mark.parametrize("pruner", ["none", "threshold"])
def test_a_law_is_added_whole(pruner):
    """One worker, so that all that it waits for lengthens the job."""
    log, _, without = job(None, pruner=pruner)
    slow, found, row = job(laws(), pruner=pruner)
    assert (slow.phi == log.phi).all()
    amounts = np.array([1.0, 12.0, found.reports])
    assert (found.reports > 0) == (pruner != "none")
    time, energy, cost = (np.array(FITS[name][0]) @ amounts for name in FITS)
    # the report of a trial's last epoch comes with its end
    assert row["jct_ms"] - without["jct_ms"] == pytest.approx(1e3 * time)
    added = (row["job_energy_kwh"] - without["job_energy_kwh"]) * J_PER_KWH
    assert added == pytest.approx(energy)
    assert row["oc"] - without["oc"] == pytest.approx(cost)


def test_a_report_is_paid_for_by_the_trial_that_makes_it():
    """Where it stands in a live trial; a trial of twice the epochs has twice as much of it."""
    (_, plain, _), (_, told, _) = (job(given, pruner="threshold") for given in (None, laws()))
    longer = told.log.end_s - told.log.start_s - (plain.log.end_s - plain.log.start_s)
    more = told.trial_j - plain.trial_j - told._costs.worker_w * longer
    seconds, joules = FITS["time"][0][2], FITS["energy"][0][2]
    watts = told._costs.workers * told._costs.worker_w + told._frame.else_w
    assert more == pytest.approx((joules - watts * seconds) * told.log.epochs)
    assert more.sum() > 0
    (_, silent, _), (_, free, _) = (job(given) for given in (laws(), None))  # nothing is reported
    longer = silent.log.end_s - silent.log.start_s - (free.log.end_s - free.log.start_s)
    assert silent.trial_j - free.trial_j == pytest.approx(silent._costs.worker_w * longer)


def test_its_parts_sum_to_the_job_and_to_the_goal():
    _, found, row = job(laws())
    assert sum(found.energies.values()) == pytest.approx(row["job_energy_kwh"] * J_PER_KWH)
    end = found.until(np.array([found.lasts_s])).energy_kwh[0] * J_PER_KWH
    after = TABLE.facts.outside[0].after_workers_j / 2 + 0.5
    assert sum(found.energies.values()) - end == pytest.approx(after)


def test_each_search_has_the_cost_of_one_block():
    """A trial takes as much in each, its mean; the job has what is left of the block's own jobs."""
    fits = {name: [values[0], tuple(3 * v for v in values[0])] for name, values in FITS.items()}
    added = {tuple(job(laws(fits=fits), n)[1]._adds[0]) for n in range(1, 20)}
    assert added == {(6.0, 4.0, 1.0), (114.0, 4.0, 1.0)}
    of_twelve = {float(one @ (1.0, 12.0, 0.0)) for one in map(np.array, added)}
    assert of_twelve == {30.0 + 12 * 2.0, 90.0 + 12 * 6.0}


def test_a_worker_loses_what_it_lost_where_the_law_was_measured():
    """A law's seconds are of jobs of its own number of workers, and so are its joules."""
    found = {}
    for count in (1, 2, 4):
        wanted = Wanted("optuna", Search(sampler="random", budget=12), count)
        replay = Replay(TABLE, wanted, laws(workers=2))
        (added,) = replay.costs.added
        found[count] = setting(replay.costs, added, 12)
        _, own = replay.one(1)
        static = 2 * own._costs.worker_w + own._frame.else_w
        joules, _ = own._framework(12, 0)
        assert joules == pytest.approx(30.0 + 24.0 - static * (1.0 + 1.2))
    assert [one.trial_s for one in found.values()] == pytest.approx([0.2] * 3)


def test_what_a_framework_saves_is_counted():
    """Its workers may have imported before the job began, as a law says that takes less time."""
    fits = FITS | {"time": [(-0.3, 0.0, 0.0)]}
    _, found, without = job(None)
    assert found._import_s.max() > 0.3
    _, _, row = job(laws(fits=fits))
    assert without["jct_ms"] - row["jct_ms"] == pytest.approx(300)
    assert without["time_to_goal_ms"] - row["time_to_goal_ms"] == pytest.approx(300)


def test_a_framework_saves_no_more_than_imports():
    fits = {
        "time": [(-50.0, -0.1, -0.1)],
        "energy": [(-5e4, -30.0, -0.5)],
        "cost": [(-1.0, -2e-4, -1e-6)],
    }
    log, found, without = job(None)
    _, _, row = job(laws(fits=fits))
    imports_s = found._import_s[log.imported >= 0].min()
    assert without["jct_ms"] - row["jct_ms"] == pytest.approx(1e3 * imports_s)
    assert 0 < row["job_energy_kwh"] < without["job_energy_kwh"]
    assert 0 < row["oc"] < without["oc"]


def test_no_more_is_spent_until_the_goal_than_by_the_job():
    """Where trials of a block cost less than nothing too, which is noise."""
    fits = FITS | {"energy": [(30.0, -30.0, -0.5)], "cost": [(1e-4, -2e-4, -1e-6)]}
    rows = [job(laws(fits=fits), number)[2] for number in range(1, 30)]
    reached = [row for row in rows if row["goal_reached"]]
    assert reached
    assert all(row["surplus_energy_kwh"] >= 0 for row in reached)
    assert all(row["cost_to_goal"] <= row["oc"] for row in reached)
    _, found, _ = job(laws(fits=fits))
    moments = np.linspace(0, found.lasts_s, 50)
    whole = sum(found.energies.values()) / J_PER_KWH
    assert (found.until(moments).energy_kwh <= whole).all()


def test_the_control_adds_nothing_to_itself():
    wanted = Wanted("plain", Search(sampler="random", budget=12), 2)
    assert Replay(TABLE, wanted, laws()).costs.added == ()


def test_a_law_of_another_sut_or_without_energy_is_named():
    with pytest.raises(TrialwattError, match=r"energy, time, cost that optuna adds .*: ray"):
        job(laws("ray"))
    with pytest.raises(TrialwattError, match="tell no energy that optuna adds"):
        job([law for law in laws() if law.quantity.name != "energy"])


def test_services_are_reserved_where_no_law_has_them():
    table = dataclasses.replace(TABLE)
    wanted = Wanted("ray", Search(sampler="random", budget=12), 2)
    alone, known = Replay(table, wanted), Replay(table, wanted, laws("ray"))
    head_and_driver = 2 * (1 * 0.5 + 1 * 0.25)
    assert alone.costs.services_w == pytest.approx(head_and_driver)
    assert known.costs.services_w == 0
    _, found = alone.one(1)
    assert found.energies["services"] == pytest.approx(head_and_driver * found.reserved_s)
