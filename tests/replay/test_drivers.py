"""The frameworks' own strategies on a table: asked as live, and refused where they leave it."""

import importlib.util
import types

import numpy as np
import pytest
from benchmarks.synthetic_table import SPACE, made
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.config.identity import repetition_seed
from trialwatt.config.models import Search
from trialwatt.errors import TrialwattError
from trialwatt.replay import drivers
from trialwatt.replay.drivers.plain import Halving
from trialwatt.replay.outcomes import outcomes
from trialwatt.replay.run import Replay, Wanted
from trialwatt.replay.trials import Places, discrete, trials_of
from trialwatt.suts import get

TABLE = made(failing=(3,))


def search(sampler="random", pruner="none", budget=24, **options):
    return Search(sampler=sampler, pruner=pruner, budget=budget, **options)


STRATEGIES = [
    ("plain", search("grid")),
    ("plain", search("random", "asha")),
    ("optuna", search("grid")),
    ("optuna", search("tpe", "median")),
    ("optuna", search("nsga2", "hyperband")),
    ("optuna", search("bruteforce", "percentile")),
    ("hyperopt", search("random")),
    ("hyperopt", search("tpe")),
    ("hyperopt", search("anneal")),
    ("ray", search("grid", "median")),
    ("ray", search("grid", budget=10)),
    ("ray", search("random", "asha")),
    ("ray", search("random", "hyperband")),
    ("ray", search("optuna", "asha")),
    ("ray", search("hyperopt")),
]


@pytest.mark.parametrize(
    ("sut", "wanted"),
    STRATEGIES,
    ids=lambda v: v if isinstance(v, str) else f"{v.sampler}-{v.pruner}",
)
def test_each_search_spends_its_budget_and_repeats_itself(sut, wanted):
    replay = Replay(TABLE, Wanted(sut, wanted, 3))
    log, job = replay.one(1)
    replay.one(2)
    again, _ = replay.one(1)
    assert len(log) == wanted.budget
    for name, values in vars(log).items():
        assert np.array_equal(values, getattr(again, name), equal_nan=True), name
    if wanted.sampler in ("grid", "bruteforce"):
        assert len(set(log.phi.tolist())) == wanted.budget
    assert job.energies["trials"] > 0
    if wanted.prunes:
        assert (log.outcome == 1).any()


def test_plain_draws_what_its_live_job_would():
    replay = Replay(TABLE, Wanted("plain", search(budget=10), 2))
    log, _ = replay.one(4)
    job = replay._job(repetition_seed(1, 4))
    phis = get("plain").samplers["random"].make(job)
    places = Places(TABLE.space)
    drawn = [places.of(phi, "plain") for phi in phis]
    for worker in range(2):
        mine = log.phi[log.worker == worker].tolist()
        assert mine == drawn[worker::2]


def test_optuna_decides_as_its_own_loop_does():
    """One worker: the same trials as study.optimize on the table."""
    import optuna

    from trialwatt.suts.optuna_strategies import pruner_of, sampler_of, seeds_of, suggest

    replay = Replay(TABLE, Wanted("optuna", search("tpe", "median", 20), 1))
    log, _ = replay.one(2)
    job = replay._job(repetition_seed(1, 2))
    trials = trials_of(TABLE, TABLE.space, TABLE.workload.goal, reported=True)
    places, asked = Places(replay.config.workload.space), []
    study = optuna.create_study(
        direction="maximize",
        sampler=sampler_of(job.workload, seeds_of(job.seed, 1, 0, 0)),
        pruner=pruner_of(job.workload),
    )

    def objective(trial):
        place = places.of(suggest(trial, job.workload.space), "optuna")
        asked.append(place)
        seed = log.seed[place]
        for epoch in range(1, 6):
            if trials.failed[place, seed] and epoch == trials.lasts[place, seed]:
                raise ArithmeticError
            score = trials.score[place, seed, epoch]
            trial.report(score, epoch)
            if trial.should_prune() and epoch < 5:
                raise optuna.TrialPruned
        return score

    study.optimize(objective, n_trials=20, catch=(ArithmeticError,))
    assert asked == log.phi.tolist()
    states = [trial.state.name for trial in study.trials]
    names = ["COMPLETE", "PRUNED", "FAIL"]
    assert states == [names[outcome] for outcome in log.outcome.tolist()]


