"""The training algorithms, by the name that the configuration gives them."""

from __future__ import annotations

import functools
import inspect

import torch
from torch import nn, optim

from trialwatt.config.space import Phi
from trialwatt.workload.devices import fuses

ALGORITHMS = {
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "rmsprop": optim.RMSprop,
    "sgd": optim.SGD,
}


def optimizer(algorithm: str, model: nn.Module, phi: Phi, device: torch.device) -> optim.Optimizer:
    """The optimizer of torch.optim with φ's learning rate and weight decay."""
    kind = _without_compiler(ALGORITHMS[algorithm])
    fused = "fused" in inspect.signature(kind).parameters and fuses(device)
    options = {"fused": True} if fused else {"foreach": True}
    return kind(model.parameters(), lr=phi["lr"], weight_decay=phi["decay"], **options)


@functools.cache
def _without_compiler(kind: type[optim.Optimizer]) -> type[optim.Optimizer]:
    """The same optimizer, without the hooks by which torch.compile would find its way around it.

    The hooks of the first optimizer that a process makes import all of torch's compiler: 2 CPU
    seconds and 70 MB, for nothing that a trial uses. What they wrap is the optimizer itself.
    """
    hooked = ("add_param_group", "zero_grad")
    lean = {name: inspect.unwrap(getattr(kind, name)) for name in hooked}
    lean["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), lean)
