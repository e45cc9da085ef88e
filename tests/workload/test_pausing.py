"""A trial that was paused and goes on is the same as one that was not, to the last digit."""

import tempfile
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workload.watching import Log

from trialwatt.config.functions import find
from trialwatt.config.models import Workload
from trialwatt.workload.functions import UserFunction
from trialwatt.workload.images import Images
from trialwatt.workload.task import Part, TrialFailed, run_trial

PHI = {"lr": 0.01, "decay": 1e-4, "ls": 16, "ln": 2}
CNN = {"lr": 0.01, "decay": 1e-4, "channels": 2, "ls": 16}
EPOCHS = 5


def in_segments(task, ends, phi, seed):
    """Train to each of these epochs in turn; every segment by a task that remembers nothing."""
    state, log = None, Log(each_epoch=True)
    with tempfile.TemporaryDirectory() as folder:
        for after, until in pairwise([0, *ends]):
            own = task()
            trained = run_trial(own, phi, seed, log, Part(until, after, state))
            state = Path(folder, f"state.{until}")
            own.pause(trained.state, state)
    return trained, log


@settings(max_examples=10)
@given(
    cuts=st.sets(st.integers(1, EPOCHS - 1)),
    algorithm=st.sampled_from(["adam", "adamw", "rmsprop", "sgd"]),
    model=st.sampled_from(["ff", "cnn"]),
    seed=st.integers(0, 2**40),
)
def test_segments_end_as_one_trial_does(workload, digits, cuts, algorithm, model, seed):
    phi = PHI if model == "ff" else CNN
    space = {name: {"choices": [value]} for name, value in phi.items()}
    load = workload(epochs=EPOCHS, algorithm=algorithm, model=model, space=space)

    def task():
        return Images(load, str(digits), 1)

    whole = run_trial(task(), phi, seed, log := Log(each_epoch=True))
    found, other = in_segments(task, [*sorted(cuts), EPOCHS], phi, seed)
    assert found.scores == whole.scores
    assert other.reported == log.reported
    assert all(torch.equal(found.model[name], whole.model[name]) for name in whole.model)


def test_another_phi_goes_on_with_its_own_hyperparameters(workload, digits, tmp_path):
    load = workload(epochs=4)
    task = Images(load, str(digits), 1)
    first = run_trial(task, PHI, 7, Log(), Part(2))
    task.pause(first.state, tmp_path / "state")
    scores = [
        run_trial(task, PHI | {"lr": lr}, 7, Log(), Part(4, 2, tmp_path / "state")).scores
        for lr in (0.01, 1e-9)
    ]
    assert scores[1] == pytest.approx(first.scores, abs=0.01)  # it no longer learns
    assert scores[0] != scores[1]


def test_the_weights_of_another_network_are_refused(workload, digits, tmp_path):
    task = Images(workload(epochs=4), str(digits), 1)
    task.pause(run_trial(task, PHI, 7, Log(), Part(2)).state, tmp_path / "state")
    with pytest.raises(RuntimeError, match="size mismatch"):
        run_trial(task, PHI | {"ls": 8}, 7, Log(), Part(4, 2, tmp_path / "state"))


OWN = """
def train(phi, data, epochs, seed, report):
    model = report.resumed or []
    assert len(model) == report.after
    for epoch in range(report.after + 1, epochs + 1):
        model = [*model, epoch * phi["rate"]]
        if report(epoch, {"accuracy": sum(model)}):
            break
    return {"accuracy": sum(model)}, model

def pause(model, path):
    path.write_text(repr(model))

def resume(path):
    return eval(path.read_text())
"""


def own_task(folder, source):
    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(textwrap.dedent(source))
    space = {"rate": {"low": 0.1, "high": 1.0}}
    keys = {"trial": find("own:train", folder).function, "space": space, "epochs": EPOCHS}
    workload = Workload.model_validate(keys | {"goal": {"score": "accuracy"}})
    return UserFunction(workload, str(folder / "own.py"), 7, 1)


def test_a_function_goes_on_with_what_it_has_paused(tmp_path):
    own = own_task(tmp_path, OWN)
    assert own.workload.trial.resumes
    whole = run_trial(own, {"rate": 0.3}, 1, Log())
    found, log = in_segments(lambda: own, [1, 4, EPOCHS], {"rate": 0.3}, 1)
    assert found.scores == whole.scores
    assert [epoch for epoch, _ in log.reported] == [1, 2, 3, 4, 5]


def test_a_function_that_returns_no_model_or_writes_no_state_fails_where_it_pauses(tmp_path):
    own = own_task(tmp_path / "a", OWN)
    with pytest.raises(TrialFailed, match=r"own.py:2: must return \(scores, model\)"):
        own.pause(None, tmp_path / "state")
    own = own_task(tmp_path / "b", OWN.replace("path.write_text(repr(model))", "pass"))
    with pytest.raises(TrialFailed, match=r"own.py: pause wrote no file state"):
        own.pause([1], tmp_path / "state")
