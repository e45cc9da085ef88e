"""What a trial of networks needs to go on later, in a safetensors file: nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn, optim

GENERATOR, WEIGHTS, OPTIMIZER = "generator", "weights", "optimizer"


class State(NamedTuple):
    """A trial in training, between two epochs; generator: what draws its batches."""

    model: nn.Module
    algorithm: optim.Optimizer
    generator: torch.Generator


def save(state: State, path: Path) -> None:
    """Write the weights, what the optimizer remembers of each, and where the generator is."""
    from safetensors.torch import save_file

    tensors = {GENERATOR: state.generator.get_state()}
    for name, value in state.model.state_dict().items():
        tensors[f"{WEIGHTS}.{name}"] = value.detach().cpu()
    for number, parameter in enumerate(_parameters(state.algorithm)):
        for key, value in state.algorithm.state[parameter].items():
            if value is not None:  # momentum, where there is none
                tensors[f"{OPTIMIZER}.{number}.{key}"] = value.detach().cpu()
    save_file(tensors, path)


def restore(state: State, path: Path) -> None:
    """Put a new trial where the saved one was; its hyperparameters are its own.

    Raises RuntimeError where the network is another one.
    """
    from safetensors.torch import load_file

    tensors = load_file(path)
    state.generator.set_state(tensors.pop(GENERATOR))
    parameters = _parameters(state.algorithm)
    weights = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == WEIGHTS:
            weights[rest] = value
            continue
        number, _, key = rest.partition(".")
        parameter = parameters[int(number)]
        # A counter of steps is on the CPU, unless the optimizer is one kernel on the device.
        here = key != "step" or state.algorithm.param_groups[0].get("fused")
        state.algorithm.state[parameter][key] = value.to(parameter.device) if here else value
    state.model.load_state_dict(weights)


def _parameters(algorithm: optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in algorithm.param_groups for parameter in group["params"]]
