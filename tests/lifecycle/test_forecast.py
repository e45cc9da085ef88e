"""What will run, and for how long, by the records that exist."""

import json

import pytest

from trialwatt.config.files import plan_of_files
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.announce import Wanted, announce, standing, write_planned
from trialwatt.lifecycle.durations import Durations, took
from trialwatt.lifecycle.forecast import forecast, forecast_text, trials_alone
from trialwatt.lifecycle.workflow import asked_for

SETTINGS = """
experiments: [baseline, r-cpu]
base: digits-ff
set: {workers.count: 2, workers.cpu: 1}
only: {workers.cpu: [1, 2]}
suts: [plain, optuna]
repetitions: 2
"""


@pytest.fixture
def plan(tmp_path, monkeypatch):
    import shutil
    from pathlib import Path

    shutil.copytree(Path(__file__).parents[2] / "config", tmp_path / "config")
    (tmp_path / "config" / "config.yaml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    return plan_of_files([], root=tmp_path)


def done(folder, seconds, sut="plain"):
    folder.mkdir(parents=True)
    times = {"started_utc_ns": 0, "ended_utc_ns": int(seconds * 1e9)}
    (folder / "run.json").write_text(json.dumps(times | {"config": {"sut": sut}}))
    return folder


def test_without_records_the_time_is_unknown(plan):
    parts, whole = forecast(plan)
    counted = [(p.experiment, p.sut, p.treatments, p.at_most, p.is_sweep) for p in parts]
    assert counted == [
        ("baseline", "plain", 1, 2, False),
        ("baseline", "optuna", 1, 2, False),
        ("r-cpu", "plain", 2, 4, True),
        ("r-cpu", "optuna", 2, 4, True),
    ]
    assert (whole.treatments, whole.at_most, whole.done, whole.seconds_left) == (4, 8, 0, None)
    text = forecast_text(plan)
    assert "≤ 4" in text and "unknown" in text
    assert "one warm-up run of each of plain, optuna" in text


def test_the_time_follows_from_the_runs_that_are_done(plan, tmp_path):
    runs = plan.experiments["baseline"].runs
    (baseline,) = [r.folder for r in runs if plan.run(r.folder).sut == "plain"]
    done(tmp_path / "results" / baseline / "rep1", 10)
    done(tmp_path / "results" / baseline / "rep2", 20)
    parts, whole = forecast(plan)
    assert [p.seconds_left for p in parts] == [0, 30, 2 * 15, 60]
    assert whole.seconds_left == 6 * 15
    assert whole.done == 2
    assert "2 min" in forecast_text(plan)


def test_progress_counts_what_the_moves_have_asked_for(tmp_path, capfd):
    wanted = Wanted([f"{tmp_path}/runs/a/rep1"], ["r-cpu/plain-grid"])
    write_planned(tmp_path, wanted, wanted, {"runs/a": "plain", "runs/b": "plain"}, 1, "plan")
    done(tmp_path / "runs" / "a" / "rep1", 30)
    announce(tmp_path, "next")
    assert capfd.readouterr().err == "[2/1+] next; about 0 s left\n"
    moves = tmp_path / "sweeps" / "r-cpu" / "plain-grid"
    moves.mkdir(parents=True)
    (moves / "move0.json").write_text(json.dumps({"new": ["runs/b/rep1", "runs/b/rep2"]}))
    announce(tmp_path, "next")
    assert capfd.readouterr().err == "[2/3+] next; about 60 s left\n"
    (moves / "move1.json").write_text(json.dumps({"new": []}))
    announce(tmp_path, "next")
    assert capfd.readouterr().err == "[2/3] next; about 60 s left\n"


def test_what_passes_between_runs_is_part_of_the_time(tmp_path):
    at = 0.0
    for number in range(1, 5):
        folder = done(tmp_path / "a" / f"rep{number}", 0)
        times = {"started_utc_ns": int(at * 1e9), "ended_utc_ns": int((at + 10) * 1e9)}
        (folder / "run.json").write_text(json.dumps(times | {"config": {"sut": "plain"}}))
        at += 14 if number < 3 else 5000  # the machine was used for something else
    finished = Durations(sorted((tmp_path / "a").iterdir()))
    assert finished.between_s == 4
    assert finished.expected(tmp_path / "a", "plain") == 14


def test_only_what_was_asked_for_is_counted_but_a_block_holds_the_whole_plan(tmp_path, capfd):
    asked = Wanted([f"{tmp_path}/runs/a/rep1"], [])
    whole = Wanted([*asked.folders, f"{tmp_path}/runs/b/rep1"], ["r-cpu/plain-grid"])
    write_planned(tmp_path, whole, asked, {"runs/a": "plain", "runs/b": "plain"}, 1, "plan")
    announce(tmp_path, "first")
    assert capfd.readouterr().err == "[1/1] first\n"
    assert standing(tmp_path, "runs/a", 1)["runs"] == 2


def test_an_experiment_that_is_named_alone_is_foretold_alone(plan):
    some = ["--cores", "1", "-n"]
    assert asked_for(plan, ["r-cpu"], ["r_cpu", *some]) == ["r-cpu"]
    assert asked_for(plan, ["r-cpu"], ["r_cpu", "page", *some]) == ["baseline", "r-cpu"]
    assert asked_for(plan, [], some) == ["baseline", "r-cpu"]
    text = forecast_text(plan, ["r-cpu"])
    assert "r-cpu" in text and "baseline" not in text
    parts, whole = forecast(plan, ["baseline"])
    assert [part.experiment for part in parts] == ["baseline", "baseline"]
    assert (whole.treatments, whole.at_most, whole.is_sweep) == (2, 4, False)


def test_without_records_a_timed_trial_tells_the_trials_alone(plan, tmp_path):
    parts, whole = forecast(plan, calibrated=lambda config: 10.0)
    assert [part.seconds_left for part in parts] == [20, 20, 40, 40]
    assert (whole.seconds_left, whole.is_calibrated) == (80, True)
    text = forecast_text(plan, calibrated=lambda config: 10.0)
    some = forecast_text(plan, calibrated=lambda c: 10.0 if c.sut == "plain" else None)
    assert "over 40 s *" in some and "unknown" in some  # in all, and of Optuna's
    assert "80 s *" in text and "\n* the trials alone" in text and "unknown" not in text
    (baseline,) = [r.folder for r in plan.experiments["baseline"].runs if "plain" in r.folder]
    done(tmp_path / "results" / baseline / "rep1", 30)
    assert "*" not in forecast_text(plan, calibrated=lambda config: 10.0)


def test_the_timed_trial_is_scaled_to_the_rounds_of_the_run_and_the_cores_of_its_workers(plan):
    one, two = (
        plan.run(run.folder)
        for cpu in (1, 2)
        for run in plan.experiments["r-cpu"].runs
        if (plan.run(run.folder).sut, plan.run(run.folder).workload.workers.cpu) == ("plain", cpu)
    )
    assert trials_alone(one) * one.worker_cpu == pytest.approx(trials_alone(two) * two.worker_cpu)
    assert trials_alone(one) > 0


def test_what_runs_elsewhere_is_not_told_by_a_trial_here(plan):
    run = next(iter(plan.runs.values()))
    there = run.testbed.model_copy(update={"platform": "kubernetes"})
    assert trials_alone(run.model_copy(update={"testbed": there})) is None


def test_a_sut_whose_name_begins_as_that_of_another_is_not_taken_for_it(tmp_path):
    runs = [done(tmp_path / f"climb{n}" / "rep1", n, "climb") for n in (1, 2, 3)]
    runs.append(done(tmp_path / "climb-alone-x" / "rep1", 50, "climb-alone"))
    finished = Durations(runs)
    assert finished.expected(tmp_path / "other", "climb") == 2
    assert finished.expected(tmp_path / "other", "climb-alone") == 50
    assert finished.expected(tmp_path / "climb3", "climb") == 3
    assert finished.expected(tmp_path / "other", "plain") == 2.5
    assert finished.done(tmp_path / "climb1") == 1


DAMAGED = [
    "",
    "[]",
    "{}",
    '{"started_utc_ns": 1, "ended_utc_ns": "2", "config": {"sut": "plain"}}',
    '{"started_utc_ns": 1, "ended_utc_ns": 2, "config": []}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(TrialwattError, match=r"run\.json: "):
        took(tmp_path / "run.json")