@given(
    scores=st.lists(
        st.tuples(st.integers(0, 39), st.sampled_from([0.1, 0.25, 0.3, 0.7, 0.75, 0.9])),
        max_size=90,
    ),
    factor=st.sampled_from([2, 3, 4]),
    grace=st.integers(1, 2),
)
def test_our_halving_decides_as_rays(scores, factor, grace):
    from ray.tune.schedulers import ASHAScheduler, TrialScheduler

    epochs = 9
    theirs = ASHAScheduler(max_t=epochs, reduction_factor=factor, grace_period=grace)
    theirs.set_search_properties("score", "max")
    ours = Halving([], epochs, grace, factor)
    reached, trials = {}, {}
    for number, score in scores:
        epoch = reached[number] = reached.get(number, 0) + 1
        if epoch >= epochs:
            continue
        if number not in trials:
            trials[number] = types.SimpleNamespace(trial_id=str(number))
            theirs.on_trial_add(None, trials[number])
        result = {"score": score, "training_iteration": epoch}
        stops = theirs.on_trial_result(None, trials[number], result) == TrialScheduler.STOP
        assert (epoch in ours.stages and ours.report(number, epoch, score)) == stops
        if stops:
            reached[number] = epochs


@pytest.mark.parametrize(
    ("sut", "wanted", "said"),
    [
        ("optuna", search("cmaes"), "cmaes searches ranges only"),
        ("optuna", search("qmc"), "qmc has a sequence for ranges only"),
        ("ray", search("bayesopt"), "continuous ranges only"),
        ("optuna", search("tpe", "nothing"), "no pruner 'nothing'"),
        ("optuna", search("tpe", sampler_options={"nothing": 1}), "Optuna refuses them"),
        ("plain", search("tpe"), "no sampler 'tpe'"),
        ("ray", search("random", "pbt"), "pruner pbt pauses trials, which replay does not"),
    ],
)
def test_what_cannot_be_replayed_is_named(sut, wanted, said):
    with pytest.raises(TrialwattError, match=said):
        Replay(TABLE, Wanted(sut, wanted, 3))


def test_a_scheduler_that_pauses_trials_is_named(monkeypatch):
    from trialwatt.suts import ray_strategies
    from trialwatt.suts.strategies import Strategy

    def synchronous(workload, options):
        from ray.tune.schedulers import HyperBandScheduler

        return HyperBandScheduler(max_t=workload.epochs)

    monkeypatch.setitem(ray_strategies.PRUNERS, "synchronous", Strategy(synchronous))
    with pytest.raises(TrialwattError, match="ray's synchronous cannot be replayed: HyperBandSch"):
        Replay(TABLE, Wanted("ray", search("random", "synchronous"), 2)).one(1)


def test_a_sut_that_neither_asks_nor_tells_is_named(monkeypatch):
    from trialwatt.suts.base import Sut

    monkeypatch.setattr(drivers, "get", lambda name: Sut)
    with pytest.raises(TrialwattError, match="own: its strategies cannot be replayed"):
        drivers.driver("own")


def test_a_strategy_that_asks_outside_of_the_table_is_named():
    places = Places(TABLE.space)
    phi = {"lr": 0.5, "decay": 1e-6, "ls": 32, "ln": 1}
    with pytest.raises(
        TrialwattError, match=r"optuna's tpe asked outside of the table, for .*0\.5"
    ):
        places.of(phi, "optuna's tpe")


def test_a_range_on_the_grid_stays_ordered_and_another_becomes_choices():
    from trialwatt.config.models import Workload

    space = Workload.model_validate(
        {
            "space": {
                "a": {"low": 1, "high": 4},
                "b": {"low": 1e-4, "high": 1e-2, "log": True, "levels": 3},
                "c": {"choices": ["x", "y"]},
                "d": {"low": 0.0, "high": 1.0, "step": 0.25},
                "e": {"low": 1, "high": 9, "levels": 3},
            }
        }
    ).space
    found = discrete(space)
    assert found["a"] == space["a"] and found["c"] == space["c"] and found["d"] == space["d"]
    assert [round(value, 9) for value in found["b"].choices] == [1e-4, 1e-3, 1e-2]
    assert found["e"].choices == [1, 5, 9]


def test_the_space_of_a_replay_may_be_a_part_of_the_tables():
    part = made(space=SPACE | {"lr": {"choices": [0.001]}}).space
    replay = Replay(TABLE, Wanted("optuna", search("grid", budget=8), 2, space=part))
    log, _ = replay.one(1)
    assert len(log) == 8 and replay.trials.lasts.shape == (8, 3)
    other = made(space=SPACE | {"lr": {"choices": [0.5]}}).space
    with pytest.raises(
        TrialwattError, match=r"not a part of the table's: .*0\.5.* was not measured"
    ):
        Replay(TABLE, Wanted("optuna", search("grid", budget=8), 2, space=other))


