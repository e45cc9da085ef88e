"""Searches on virtual workers, against schedules that are computed by hand."""

import numpy as np
import pytest
from benchmarks.synthetic_table import made
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.config.models import Search
from trialwatt.errors import TrialwattError
from trialwatt.metrics.formulas import J_PER_KWH
from trialwatt.replay.outcomes import outcomes
from trialwatt.replay.run import Replay, Wanted
from trialwatt.replay.simulate import COMPLETED, FAILED, LATER, PRUNED, Setting, draws, simulate
from trialwatt.replay.trials import trials_of

TABLE = made(failing=(3,))
SEEDS = st.integers(0, 2**32)


class Fixed:
    """Asks for these places in order, and stops trial n after epoch stops[n]."""

    def __init__(self, places, stops=None, epochs=5):
        self.places, self.stops = places, stops or {}
        self.stages = tuple(range(1, epochs + 1)) if stops is not None else ()
        self.reported, self.told = [], {}

    def ask(self, worker, number):
        return self.places[number] if number < len(self.places) else None

    def report(self, number, epoch, score):
        self.reported.append((number, epoch, score))
        return self.stops.get(number) == epoch

    def tell(self, number, score, outcome):
        self.told[number] = score, outcome


def replayed(search, workers=1, seed=0, table=TABLE, **setting):
    reported = bool(search.stages)
    trials = trials_of(table, table.space, table.workload.goal, reported)
    wanted = Setting(workers, len(search.places), **setting)
    drawn = draws(trials, workers, np.random.default_rng(seed), None)
    return simulate(search, trials, wanted, 1.0, drawn), trials


def rows_of(log, number, table=TABLE):
    """The rows of the table that a trial of a replay is."""
    place = log.phi[number]
    repetition = log.seed[place] + 1
    frame = table.frame
    own = frame[(frame["phi"] == table.phis[place]) & (frame["repetition"] == repetition)]
    return own.set_index("epoch")


@given(places=st.lists(st.integers(0, 23), min_size=1, max_size=12), seed=SEEDS)
def test_one_worker_runs_trial_after_trial(places, seed):
    log, trials = replayed(Fixed(places), seed=seed)
    at = 0.0
    for number, place in enumerate(places):
        rows = rows_of(log, number)
        seconds = rows["seconds"].sum() - rows["validate_seconds"].sum()
        if place != 3:  # no pruner: it is validated once, at its end; 3 fails before
            seconds += rows["validate_seconds"].iloc[-1]
        if number == 0:
            seconds += trials.imports[log.imported[0], 0]
        assert log.start_s[number] == pytest.approx(at)
        at += seconds
        assert log.end_s[number] == pytest.approx(at)
        assert log.outcome[number] == (FAILED if place == 3 else COMPLETED)
        assert log.epochs[number] == (1 if place == 3 else 5)


@given(
    places=st.lists(st.integers(4, 23), min_size=1, max_size=12),
    stops=st.dictionaries(st.integers(0, 11), st.integers(1, 5)),
    workers=st.integers(1, 5),
    seed=SEEDS,
)
def test_a_stop_uses_the_first_epochs_and_no_other(places, stops, workers, seed):
    search = Fixed(places, stops)
    log, trials = replayed(search, workers, seed)
    told = {}
    for number, epoch, score in search.reported:
        told.setdefault(number, []).append((epoch, score))
    for number in range(len(places)):
        last = min(stops.get(number, 5), 5)
        rows = rows_of(log, number).loc[:last]
        seconds = rows["seconds"].sum()
        if log.imported[number] >= 0:
            seconds += trials.imports[log.imported[number], 0]
        assert log.end_s[number] - log.start_s[number] == pytest.approx(seconds)
        assert log.epochs[number] == last
        assert log.score[number] == rows["score.macro_f1"].iloc[-1]
        assert log.outcome[number] == (PRUNED if last < 5 else COMPLETED)
        assert told[number] == list(
            zip(range(1, last + 1), rows["score.macro_f1"].iloc[1:], strict=True)
        )


@given(
    places=st.lists(st.integers(0, 23), min_size=1, max_size=20),
    workers=st.integers(1, 6),
    seed=SEEDS,
)
def test_a_worker_holds_one_trial_and_takes_the_next_at_once(places, workers, seed):
    log, _ = replayed(Fixed(places), workers, seed)
    for worker in range(workers):
        mine = np.flatnonzero(log.worker == worker)
        assert log.start_s[mine[1:]] == pytest.approx(log.end_s[mine[:-1]])
        assert (log.imported[mine] >= 0).tolist() == [True] * (len(mine) > 0) + [False] * (
            len(mine) - 1
        )
    # no worker is free while a trial that was not started waits
    assert (
        log.start_s.max()
        <= min(log.end_s[log.worker == worker].max() for worker in set(log.worker.tolist())) + 1e-9
        or len(places) <= workers
    )


