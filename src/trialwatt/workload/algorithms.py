"""The training algorithms, by the name that the configuration gives them."""

from __future__ import annotations

from torch import nn, optim

from trialwatt.config.space import Phi

ALGORITHMS = {
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "rmsprop": optim.RMSprop,
    "sgd": optim.SGD,
}


def optimizer(algorithm: str, model: nn.Module, phi: Phi) -> optim.Optimizer:
    """The optimizer of torch.optim with φ's learning rate and weight decay."""
    kind = ALGORITHMS[algorithm]
    options = {"fused": True} if algorithm != "rmsprop" else {"foreach": True}
    return kind(model.parameters(), lr=phi["lr"], weight_decay=phi["decay"], **options)