class Backwards:
    """Asks for the grid from its end, and stops trials below a half after two epochs."""

    def __init__(self, job):
        from trialwatt.config.space import grid

        self.left = grid(job.workload.space)
        self.told = []

    def ask(self, number):
        return {k: np.float64(v) if k == "lr" else v for k, v in self.left.pop().items()}

    def tell(self, number, score):
        self.told.append((number, score))

    def report(self, number, epoch, score):
        return epoch == 2 and score < 0.5


def test_any_sut_that_asks_and_tells_is_replayed(monkeypatch):
    from trialwatt.replay.drivers import asked
    from trialwatt.suts.asktell import AskTell
    from trialwatt.suts.strategies import Strategy

    opened = []

    class Own(AskTell):
        name = "own"
        samplers = {"backwards": Strategy(lambda: None)}
        pruners = AskTell.pruners | {"half": Strategy(lambda: None)}

        def open(self, job):
            opened.append(Backwards(job))
            return opened[-1]

    for module in (drivers, asked):
        monkeypatch.setattr(module, "get", lambda name: Own)
    monkeypatch.setattr("trialwatt.replay.costs.get", lambda name: Own)
    replay = Replay(TABLE, Wanted("own", search("backwards", "half"), 2))
    log, job = replay.one(1)
    assert log.phi.tolist() == list(range(23, -1, -1))
    below = np.flatnonzero(log.outcome == 1)
    assert len(below) and (log.epochs[below] == 2).all() and (log.score[below] < 0.5).all()
    told = dict(opened[0].told)
    assert all(told[number] is None for number in below.tolist())
    assert job.energies["services"] > 0  # its framework's process is reserved


CONDITIONAL = {
    "booster": {"choices": ["tree", "linear"]},
    "depth": {"choices": [2, 4, 8], "when": {"booster": ["tree"]}},
    "rate": {"choices": [0.1, 0.3]},
}


@pytest.mark.parametrize(
    ("sut", "wanted"),
    [
        ("plain", search("random", budget=20)),
        ("optuna", search("tpe", "median", budget=20)),
        ("hyperopt", search("tpe", budget=25)),
        ("ray", search("random", "asha", budget=20)),
        ("ray", search("optuna", budget=20)),
        ("ray", search("hyperopt", budget=20)),
        ("ray", search("grid", budget=8)),
    ],
    ids=lambda v: v if isinstance(v, str) else v.sampler,
)
def test_a_space_with_conditions_is_searched(sut, wanted):
    table = made(space=CONDITIONAL)
    assert len(table.phis) == 3 * 2 + 2
    replay = Replay(table, Wanted(sut, wanted, 2))
    log, _ = replay.one(1)
    assert len(log) == wanted.budget
    deep = {"depth" in table.phis[place] for place in log.phi.tolist()}
    assert deep == {True, False}
    if wanted.sampler == "grid":
        assert sorted(log.phi.tolist()) == list(range(8))


def test_a_goal_to_be_minimised_is_told_as_one_to_be_maximised():
    """Of a loss that is 1 − the score, all is as of the score."""
    goals = [{"target": 0.8}, {"score": "loss", "direction": "minimize", "target": 0.2}]
    rows, logs = [], []
    for goal in goals:
        replay = Replay(made(goal=goal), Wanted("optuna", search("tpe", "median"), 2))
        log, job = replay.one(3)
        row, reached = outcomes(job, replay.costs, replay.scoring)
        rows.append((row, reached))
        logs.append(log)
    (score, by_score), (loss, by_loss) = rows
    assert (logs[0].phi == logs[1].phi).all() and (logs[0].epochs == logs[1].epochs).all()
    assert loss["best_score"] == pytest.approx(1 - score["best_score"])
    assert loss["energy_to_goal_kwh"] == pytest.approx(score["energy_to_goal_kwh"])
    assert by_loss.energy_kwh == pytest.approx(by_score.energy_kwh, nan_ok=True)


def test_a_budget_of_energy_is_named():
    with pytest.raises(TrialwattError, match="only a budget of trials is replayed"):
        Replay(TABLE, Wanted("plain", search(budget={"kwh": 1.0, "trials": 20}), 2))


def test_a_framework_that_breaks_is_named(monkeypatch):
    def breaks(self, number, score, outcome):
        raise ArithmeticError("no number")

    monkeypatch.setattr("trialwatt.replay.drivers.optuna.Search.tell", breaks)
    with pytest.raises(
        TrialwattError, match=r"optuna's tpe, search 3: .*test_drivers\.py:\d+: Arith.*: no number"
    ):
        Replay(TABLE, Wanted("optuna", search("tpe"), 2)).one(3)


@pytest.mark.skipif(not importlib.util.find_spec("smac"), reason="needs smac")
def test_smac_is_replayed():
    log, _ = Replay(TABLE, Wanted("smac", search("smac", budget=12), 2)).one(1)
    assert len(log) == 12
