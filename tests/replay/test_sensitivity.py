"""Searches under other assumptions: what is changed, and that nothing else is."""

import numpy as np
import pytest
from benchmarks.synthetic_table import made
from tests.replay.replaying import asked_of

from trialwatt.replay.run import Replay
from trialwatt.replay.sensitivity import COUNTS, assumptions, searched_under
from trialwatt.replay.trials import lengthened
from trialwatt.replay.workflow import replay_of


def asked(table, sampler="random"):
    """The run that would be live: twelve trials by plain on two workers."""
    return asked_of(table, [("plain", sampler)]).runs()[0]


def test_longer_trials_take_more_in_their_epochs_alone():
    table = made()
    trials = replay_of(asked(table), table, None).trials
    longer = lengthened(trials, 10)
    for name in ("until_s", "dynamic_j"):
        one, other = getattr(trials, name), getattr(longer, name)
        np.testing.assert_array_equal(one[..., 0], other[..., 0])
        np.testing.assert_allclose(np.diff(other), 10 * np.diff(one))
    assert longer.worker_w == trials.worker_w


def test_another_power_model_decides_nothing_anew(monkeypatch):
    table = made()
    watts = table.frame.assign(static_j=2 * table.frame["static_j"])
    other = type(table)(watts, table.facts, table.sha256)
    decided = []
    alone = Replay.decided
    monkeypatch.setattr(Replay, "decided", lambda *of: decided.append(of[1]) or alone(*of))
    every = assumptions({"as recorded": table, "m": other}, None)[:2]
    run = asked(table)
    (_, first), (one, second) = searched_under(every, run, 4, 1, lambda more: None)
    assert decided == [1, 2, 3, 4] and one.value == "m"
    expected = replay_of(run, other, None).searches(4, 1).searches
    for name in ("jct_ms", "job_energy_kwh", "energy_to_goal_kwh", "wte_share"):
        np.testing.assert_allclose(second[name].astype(float), expected[name].astype(float))
    assert (second["job_energy_kwh"] > first["job_energy_kwh"]).all()


def test_no_more_workers_than_trials_and_none_that_are_there_already():
    table = made()
    run = asked(table)
    counts = [one.workers for one in assumptions({"as recorded": table}, None) if one.workers]
    assert counts == list(COUNTS)
    kept = [one.workers for one in assumptions({"as recorded": table}, None) if one.applies(run)]
    assert kept[1:3] == [1, 4] and 16 not in kept and 64 not in kept


def test_more_workers_shorten_a_search():
    table = made()
    every = [one for one in assumptions({"as recorded": table}, None) if one.workers]
    found = list(searched_under(every, asked(table), 30, 1, lambda more: None))
    median = [frame["jct_ms"].median() for _, frame in found]
    assert [one.workers for one, _ in found] == [1, 4] and median[0] > 2 * median[1]
    for _, frame in found:
        assert (frame["searched_time_ms"] <= frame["jct_ms"]).all()
        assert (frame["idle_energy_kwh"] >= 0).all()  # one worker is idle for nothing


def test_progress_is_told_of_every_search():
    table = made()
    run, done = asked(table), []
    every = assumptions({"as recorded": table}, None)
    found = list(searched_under(every, run, 3, 1, done.append))
    assert sum(done) == 3 * len(found) == 3 * sum(one.applies(run) for one in every)


@pytest.mark.parametrize("count", [1, 2])
def test_any_number_of_processes_gives_the_same(count):
    table = made()
    every = assumptions({"as recorded": table}, None)[:1]
    ((_, found),) = searched_under(every, asked(table), 24, count, lambda more: None)
    assert list(found["search"]) == list(range(1, 25))
    alone = replay_of(asked(table), table, None).searches(24, 1).searches
    np.testing.assert_array_equal(found["jct_ms"], alone["jct_ms"])