def test_what_a_framework_takes_of_each_trial_and_report_is_waited_for():
    plain, _ = replayed(Fixed([5, 6], {}))
    slow, _ = replayed(Fixed([5, 6], {}), trial_s=2.0, report_s=0.5)
    assert slow.start_s[0] == 2.0
    longer = (slow.end_s - slow.start_s) - (plain.end_s - plain.start_s)
    assert longer == pytest.approx([2.5, 2.5])
    assert slow.end_s[1] == pytest.approx(plain.end_s[1] + 2 * 2.0 + 10 * 0.5)


def test_a_phi_that_is_drawn_twice_is_the_same_trial():
    log, _ = replayed(Fixed([7] * 6), workers=1, seed=3)
    assert len(set(log.score.tolist())) == 1
    assert np.ptp((log.end_s - log.start_s)[1:]) < 1e-9


class Waits(Fixed):
    """Has its second φ when its first trial has ended."""

    def ask(self, worker, number):
        return LATER if number and not self.told else super().ask(worker, number)


def test_a_worker_waits_for_what_a_strategy_has_later():
    log, _ = replayed(Waits([5, 6, 7]), workers=2)
    assert log.start_s[1] == log.start_s[2] == log.end_s[0]


def test_a_strategy_that_waits_for_nothing_is_an_error():
    class Never(Fixed):
        def ask(self, worker, number):
            return LATER

    with pytest.raises(TrialwattError, match="waits for a trial"):
        replayed(Never([5]))


@given(
    number=st.integers(1, 10**6),
    pruner=st.sampled_from(["none", "asha"]),
    workers=st.integers(1, 6),
)
def test_the_parts_of_a_job_sum_to_it(number, pruner, workers):
    wanted = Wanted("plain", Search(sampler="random", pruner=pruner, budget=24), workers)
    replay = Replay(TABLE, wanted)
    log, job = replay.one(number)
    row, _ = outcomes(job, replay.costs, replay.scoring)
    parts = job.energies
    rows = [rows_of(log, n) for n in range(len(log))]
    dynamic = 0.0
    for n, own in enumerate(rows):
        mine = own.loc[: log.epochs[n] + (log.outcome[n] == FAILED)]
        dynamic += mine["dynamic_j"].sum()
        if pruner == "none":
            dynamic -= mine["validate_dynamic_j"].sum()
            if log.outcome[n] == COMPLETED:
                dynamic += mine["validate_dynamic_j"].iloc[-1]
    dynamic += replay.trials.imports[log.imported[log.imported >= 0], 1].sum()
    static = (2 * 0.5 + 1 * 0.25) * (log.end_s - log.start_s).sum()
    assert parts["trials"] == pytest.approx(dynamic + static)
    assert sum(parts.values()) == pytest.approx(row["job_energy_kwh"] * J_PER_KWH)
    reserved = workers * (2 * 0.5 + 0.25) * log.end_s.max()
    assert parts["idle"] == pytest.approx(reserved - static)
    assert min(parts.values()) >= -1e-9
    end = job.until(np.array([log.end_s.max()]))
    after = sum(parts.values()) - float(end.energy_kwh[0]) * J_PER_KWH
    assert after == pytest.approx(2.0 * workers / 2 + 0.5)  # what stands after the trials
    assert row["time_to_goal_ms"] <= row["jct_ms"] or not row["goal_reached"]


@given(number=st.integers(1, 10**6))
def test_energy_to_a_moment_rises_to_the_whole(number):
    replay = Replay(TABLE, Wanted("plain", Search(sampler="random", budget=12), 3))
    log, job = replay.one(number)
    moments = np.linspace(0, log.end_s.max(), 40)
    taken = job.until(moments).energy_kwh
    assert (np.diff(taken) > 0).all()


def test_a_search_is_of_one_seed_or_each_trial_is():
    strategy = Search(sampler="random", budget=24)
    one, each = (Replay(TABLE, Wanted("plain", strategy, 2, draw=d)) for d in ("search", "trial"))
    seen = set()
    for number in range(1, 30):
        log, job = one.one(number)
        (seed,) = set(log.seed.tolist())
        seen.add(seed)
        used = log.imported[log.imported >= 0]
        assert (one.trials.import_seed[used] == seed).all()
        assert job._frame.setup_s == pytest.approx(0.1 * (seed + 1))
        assert len(set(each.one(number)[0].seed.tolist())) == 3
    assert seen == {0, 1, 2}


def test_any_number_of_processes_gives_the_same():
    wanted = Wanted("optuna", Search(sampler="tpe", pruner="median", budget=12), 3)
    one = Replay(TABLE, wanted).searches(60, processes=1)
    two = Replay(TABLE, wanted).searches(60, processes=2)
    assert one.searches.equals(two.searches) and one.attained.equals(two.attained)
    other = Replay(TABLE, Wanted(**vars(wanted) | {"seed": 2})).searches(5, processes=1)
    assert not other.searches["jct_ms"].equals(one.searches["jct_ms"][:5])
