import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.workload.watching import Log, score_of, train

from trialwatt.errors import TrialwattError
from trialwatt.workload import dataset
from trialwatt.workload.split import split, validation_counts
from trialwatt.workload.task import TrialFailed

HERE = Path(__file__).resolve().parent
PHI = {"lr": 0.01, "decay": 1e-6, "ls": 32, "ln": 1}


def run(workload, digits, phi=PHI, seed=7, log=None):
    return train(workload, phi, seed, str(digits), 1, log or Log())


def test_it_learns(workload, digits):
    trained = run(workload(epochs=10), digits, log=(log := Log()))
    assert trained.scores["macro_f1"] > 0.93
    assert log.epochs == 10
    assert not log.stopped


def test_same_seed_same_scores_to_the_last_digit(workload, digits):
    load = workload()
    first, again = run(load, digits), run(load, digits)
    assert first.scores == again.scores
    assert all(torch.equal(first.model[k], again.model[k]) for k in first.model)
    assert run(load, digits, seed=8).scores != first.scores


def test_steps_without_a_pruner_validate_once_at_the_end(workload, digits):
    log = Log()
    run(workload(epochs=3), digits, log=log)
    assert log.steps == ["load", "train", "validate"]
    assert log.reported == []


def test_each_epoch_is_validated_when_asked_and_is_not_called_training(workload, digits):
    log = Log(each_epoch=True)
    trained = run(workload(epochs=3), digits, log=log)
    assert log.steps == ["load"] + ["train", "validate"] * 3
    assert [epoch for epoch, _ in log.reported] == [1, 2, 3]
    assert log.reported[-1][1] == trained.scores


def test_validating_each_epoch_does_not_change_the_training(workload, digits):
    assert run(workload(epochs=3), digits, log=Log(each_epoch=True)).scores == (
        run(workload(epochs=3), digits).scores
    )


def test_it_stops_on_request(workload, digits):
    log = Log(each_epoch=True, stop_after=2)
    run(workload(epochs=9), digits, log=log)
    assert log.stopped
    assert log.epochs == 2


def test_a_loss_that_is_no_number_fails_the_trial(workload, digits):
    with pytest.raises(TrialFailed, match="the loss is nan") as failure:
        run(workload(algorithm="sgd"), digits, phi=PHI | {"lr": 1e30})
    assert failure.value.reason == "nan"


def test_a_trial_that_fails_has_said_how_far_it_came(workload, digits):
    log = Log(each_epoch=True, stop_after=2, fault=MemoryError())
    with pytest.raises(MemoryError):
        run(workload(epochs=9), digits, log=log)
    assert log.epochs == 2


def test_completed_epochs_are_known_without_validating_them(workload, digits):
    log = Log()
    run(workload(epochs=3), digits, log=log)
    assert log.epochs == 3
    with pytest.raises(TrialFailed):
        run(workload(algorithm="sgd"), digits, phi=PHI | {"lr": 1e30}, log=(log := Log()))
    assert log.epochs == 0


@pytest.mark.parametrize("phi", [PHI | {"ls": 0}, {k: PHI[k] for k in ("lr", "decay", "ln")}])
def test_a_phi_that_cannot_be_trained_is_refused_before_any_training(workload, digits, phi):
    log = Log()
    with pytest.raises(ValueError, match="units per hidden layer"):
        run(workload(), digits, phi=phi, log=log)
    assert log.steps == ["load"]


def test_fixed_hyperparameters_are_trained_with(workload, digits):
    """What the configuration fixes must have an effect: the same as if φ held it."""
    fixed = workload(space={"lr": {"choices": [0.01]}}, fixed={"decay": 1e-6, "ls": 8, "ln": 2})
    trained = run(fixed, digits, phi={"lr": 0.01})
    assert [tuple(v.shape) for k, v in trained.model.items() if k.endswith("weight")] == [
        (8, 64), (8, 8), (10, 8)
    ]  # fmt: skip
    whole = run(workload(), digits, phi=PHI | {"ls": 8, "ln": 2})
    assert whole.scores == trained.scores
    assert score_of(fixed, {"lr": 0.01}, trained.model, str(digits))["macro_f1"] > 0


CNN = {"lr": 0.01, "decay": 1e-6, "channels": 4, "ls": 32}


def test_a_convolutional_network_learns_and_repeats_to_the_last_digit(workload, digits):
    space = {name: {"choices": [value]} for name, value in CNN.items()}
    load = workload(model="cnn", epochs=10, space=space)
    trained = run(load, digits, phi=CNN)
    assert trained.scores["macro_f1"] > 0.93
    assert run(load, digits, phi=CNN).scores == trained.scores
    assert score_of(load, CNN, trained.model, str(digits))["macro_f1"] > 0.9


@pytest.mark.parametrize(("algorithm", "lr"), [("adamw", 0.01), ("rmsprop", 0.003), ("sgd", 0.1)])
def test_the_other_algorithms_learn_too(workload, digits, algorithm, lr):
    trained = run(workload(algorithm=algorithm, epochs=10), digits, phi=PHI | {"lr": lr})
    assert trained.scores["macro_f1"] > 0.9


def test_a_trial_loads_nothing_that_it_does_not_use(workload, digits):
    """torch's compiler alone would cost a worker 70 MB and 2 CPU seconds."""
    code = (
        "import sys\n"
        "from watching import Log, score_of, train\n"
        "from trialwatt.config.models import Workload\n"
        "load = Workload.model_validate_json(sys.argv[1])\n"
        f"phi = {PHI}\n"
        "trained = train(load, phi, 7, sys.argv[2], 1, Log())\n"
        "score_of(load, phi, trained.model, sys.argv[2])\n"
        "heavy = {'torch._dynamo', 'torch._inductor', 'sympy', 'sklearn', 'pandas', 'scipy',\n"
        "         'torchvision', 'matplotlib', 'optuna', 'safetensors.numpy'}\n"
        "print(*sorted(heavy & sys.modules.keys()))\n"
    )
    arguments = [sys.executable, "-c", code, workload().model_dump_json(), str(digits)]
    done = subprocess.run(arguments, cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_test_step_scores_the_same_weights_on_unseen_images(workload, digits):
    load = workload(epochs=10)
    trained = run(load, digits)
    scores = score_of(load, PHI, trained.model, str(digits))
    assert 0.85 < scores["macro_f1"] < 1
    assert scores == score_of(load, PHI, trained.model, str(digits))


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
