"""The networks and algorithms implement exactly what the catalogue promises."""

import pytest
import torch

from trialwatt.config.catalogue import ALGORITHMS as PROMISED_ALGORITHMS
from trialwatt.config.catalogue import MODELS
from trialwatt.workload.algorithms import ALGORITHMS, optimizer
from trialwatt.workload.networks import NETWORKS
from trialwatt.workload.prepared import DatasetFacts

CPU = torch.device("cpu")
VALUES = {"ls": 16, "ln": 2, "channels": 3, "lr": 0.01, "decay": 1e-4}


def facts(side: int) -> DatasetFacts:
    return DatasetFacts("any", side, side, 10, 255, (1,) * 10, "")


class Reading(dict):
    """Remembers which of its keys were read."""

    def __init__(self, values):
        super().__init__(values)
        self.read = set()

    def __getitem__(self, key):
        self.read.add(key)
        return super().__getitem__(key)


def test_the_catalogue_and_the_code_have_the_same_names():
    assert NETWORKS.keys() == MODELS.keys()
    assert ALGORITHMS.keys() == PROMISED_ALGORITHMS.keys()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_reads_exactly_the_hyperparameters_of_the_catalogue(name):
    values = Reading(VALUES)
    NETWORKS[name](values, facts(8))
    assert values.read == MODELS[name].keys()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_reads_exactly_the_hyperparameters_of_the_catalogue(name):
    values = Reading(VALUES)
    optimizer(name, torch.nn.Linear(2, 2), values, CPU)
    assert values.read == PROMISED_ALGORITHMS[name].keys()


@pytest.mark.parametrize("side", [8, 28])
@pytest.mark.parametrize("name", NETWORKS)
def test_flat_images_of_either_size_become_class_scores(name, side):
    model = NETWORKS[name](VALUES, facts(side))
    assert model(torch.rand(5, side * side)).shape == (5, 10)


def test_the_sizes_are_those_of_the_hyperparameters():
    feed_forward = NETWORKS["ff"](VALUES, facts(8))
    assert [m.out_features for m in feed_forward if isinstance(m, torch.nn.Linear)] == [16, 16, 10]
    lenet = NETWORKS["cnn"](VALUES, facts(28))
    assert [m.out_channels for m in lenet if isinstance(m, torch.nn.Conv2d)] == [3, 6]
    assert [m.out_features for m in lenet if isinstance(m, torch.nn.Linear)] == [16, 10]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_steps_exactly_as_torch_optim_does(name):
    """Only the compiler's hooks are left out, not a bit of the arithmetic."""

    def trained(make):
        torch.manual_seed(0)
        model = torch.nn.Linear(20, 3)
        steps = make(model)
        for _ in range(5):
            steps.zero_grad()
            model(torch.rand(7, 20)).square().sum().backward()
            steps.step()
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    ours = trained(lambda model: optimizer(name, model, VALUES, CPU))
    options = {"foreach": True} if name == "rmsprop" else {"fused": True}
    theirs = trained(
        lambda model: ALGORITHMS[name](model.parameters(), lr=0.01, weight_decay=1e-4, **options)
    )
    assert torch.equal(ours, theirs)
