"""What will run, and for how long, by the records that exist."""

import json

import pytest

from trialwatt.config.files import plan_of_files
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.announce import announce, seconds_of, write_planned
from trialwatt.lifecycle.forecast import forecast, forecast_text

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


def done(folder, seconds):
    folder.mkdir(parents=True)
    times = {"started_utc_ns": 0, "ended_utc_ns": int(seconds * 1e9)}
    (folder / "run.json").write_text(json.dumps(times))


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
    write_planned(tmp_path, [f"{tmp_path}/runs/a/rep1"], ["r-cpu/plain-grid"], 1, "plan")
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


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"started_utc_ns": 1, "ended_utc_ns": "2"}'])
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(TrialwattError, match=r"run\.json: "):
        seconds_of(tmp_path / "run.json")
