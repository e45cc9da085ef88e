import dataclasses
import math

import pytest
import torch

from trialwatt.errors import TrialwattError
from trialwatt.workload import dataset
from trialwatt.workload.split import split, validation_counts
from trialwatt.workload.trial import TrialFailed, run_trial, score_on_test, seed_everything

PHI = {"lr": 0.01, "decay": 1e-6, "ls": 32, "ln": 1}


class Log:
    """A watch that remembers, and stops the trial after `stop_after` epochs."""

    def __init__(self, each_epoch=False, stop_after=None):
        self.each_epoch, self.stop_after = each_epoch, stop_after
        self.steps, self.epochs = [], []

    def step(self, name):
        if not self.steps or self.steps[-1] != name:
            self.steps.append(name)

    def epoch(self, epoch, scores):
        self.epochs.append((epoch, scores))
        return epoch == self.stop_after


def run(workload, digits, phi=PHI, seed=7, log=None):
    return run_trial(workload, phi, seed, str(digits), 1, log or Log())


def test_it_learns(workload, digits):
    trained = run(workload(epochs=10), digits)
    assert trained.scores["macro_f1"] > 0.93
    assert trained.epochs == 10
    assert not trained.stopped


def test_same_seed_same_scores_to_the_last_digit(workload, digits):
    load = workload()
    first, again = run(load, digits), run(load, digits)
    assert first.scores == again.scores
    assert all(torch.equal(first.weights[k], again.weights[k]) for k in first.weights)
    assert run(load, digits, seed=8).scores != first.scores


def test_steps_without_a_pruner_validate_once_at_the_end(workload, digits):
    log = Log()
    run(workload(epochs=3), digits, log=log)
    assert log.steps == ["load", "train", "validate"]
    assert log.epochs == []


def test_each_epoch_is_validated_when_asked_and_is_not_called_training(workload, digits):
    log = Log(each_epoch=True)
    trained = run(workload(epochs=3), digits, log=log)
    assert log.steps == ["load"] + ["train", "validate"] * 3
    assert [epoch for epoch, _ in log.epochs] == [1, 2, 3]
    assert log.epochs[-1][1] == trained.scores


def test_validating_each_epoch_does_not_change_the_training(workload, digits):
    assert run(workload(epochs=3), digits, log=Log(each_epoch=True)).scores == (
        run(workload(epochs=3), digits).scores
    )


def test_it_stops_on_request(workload, digits):
    trained = run(workload(epochs=9), digits, log=Log(each_epoch=True, stop_after=2))
    assert trained.stopped
    assert trained.epochs == 2


def test_a_loss_that_is_no_number_fails_the_trial(workload, digits):
    with pytest.raises(TrialFailed, match="the loss is nan") as failure:
        run(workload(algorithm="sgd"), digits, phi=PHI | {"lr": 1e30})
    assert failure.value.reason == "nan"


def test_gradients_are_fresh_in_every_step(workload, digits):
    """Two steps of ours equal two steps written out with new gradients each."""
    from torch.nn.functional import cross_entropy

    load = workload(epochs=1, batch=719, algorithm="sgd")
    trained = run(load, digits, phi=PHI | {"decay": 0.0})
    data = dataset.load(str(digits), load.validation_share, 1, torch.device("cpu"))
    seed_everything(7)
    model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    order = torch.randperm(len(data.train_index), generator=torch.Generator().manual_seed(7))
    for part in data.train_index[order].split(719):
        images = data.train_images[part].float() / 16
        loss = cross_entropy(model(images), data.train_labels[part].long())
        grads = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, grad in zip(model.parameters(), grads, strict=True):
                parameter -= 0.01 * grad
    for ours, theirs in zip(trained.weights.values(), model.state_dict().values(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_the_test_step_scores_the_same_weights_on_unseen_images(workload, digits):
    load = workload(epochs=10)
    trained = run(load, digits)
    scores = score_on_test(load, PHI, trained.weights, str(digits))
    assert 0.85 < scores["macro_f1"] < 1
    assert scores == score_on_test(load, PHI, trained.weights, str(digits))


def test_the_test_images_are_not_read_by_a_trial(workload, digits, monkeypatch):
    import safetensors

    read = []
    real = safetensors.safe_open

    class Spy:
        def __init__(self, *args, **kwargs):
            self.file = real(*args, **kwargs)

        def __enter__(self):
            self.inner = self.file.__enter__()
            return self

        def __exit__(self, *args):
            return self.file.__exit__(*args)

        def metadata(self):
            return self.inner.metadata()

        def get_tensor(self, key):
            read.append(key)
            return self.inner.get_tensor(key)

    monkeypatch.setattr(safetensors, "safe_open", Spy)
    dataset.load.cache_clear()
    run(workload(), digits)
    dataset.load.cache_clear()
    assert sorted(read) == ["train_images", "train_labels"]


def test_the_split_is_stratified_seeded_and_disjoint(digits):
    data = dataset.load(str(digits), 0.2, 1, torch.device("cpu"))
    train, validation = set(data.train_index.tolist()), set(data.validation_index.tolist())
    assert not train & validation
    assert len(train | validation) == len(data.train_labels)
    counts = torch.bincount(data.train_labels[data.validation_index].long())
    assert counts.tolist() == validation_counts(data.facts.train_per_class, 0.2)
    other = split(data.train_labels, data.facts.train_per_class, 0.2, 2)[1]
    assert set(other.tolist()) != validation


def test_a_split_that_leaves_a_class_empty_is_refused():
    with pytest.raises(TrialwattError, match=r"leaves class 1 \(3 images\) without a validation"):
        validation_counts((100, 3), 0.1)
    with pytest.raises(TrialwattError, match="without a training image"):
        validation_counts((100, 3), 0.9)


def test_a_gpu_that_is_not_there_is_named(workload, digits):
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    load = workload(workers={"count": 1, "accelerator": "gpu"})
    with pytest.raises(TrialwattError, match="torch sees no CUDA device"):
        run(load, digits)


def test_pixels_are_scaled(digits, workload):
    data = dataset.load(str(digits), 0.2, 1, torch.device("cpu"))
    assert data.train_images.max() == data.facts.scale
    assert dataclasses.asdict(data.facts)["scale"] == 16


def test_scores_agree_with_scikit_learn():
    from sklearn.metrics import accuracy_score, f1_score

    from trialwatt.workload.scores import scores

    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 4, (200,), generator=generator)
    guess = torch.randint(0, 3, (200,), generator=generator)  # class 3 is never predicted
    matrix = torch.bincount(truth * 5 + guess, minlength=25).reshape(5, 5)
    ours = scores(matrix)
    labels = list(range(5))  # class 4 is neither present nor predicted
    expected = f1_score(truth, guess, average="macro", labels=labels, zero_division=0)
    assert math.isclose(ours["macro_f1"], expected)
    assert math.isclose(ours["accuracy"], accuracy_score(truth, guess))
