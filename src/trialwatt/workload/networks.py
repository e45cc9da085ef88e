"""The networks, by the name that the configuration gives them."""

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


NETWORKS = {"ff": feed_forward}
