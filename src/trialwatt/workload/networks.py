"""The networks, by the name that the configuration gives them. Input: (N, pixels) in [0, 1]."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from trialwatt.config.space import Phi
from trialwatt.workload.prepared import DatasetFacts


def feed_forward(phi: Phi, facts: DatasetFacts) -> nn.Module:
    """`ln` hidden linear layers of `ls` units with ReLU, and a linear output of class scores."""
    sizes = [facts.pixels, *[int(phi["ls"])] * int(phi["ln"])]
    hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], facts.classes))


def lenet(phi: Phi, facts: DatasetFacts) -> nn.Module:
    """A small LeNet: two padded 5 × 5 convolutions with ReLU, each halved by max-pooling.

    They have `channels` and twice as many channels; a hidden linear layer of `ls` units follows.
    Any image of at least 4 × 4 pixels fits.
    """
    channels, units = int(phi["channels"]), int(phi["ls"])
    features = 2 * channels * (facts.height // 4) * (facts.width // 4)
    return nn.Sequential(
        nn.Unflatten(1, (1, facts.height, facts.width)),
        nn.Conv2d(1, channels, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(channels, 2 * channels, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(features, units),
        nn.ReLU(),
        nn.Linear(units, facts.classes),
    )


NETWORKS = {"ff": feed_forward, "cnn": lenet}
