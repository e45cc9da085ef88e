"""The frameworks' own libraries, with a block around their search."""

import time

import pytest

import trialwatt

MODEL = {"meters": ["model"], "line": False}


def busy(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def objective(trial):
    optuna = pytest.importorskip("optuna")
    x = trial.suggest_int("x", 0, 3)
    busy(0.03)
    if x == 3:
        raise optuna.TrialPruned
    if x == 2:
        raise ZeroDivisionError
    return float(x)


def study():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = optuna.create_study(sampler=optuna.samplers.GridSampler({"x": [0, 1, 2, 3]}, seed=1))
    return made


ENDS = {0: ("completed", 0.0), 1: ("completed", 1.0), 2: ("failed", None), 3: ("pruned", None)}


def check(result):
    """Threads may try a point of the grid twice: that is Optuna's."""
    assert {t.phi["x"] for t in result.trials} == ENDS.keys()
    assert all((t.outcome, t.score) == ENDS[t.phi["x"]] for t in result.trials)
    assert result.trials_j + result.idle_j == pytest.approx(result.energy_j)
    assert all(t.place.startswith(f"{__file__}:") for t in result.trials)


def test_the_objective_of_optuna():
    from trialwatt.measure.optuna import metered

    with trialwatt.measure(**MODEL) as m:
        study().optimize(metered(objective, m), catch=(ZeroDivisionError,))
    check(m.result)
    for trial in m.result.trials:
        assert trial.cpu_s == pytest.approx(0.03, abs=0.025)


def test_the_objective_of_optuna_in_threads():
    from trialwatt.measure.optuna import metered

    with trialwatt.measure(**MODEL) as m:
        study().optimize(metered(objective, m), catch=(ZeroDivisionError,), n_jobs=2)
    check(m.result)
    assert not [note for note in m.result.notes if "its thread" in note]


def test_the_callback_of_optuna():
    from trialwatt.measure.optuna import Callback

    with trialwatt.measure(**MODEL) as m:
        study().optimize(objective, catch=(ZeroDivisionError,), callbacks=[Callback(m)])
    check(m.result)
    for trial in m.result.trials:
        assert trial.seconds == pytest.approx(0.05, abs=0.3)


def slow(trial):
    busy(0.05)
    return trial.suggest_float("x", 0, 1)


@pytest.mark.parametrize("way", ["metered", "Callback"])
def test_a_budget_stops_a_study(way):
    optuna = pytest.importorskip("optuna")
    import trialwatt.measure.optuna as ways

    study = optuna.create_study()
    with trialwatt.measure(**MODEL, budget={"kwh": 1e-6}) as m:
        if way == "metered":
            study.optimize(ways.metered(slow, m), n_trials=500)
        else:
            study.optimize(slow, n_trials=500, callbacks=[ways.Callback(m)])
    assert 0 < len(m.result.trials) < 500
    assert m.result.energy_kwh >= 1e-6
    assert m.spent.endswith("of 1e-06 kWh")


def test_a_budget_ends_fmin():
    hyperopt = pytest.importorskip("hyperopt")
    from trialwatt.measure.hyperopt import metered, until_spent

    with trialwatt.measure(**MODEL, budget={"seconds": 0.5}) as m:
        hyperopt.fmin(
            metered(lambda x: busy(0.05) or x, m),
            hyperopt.hp.uniform("x", 0, 1),
            hyperopt.rand.suggest,
            max_evals=500,
            early_stop_fn=until_spent(m),
            show_progressbar=False,
        )
    assert 0 < len(m.result.trials) < 500
    assert m.result.seconds >= 0.5


def test_a_budget_of_what_rays_trials_report():
    pytest.importorskip("ray")
    from trialwatt.measure.ray import until_spent

    stopper = until_spent(0.01)
    for trial, kwh in (("a", 0.004), ("a", 0.006), ("b", 0.003)):
        assert not stopper(trial, {"energy_kwh": kwh})
        assert not stopper.stop_all()
    stopper("b", {"energy_kwh": 0.004})
    assert stopper.stop_all()


def test_the_objective_of_hyperopt():
    hyperopt = pytest.importorskip("hyperopt")
    from trialwatt.measure.hyperopt import metered

    def loss(phi):
        busy(0.03)
        if phi["x"] > 0.9:
            return {"status": hyperopt.STATUS_FAIL}
        return {"loss": phi["x"], "status": hyperopt.STATUS_OK}

    with trialwatt.measure(**MODEL) as m:
        hyperopt.fmin(
            metered(loss, m),
            {"x": hyperopt.hp.uniform("x", 0, 1)},
            algo=hyperopt.rand.suggest,
            max_evals=5,
            rstate=__import__("numpy").random.default_rng(0),
            show_progressbar=False,
        )
    assert len(m.result.trials) == 5
    for trial in m.result.trials:
        failed = trial.phi["x"] > 0.9
        assert trial.outcome == ("failed" if failed else "completed")
        assert trial.score == (None if failed else trial.phi["x"])
    assert m.result.trials_j + m.result.idle_j == pytest.approx(m.result.energy_j)


def test_a_plain_number_is_a_loss_of_hyperopt():
    from trialwatt.measure.hyperopt import metered

    with trialwatt.measure(**MODEL) as m:
        assert metered(lambda phi: 0.5, m)({"x": 1}) == 0.5
    assert [(t.score, t.outcome) for t in m.result.trials] == [(0.5, "completed")]


def test_the_trainable_of_ray(tmp_path):
    """Its worker measures, and what it drew is among the metrics."""
    ray = pytest.importorskip("ray")
    from ray import tune

    from trialwatt.measure.ray import metered

    def trainable(config):  # here, so that the worker needs no module of the tests
        from trialwatt.measure.ray import report

        sum(range(10**6))
        if config["reports"]:
            report({"score": 1.0})
            return None
        return {"score": 1.0}

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        tuner = tune.Tuner(
            metered(trainable, meters=["model"]),
            param_space={"reports": tune.grid_search([True, False])},
            run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
        )
        results = tuner.fit()
    finally:
        ray.shutdown()
    assert len(results) == 2 and not results.errors
    for each in results:
        assert each.metrics["energy_j"] > 0 and each.metrics["energy_method"] == "modelled"
        assert each.metrics["score"] == 1.0


TRAINING = """
import argparse, time
from syne_tune import Reporter

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=int)
x = parser.parse_known_args()[0].x
report, end = Reporter(), time.process_time() + 0.3
while time.process_time() < end:
    pass
if x == 2:
    raise SystemExit(3)
report(score=float(x))
"""


def test_the_tuner_of_syne_tune(tmp_path, monkeypatch):
    pytest.importorskip("syne_tune")
    monkeypatch.setenv("SYNETUNE_FOLDER", str(tmp_path / "tuner"))
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import randint
    from syne_tune.optimizer.baselines import RandomSearch

    from trialwatt.measure.syne_tune import callback

    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    points = [{"x": x} for x in (1, 2, 3)]
    scheduler = RandomSearch(
        {"x": randint(0, 9)}, metrics=["score"], random_seed=1, points_to_evaluate=points
    )
    with trialwatt.measure(**MODEL) as m:
        Tuner(
            trial_backend=LocalBackend(str(script)),
            scheduler=scheduler,
            stop_criterion=StoppingCriterion(max_num_trials_finished=3),
            n_workers=1,
            sleep_time=0.1,
            max_failures=3,
            save_tuner=False,
            callbacks=[callback(m)],
            tuner_name="metered",
        ).run()
    told = {trial.phi["x"]: (trial.outcome, trial.score) for trial in m.result.trials}
    assert told.items() >= {1: ("completed", 1.0), 2: ("failed", None)}.items()
    assert all(trial.cpu_s > 0.2 for trial in m.result.trials[:2])
