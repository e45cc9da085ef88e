"""A trial that is stepped epoch by epoch, and what is known of its dispatch; no Ray is started."""

import copy
import pickle
import time

import pytest

from trialwatt.clock import now
from trialwatt.suts.base import PAUSE, TrialResult
from trialwatt.suts.ray_trial import Assignment, Epochs, TrialFailed

DONE = TrialResult("worker-0/0", "completed", 0.9)


def scripted(epochs, seen):
    """A trial of so many epochs, whose score is the epoch's number; `seen` gets what it did."""

    def run(report):
        for epoch in range(1, epochs + 1):
            seen.append(epoch)
            if report(epoch, float(epoch)):
                return TrialResult("worker-0/0", "pruned", float(epoch))
        return DONE

    return run


def test_each_step_is_one_epoch_and_the_last_one_brings_the_result():
    seen = []
    trial = Epochs(scripted(3, seen), last=3)
    assert [trial.next(), trial.next(), trial.next()] == [1.0, 2.0, DONE]
    assert seen == [1, 2, 3]
    trial.stop()


def test_a_trial_waits_for_its_next_step_and_a_stopped_one_does_no_more_epochs():
    seen, ended = [], []

    def run(report):
        ended.append(scripted(9, seen)(report))
        return ended[0]

    trial = Epochs(run, last=9)
    assert [trial.next(), trial.next()] == [1.0, 2.0]
    time.sleep(0.05)
    assert seen == [1, 2]
    trial.stop()
    assert (seen, ended[0].outcome) == ([1, 2], "pruned")


def test_stop_before_the_first_step_runs_nothing():
    seen = []
    Epochs(scripted(3, seen), last=3).stop()
    assert seen == []


def test_an_error_of_the_trials_thread_comes_out_of_the_step():
    def run(report):
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        Epochs(run, last=3).next()


def test_an_assignment_is_stamped_when_it_is_sent_not_when_it_is_planned(workload):
    planned = Assignment(now, workload())
    copied = copy.deepcopy({"lr": 0.1, "trialwatt": planned})["trialwatt"]
    before = now()
    sent = pickle.loads(pickle.dumps(copied))
    after = now()
    assert before.mono_ns <= sent.dispatched.here().mono_ns <= after.mono_ns
    assert (sent.workload, sent.here) == (planned.workload, now)
    assert pickle.loads(pickle.dumps(sent)).dispatched == sent.dispatched
    assert planned.dispatched is None


def test_a_paused_trial_says_what_was_paused_and_one_that_has_not_begun_is_not():
    def run(report):
        answers = [report(1, 0.1), report(2, 0.2)]
        return TrialResult("worker-0/7", "paused" if answers == [False, PAUSE] else "?", 0.2)

    trial = Epochs(run, last=9)
    assert trial.pause() is None
    assert [trial.next(), trial.next()] == [0.1, 0.2]
    assert trial.pause() == TrialResult("worker-0/7", "paused", 0.2)
    trial.stop()


def test_a_trial_that_fails_as_it_pauses_says_so():
    def run(report):
        report(1, 0.1)
        return TrialResult("worker-0/7", "failed", None, "error")

    trial = Epochs(run, last=9)
    trial.next()
    with pytest.raises(TrialFailed, match="error"):
        trial.pause()
