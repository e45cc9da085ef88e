"""A goal to minimise: frameworks maximise as ever, records hold the score as it is."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.contract.reading import manifest, trials
from trialwatt.lifecycle import worker
from trialwatt.lifecycle.trials import RecordedTrials, best_score
from trialwatt.records.writer import EventWriter, progress
from trialwatt.suts.base import Best, Job

PHI = {"lr": 0.001, "decay": 1e-6, "ls": 16, "ln": 1}
DOWN = {"score": "loss", "direction": "minimize"}
UP = {"score": "loss", "direction": "maximize"}


@pytest.mark.parametrize("sut", ["plain", "optuna"])
def test_the_least_score_of_a_job_is_its_best(job, sut):
    folder = job(sut, goal={"score": "accuracy", "direction": "minimize"})
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    scores = {name: trial["scores"]["accuracy"] for name, trial in found.items()}
    assert run["best"]["score"] == min(scores.values()) > 0
    assert scores[run["best"]["trial"]] == run["best"]["score"] < max(scores.values())


@dataclasses.dataclass
class Trained:
    scores: dict
    model: float
    state: object = None


@pytest.fixture
def recorded(tmp_path, run_config, monkeypatch):
    """A worker's trials, which score what they are told to; (goal, losses) → results, reports."""
    numbers = iter(range(1000))

    def run(goal, losses):
        folder = tmp_path / str(next(numbers))
        job = Job("run-1", run_config(goal=goal), 1, 7, str(folder), "", 1, 0.5)
        turn, reports = iter(losses), []

        def train(task, phi, seed, watch, part):
            loss = next(turn)
            watch(1, {"loss": loss})
            return Trained({"loss": loss}, loss)

        task = SimpleNamespace(keeps=True, save=lambda loss, path: path.write_text(f"{loss}"))
        monkeypatch.setattr("trialwatt.lifecycle.trials.task_of", lambda job: task)
        monkeypatch.setattr("trialwatt.lifecycle.trials.run_trial", train)
        writer = EventWriter(folder, "run-1", "worker-0")
        here = RecordedTrials(job, "worker-0", writer, [])
        results = [
            here.run(PHI, number, lambda epoch, score: bool(reports.append(score)))
            for number in range(len(losses))
        ]
        writer.close()
        return job, results, reports

    return run


def kept(job) -> set[float]:
    return {float(file.read_text()) for file in job.path("weights").iterdir()}


LOSSES = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=6)


def test_a_framework_is_told_what_it_can_maximise_and_the_best_is_kept(recorded):
    @given(LOSSES)
    def check(losses):
        job, results, reports = recorded(DOWN, losses)
        assert [each.score for each in results] == reports == [-loss for loss in losses]
        ends = progress(job.path(), "worker-0")
        assert [end["scores"]["loss"] for end in ends.ended] == losses  # as they are
        assert kept(job) == {min(losses)} and best_score(job, ends) == -min(losses)
        job, results, _ = recorded(UP, losses)
        assert [each.score for each in results] == losses and kept(job) == {max(losses)}

    check()


@pytest.mark.parametrize(("goal", "score"), [(UP, -3.5), (DOWN, 3.5)])
def test_the_best_of_a_framework_is_recorded_as_the_goal_has_it(run_config, tmp_path, goal, score):
    class Told:
        notes = ()

        def best(self, job):
            return Best(PHI, -3.5, 2)

        def lost(self, job):
            return []

    job = Job("run-1", run_config(goal=goal), 1, 7, str(tmp_path), "", 1, 0.5)
    process = worker._Process(Told(), job, "worker-0", None, None)
    answer = worker.STEPS["collect"](process, {"lost": [], "notes": []})
    assert (
        answer
        == {"best": {"phi": PHI, "score": score, "number": 2}, "unended": []}
        == json.loads(json.dumps(answer))
    )
