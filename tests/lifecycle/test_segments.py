"""A trial run in segments: what the worker records, keeps and answers."""

import json

import pytest

from trialwatt.config.identity import trial_seed
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.trials import STATES, WEIGHTS, RecordedTrials
from trialwatt.records.writer import EventWriter
from trialwatt.suts.base import PAUSE, Job

PHI = {"lr": 0.01, "decay": 1e-6, "ls": 16, "ln": 1}


@pytest.fixture
def worker(tmp_path, digits, run_config):
    """Make the Trials of a worker of one job, of four epochs."""
    config = run_config(epochs=4)
    job = Job("run-1", config, 1, 7, str(tmp_path), str(digits), 1, 1.0)

    def make(component: str) -> RecordedTrials:
        return RecordedTrials(job, component, EventWriter(tmp_path, "run-1", component), [])

    return make


def lines(folder, component):
    path = folder / "records" / f"{component}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def told(folder, component, status):
    return [e for e in lines(folder, component) if e.get("status") == status]


def test_a_segment_goes_on_in_another_worker_as_if_it_had_not_been_paused(worker, tmp_path):
    whole = worker("worker-0").run(PHI, 0)
    first = worker("worker-1").run(PHI, 1, until=1)
    assert (first.trial, first.outcome) == ("worker-1/0", "paused")
    assert not list((tmp_path / WEIGHTS).glob("worker-1*"))
    seen = []
    last = worker("worker-2").run(
        PHI, 1, lambda epoch, score: seen.append(epoch), resume=first.trial
    )
    assert (last.outcome, last.score) == ("completed", whole.score)
    assert seen == [2, 3, 4]
    (start,), (end,) = (told(tmp_path, "worker-2", status) for status in ("start", "end"))
    assert (start["resumes"], start["from_epoch"], end["epochs"]) == ("worker-1/0", 1, 4)
    assert start["seed"] == told(tmp_path, "worker-0", "start")[0]["seed"]
    assert (tmp_path / WEIGHTS / "worker-2_0.safetensors").exists()
    (other,) = told(tmp_path, "worker-1", "end")
    assert (other["outcome"], other["epochs"]) == ("paused", 1)
    assert other["scores"].keys() == end["scores"].keys()
    (plain,) = told(tmp_path, "worker-0", "start")
    assert not plain.keys() & {"resumes", "from_epoch"}


@pytest.mark.parametrize(
    ("answer", "outcome", "epochs"), [(PAUSE, "paused", 2), (True, "pruned", 2)]
)
def test_what_the_framework_answers_ends_the_segment(worker, tmp_path, answer, outcome, epochs):
    result = worker("worker-0").run(PHI, 3, lambda epoch, _: answer if epoch == 2 else False)
    assert (result.outcome, result.score is None) == (outcome, False)
    (end,) = told(tmp_path, "worker-0", "end")
    assert (end["outcome"], end["epochs"]) == (outcome, epochs)
    assert len(list(tmp_path.glob(f"{STATES}/*"))) == (outcome == "paused")


@pytest.mark.parametrize("answer", [PAUSE, True])
def test_after_the_last_epoch_there_is_nothing_to_pause_or_to_stop(worker, answer):
    result = worker("worker-0").run(PHI, 0, lambda epoch, _: answer if epoch == 4 else False)
    assert result.outcome == "completed"


def test_stopped_where_it_would_have_paused_it_is_pruned(worker):
    assert worker("worker-0").run(PHI, 0, lambda epoch, _: epoch == 2, until=2).outcome == "pruned"


def test_one_state_serves_several_with_a_phi_of_their_own(worker, tmp_path):
    trials = worker("worker-0")
    first = trials.run(PHI, 0, until=2)
    other = PHI | {"lr": 0.001}
    results = [trials.run(phi, n, resume=first.trial) for n, phi in enumerate([PHI, other])]
    assert [each.outcome for each in results] == ["completed", "completed"]
    assert results[0].score != results[1].score
    starts = told(tmp_path, "worker-0", "start")
    assert [start.get("resumes") for start in starts] == [None, first.trial, first.trial]
    assert starts[2]["seed"] == trial_seed(7, other)


def test_what_was_not_paused_cannot_be_resumed(worker, tmp_path):
    trials = worker("worker-0")
    done = trials.run(PHI, 0)
    with pytest.raises(TrialwattError, match="no state of worker-0/0"):
        trials.run(PHI, 0, resume=done.trial)
    assert len(told(tmp_path, "worker-0", "start")) == 1


def test_a_phi_that_fails_is_failed_at_the_epochs_that_the_state_has(worker, tmp_path):
    trials = worker("worker-0")
    first = trials.run(PHI, 0, until=2)
    result = trials.run(PHI | {"ls": 32}, 0, resume=first.trial)
    assert (result.outcome, result.reason) == ("failed", "error")
    assert [end["epochs"] for end in told(tmp_path, "worker-0", "end")] == [2, 2]
