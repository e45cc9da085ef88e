"""Every pruner of Optuna stops bad configurations early, and the good one is still found."""

import pytest
from tests.suts.scripted import job_of, search

from trialwatt.suts.optuna import Optuna
from trialwatt.suts.optuna_strategies import PRUNERS, pruner_of

EPOCHS = 9
SPACE = {"lr": {"choices": [1e-7, 1e-2]}, "ls": {"choices": [4, 8, 16, 32, 64, 128, 256, 512]}}
PRUNING = [name for name in PRUNERS if name != "none"]


def learning(phi, epoch):
    """lr 1e-7 never gets anywhere and gets worse; lr 1e-2 rises, larger layers a little higher."""
    if phi["lr"] == 1e-7:
        return 0.1 - epoch / 1000
    return 0.9 - 0.5 / epoch + phi["ls"] / 10_000


def run(folder, pruner, seed=7, **options):
    search_keys = {"sampler": "grid", "pruner": pruner, "pruner_options": options}
    job = job_of(folder, "optuna", SPACE, search_keys, seed=seed, epochs=EPOCHS)
    return job, search(Optuna(), job, learning)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("pruner", PRUNING)
def test_a_pruner_stops_bad_configurations_early(pruner, tmp_path_factory):
    bad = good = 0
    for seed in range(3):  # of shuffled grids, one could begin with all the bad ones
        job, found = run(tmp_path_factory.mktemp("job"), pruner, seed)
        assert len(found) == 16
        pruned = [(phi, epochs) for phi, _, outcome, epochs in found if outcome == "pruned"]
        assert all(0 < epochs < EPOCHS for _, epochs in pruned)
        bad += sum(phi["lr"] == 1e-7 for phi, _ in pruned)
        good += sum(phi["lr"] == 1e-2 for phi, _ in pruned)
        best = Optuna().best(job)
        assert best.phi["lr"] == 1e-2
        completed = [
            (learning(phi, epochs), phi) for phi, _, how, epochs in found if how != "pruned"
        ]
        assert best.phi == max(completed, key=lambda pair: pair[0])[1]
    assert bad >= 5
    if pruner in ("threshold", "wilcoxon", "patient"):  # the others go by rank, whatever the score
        assert good <= bad


@pytest.mark.parametrize("pruner", PRUNING)
def test_optuna_knows_which_trials_were_pruned(pruner, tmp_path):
    import optuna

    from trialwatt.suts.optuna_storage import open_storage

    job, found = run(tmp_path, pruner)
    study = optuna.load_study(study_name=job.run_id, storage=open_storage(job))
    states = {trial.number: trial.state.name.lower() for trial in study.trials}
    words = {"complete": "completed", "pruned": "pruned"}
    assert {number: words[state] for number, state in states.items()} == {
        number: outcome for _, number, outcome, _ in found
    }
    assert [len(trial.intermediate_values) for trial in study.trials] == [
        epochs for *_, epochs in found
    ]


def test_without_a_pruner_nothing_is_reported(tmp_path):
    _, found = run(tmp_path, "none")
    assert {(outcome, epochs) for *_, outcome, epochs in found} == {("completed", EPOCHS)}


def test_a_patient_pruner_wraps_another(tmp_path_factory):
    def pruned(**options):
        _, found = run(tmp_path_factory.mktemp("job"), "patient", **options)
        return [epochs for *_, outcome, epochs in found if outcome == "pruned"]

    assert min(pruned(patience=1)) == 3
    assert min(pruned(patience=4)) == 6
    # `none` asks nobody: all bad configurations end; a threshold below all scores ends none
    assert len(pruned(patience=1, wrapped="none")) == 8
    assert pruned(patience=1, wrapped="threshold", lower=0.01) == []
    assert len(pruned(patience=1, wrapped="threshold", lower=0.5)) == 8


@pytest.mark.parametrize(("sign", "direction"), [(1, "maximize"), (-1, "minimize")])
def test_the_bounds_of_a_threshold_are_of_the_goals_own_score(sign, direction, monkeypatch):
    from types import SimpleNamespace

    def stopped(score, **options):
        search_keys = {"sampler": "grid", "pruner": "threshold", "pruner_options": options}
        goal = {"score": "loss", "direction": direction}
        load = job_of("", "optuna", SPACE, search_keys, goal=goal).workload
        trial = SimpleNamespace(last_step=1, intermediate_values={1: sign * score})
        return pruner_of(load).prune(None, trial)

    monkeypatch.setattr("trialwatt.suts.optuna_strategies.is_of_images", lambda workload: False)
    assert [stopped(score, upper=3.0) for score in (2.0, 4.0, -4.0)] == [False, True, False]
    assert [stopped(score, lower=-3.0) for score in (2.0, 4.0, -4.0)] == [False, False, True]
    both = [stopped(score, lower=1, upper=3.0) for score in (0.0, 2.0, 4.0)]
    assert both == [True, False, True]


@pytest.mark.parametrize(
    "chosen",
    [{"pruner": "threshold"}, {"pruner": "patient", "pruner_options": {"wrapped": "threshold"}}],
)
def test_only_for_images_has_a_threshold_a_default(chosen, monkeypatch):
    search_keys = {"sampler": "grid"} | chosen
    load = job_of("", "optuna", SPACE, search_keys, goal={"score": "loss"}).workload
    assert Optuna.search_problems(load) == []
    monkeypatch.setattr("trialwatt.suts.optuna_strategies.is_of_images", lambda workload: False)
    said = "threshold needs pruner_options with `lower` or `upper` here, a bound of loss"
    assert Optuna.search_problems(load) == [("search.pruner", said)]
    options = chosen.get("pruner_options", {}) | {"upper": 3.0}
    load = job_of("", "optuna", SPACE, search_keys | {"pruner_options": options}).workload
    assert Optuna.search_problems(load) == []


def test_each_pruner_is_optunas_own():
    import optuna

    for strategy in PRUNERS.values():
        assert issubclass(getattr(optuna.pruners, strategy.native), optuna.pruners.BasePruner)
