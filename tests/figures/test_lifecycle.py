import numpy as np
import pytest
from tests.figures.drawn import bars, dots, words

from trialwatt.figures.lifecycle import (
    PARTS,
    REST,
    UNSPLIT,
    energy_by_step,
    lifecycle,
    time_by_step,
)


def test_time_adds_up_to_the_runs_length(make_synthetic):
    runs, trials = make_synthetic()
    table = time_by_step(runs, trials)
    steps = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")
    assert table.sum(axis=1).values == pytest.approx(runs[[f"{s}_ms" for s in steps]].sum(axis=1))
    assert table[UNSPLIT].isna().all()
    first = trials[trials["folder"] == runs.loc[0, "folder"]]
    assert table.loc[0, "train"] == pytest.approx(first["train_ms"].sum() / runs.loc[0, "wn"])


def test_energy_adds_up_to_the_jobs(make_synthetic):
    runs, _ = make_synthetic()
    table = energy_by_step(runs)
    assert table.sum(axis=1).values == pytest.approx(runs["job_energy_kwh"])
    outside = runs["step_trials_energy_kwh"] * 0.2
    assert table[REST].values == pytest.approx(outside)


def test_a_run_without_its_trials_keeps_the_step_whole(make_synthetic):
    runs, trials = make_synthetic()
    table = time_by_step(runs, trials[trials["folder"] != runs.loc[0, "folder"]])
    assert table.loc[0, UNSPLIT] == runs.loc[0, "trials_ms"]
    assert table.loc[0, list(PARTS)].isna().all() and table[UNSPLIT].notna().sum() == 1
    assert (time_by_step(runs, trials.iloc[:0])[UNSPLIT] == runs["trials_ms"]).all()


def test_energy_that_is_not_known_is_not_zero(make_synthetic):
    runs, trials = make_synthetic(values=(2, 4))
    energies = [name for name in runs if name.endswith("_energy_kwh")]
    runs.loc[runs["sut"] == "optuna", energies] = np.nan
    assert energy_by_step(runs)[runs["sut"] == "optuna"].isna().all(axis=None)
    assert words(lifecycle(runs, trials, "r-node")).count("not on record") == 2


def test_bars_are_means_and_dots_are_repetitions(make_synthetic):
    runs, trials = make_synthetic(values=(2, 4))
    figure = lifecycle(runs, trials, "r-node")
    time, energy = figure.axes
    ends = [round(right, 6) for _, right, _ in bars(energy)]
    means = runs.groupby(["sut", "wn"])["job_energy_kwh"].mean() * 1e6
    assert all(round(value, 6) in ends for value in means)
    totals = sorted(x for x, _ in dots(energy, 2.2))
    assert totals == pytest.approx(sorted(runs["job_energy_kwh"] * 1e6))
    text = words(figure)
    assert "mWh, modelled" in text and "wall time per run (s)" in text and "n = 3" in text
    labels = [tick.get_text() for tick in time.get_yticklabels()]
    assert labels == [f"{sut}, {n} workers" for sut in ("plain", "optuna") for n in (2, 4)]


def test_only_completed_runs_are_averaged(make_synthetic):
    runs, trials = make_synthetic(values=(2, 4))
    runs.loc[0, "status"] = "deadline"
    assert "n = 2–3" in words(lifecycle(runs, trials, "r-node"))


def test_no_data(make_synthetic):
    runs, trials = make_synthetic()
    assert "No data" in words(lifecycle(runs.iloc[:0], trials.iloc[:0], "r-node"))
    runs["status"] = "infeasible"
    assert "no run of this experiment was completed" in words(lifecycle(runs, trials, "r-node"))
