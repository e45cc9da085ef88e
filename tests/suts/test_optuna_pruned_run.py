"""A whole run with a pruner: its trials end early, and records and metrics say so."""

import pytest
from tests.contexts import PLAIN

from trialwatt.contract.reading import events, manifest, trials
from trialwatt.metrics.extract import extract_run

EPOCHS = 12


@pytest.fixture(scope="module")
def folder(run_job, tmp_path_factory):
    space = {
        "lr": {"choices": [1e-7, 1e-2]},
        "decay": {"choices": [1e-6]},
        "ls": {"choices": [16, 24, 32, 48, 64]},
        "ln": {"choices": [1]},
    }
    search = {"pruner": "median", "pruner_options": {"n_startup_trials": 1}}
    results = tmp_path_factory.mktemp("pruned") / "results"
    return run_job(results, "optuna", space=space, search=search, epochs=EPOCHS)


def test_bad_trials_end_early_and_the_records_say_after_how_many_epochs(folder):
    assert manifest(folder)["status"] == "completed", manifest(folder)["reason"]
    found = trials(folder)
    pruned = {name: t for name, t in found.items() if t["outcome"] == "pruned"}
    assert len(found) == 10
    assert sum(trial["phi"]["lr"] == 1e-7 for trial in pruned.values()) >= 2
    reported = {}
    for event in events(folder):
        if event["kind"] == "epoch":
            reported.setdefault(event["trial"], []).append(event["epoch"])
    for name, trial in found.items():
        assert reported[name] == list(range(1, trial["epochs"] + 1))
        assert trial["scores"].keys() == {"macro_f1", "accuracy"}
        early = trial["epochs"] < EPOCHS
        assert early == (trial["outcome"] == "pruned")
    best = manifest(folder)["best"]
    assert found[best["trial"]]["outcome"] == "completed"
    assert best["phi"]["lr"] == 1e-2


def test_the_metrics_class_them_as_waste_and_estimate_what_was_avoided(folder):
    metrics = extract_run(folder, PLAIN)
    rows = metrics.trials.set_index("trial")
    for name, trial in trials(folder).items():
        assert rows.loc[name, "outcome"] == trial["outcome"]
        assert rows.loc[name, "epochs"] == trial["epochs"]
        assert (rows.loc[name, "waste_class"] == "pruned") == (trial["outcome"] == "pruned")
    assert metrics.run["trials_pruned"] == (rows["outcome"] == "pruned").sum() > 0
    assert 0 < metrics.run["waste_pruned_time_share"] < 1
    assert metrics.run["avoided_energy_kwh"] > 0
