"""Faults that earlier benchmarks of this kind had in their training, one test for each."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tests.workload.watching import Log, score_of, train
from torch.nn.functional import cross_entropy

from trialwatt.workload import dataset, images, prepared
from trialwatt.workload.networks import NETWORKS
from trialwatt.workload.scores import confusion, scores
from trialwatt.workload.task import seed_everything

HERE = Path(__file__).resolve().parent
PHIS = {
    "ff": {"lr": 0.01, "decay": 0.0, "ls": 32, "ln": 1},
    "cnn": {"lr": 0.01, "decay": 0.0, "ls": 32, "channels": 2},
}


def load_of(workload, model="ff", **keys):
    space = {name: {"choices": [value]} for name, value in PHIS[model].items()}
    return workload(model=model, space=space, **keys)


@pytest.mark.parametrize("model", PHIS)
def test_gradients_are_fresh_in_every_step(workload, digits, model):
    """Not summed up over the steps: ours equal steps written out with new gradients each."""
    load = load_of(workload, model, epochs=1, batch=300, algorithm="sgd")
    trained = train(load, PHIS[model], 7, str(digits), 1, Log())
    data = dataset.load(str(digits), load.validation_share, 1, torch.device("cpu"))
    seed_everything(7)
    network = NETWORKS[model](PHIS[model], data.facts)
    order = torch.randperm(len(data.train_index), generator=torch.Generator().manual_seed(7))
    steps = data.train_index[order].split(300)
    for part in steps:
        images = data.train_images[part].float() / 16
        loss = cross_entropy(network(images), data.train_labels[part].long())
        grads = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for parameter, grad in zip(network.parameters(), grads, strict=True):
                parameter -= 0.01 * grad
    assert len(steps) > 3
    for name, theirs in network.state_dict().items():
        assert torch.allclose(trained.model[name], theirs, atol=1e-6)


@pytest.mark.parametrize("model", PHIS)
def test_the_network_is_not_linear(digits, model):
    network = NETWORKS[model](PHIS[model], prepared.facts(digits))
    with torch.no_grad():
        a, b = torch.rand(2, 20, 64)
        middle, mean = network((a + b) / 2), (network(a) + network(b)) / 2
    assert (middle - mean).abs().max() > 1e-4  # of a purely linear one they are the same


def test_pixels_are_scaled_in_training_validation_and_test(workload, digits, monkeypatch):
    seen = {"train": [], "eval": []}

    class Watched(torch.nn.Sequential):
        def forward(self, images):
            seen["train" if self.training else "eval"].append(images.detach().clone())
            return super().forward(images)

    monkeypatch.setitem(
        images.NETWORKS, "ff", lambda phi, facts: Watched(*NETWORKS_FF(phi, facts).children())
    )
    load = load_of(workload, epochs=1)
    trained = train(load, PHIS["ff"], 7, str(digits), 1, Log())
    score_of(load, PHIS["ff"], trained.model, str(digits))
    for shown in (torch.cat(found) for found in seen.values()):
        assert shown.dtype == torch.float32
        assert shown.min() == 0 and shown.max() == 1
    assert len(torch.cat(seen["train"])) + len(torch.cat(seen["eval"])) == 1797


NETWORKS_FF = NETWORKS["ff"]


def test_class_scores_below_one_are_not_rounded_before_they_are_compared(digits):
    facts = prepared.facts(digits)
    labels = torch.arange(10, dtype=torch.uint8)
    images = torch.zeros(10, 64, dtype=torch.uint8)

    class Sure(torch.nn.Module):
        def forward(self, images):
            return torch.eye(10) * 0.3 + 0.05  # as integers these would all be 0

    assert confusion(Sure(), images, labels, None, facts).tolist() == torch.eye(10).long().tolist()


def test_the_test_step_knows_other_images_than_the_training(workload, digits, tmp_path):
    arrays = load_file(str(digits))
    known = {row.tobytes() for row in arrays["train_images"]}
    assert not [row for row in arrays["test_images"] if row.tobytes() in known]
    arrays["test_labels"] = (arrays["test_labels"] + 1) % 10  # a test set whose labels are wrong
    prepared.write(tmp_path / "wrong", "wrong", arrays, 8, 8, 10, 16)
    load = load_of(workload, epochs=10)
    trained = train(load, PHIS["ff"], 7, str(tmp_path / "wrong"), 1, Log())
    assert trained.scores["accuracy"] > 0.9
    on_test = score_of(load, PHIS["ff"], trained.model, str(tmp_path / "wrong"))
    assert on_test["accuracy"] < 0.1


def test_every_trial_seeds_itself_whatever_its_process_did_before(workload, digits):
    load = load_of(workload)
    found = []
    for disturbance in (1, 2):
        random.seed(disturbance)
        np.random.seed(disturbance)
        torch.manual_seed(disturbance)
        trained = train(load, PHIS["ff"], 7, str(digits), 1, Log())
        found.append((trained.scores, random.random(), np.random.random(), torch.rand(1).item()))
    assert found[0] == found[1]
    assert found[0][1] == random.Random(7).random()


def test_a_trial_computes_with_the_threads_that_it_was_given(workload, digits):
    """Counted by the kernel, in a process that nothing else limits."""
    code = (
        "import os, sys\n"
        "from watching import Log, train\n"
        "from trialwatt.config.models import Workload\n"
        "from trialwatt.workload.images import pin_threads\n"
        "load = Workload.model_validate_json(sys.argv[1])\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "pin_threads(int(sys.argv[3]))\n"
        f"train(load, {PHIS['ff'] | {'ls': 512}}, 7, sys.argv[2], 1, Log())\n"
        "print(len(os.listdir('/proc/self/task')) - before + 1)\n"
    )
    load = load_of(workload, epochs=1, batch=1000).model_dump_json()
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    one, two = (
        subprocess.Popen(
            [sys.executable, "-c", code, load, str(digits), str(threads)],
            cwd=HERE,
            env=free,
            stdout=subprocess.PIPE,
        )
        for threads in (1, 2)
    )
    found = [int(process.communicate()[0]) for process in (one, two)]
    assert found[0] == 1 < found[1]


def test_a_score_is_of_whole_predictions_not_of_chance():
    """Macro-F1 of a perfect, a constant and an always wrong model."""
    eye = torch.eye(4, dtype=torch.int64) * 25
    assert scores(eye) == {"macro_f1": 1.0, "accuracy": 1.0}
    constant = torch.zeros(4, 4, dtype=torch.int64)
    constant[:, 0] = 25
    assert scores(constant)["macro_f1"] == pytest.approx(0.1)
    assert scores(eye.roll(1, 0)) == {"macro_f1": 0.0, "accuracy": 0.0}
