"""One trial: load, train, validate; and the test of the best one."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from trialwatt.config.models import Workload
from trialwatt.config.space import Phi
from trialwatt.workload import dataset as datasets
from trialwatt.workload.algorithms import optimizer
from trialwatt.workload.devices import device_of, parts, send, wait
from trialwatt.workload.hyperparameters import hyperparameters
from trialwatt.workload.networks import NETWORKS
from trialwatt.workload.scores import confusion, scores

GATHERED = 4
"""Batches whose images are gathered at once: fewer small operations, still in the CPU's cache."""


class Watch(Protocol):
    """What a trial reports to."""

    each_epoch: bool
    """Whether every epoch is to be validated and reported."""
    epochs: int
    """Epochs completed so far, set by the trial: known even where the trial then fails."""

    def step(self, name: str) -> None:
        """The step `name` (load, train, validate) begins now."""

    def epoch(self, epoch: int, scores: dict[str, float]) -> bool:
        """An epoch was validated; True stops the trial."""


class TrialFailed(Exception):
    """The trial cannot go on; `reason` is one word for the records."""

    def __init__(self, reason: str, detail: str):
        self.reason = reason
        super().__init__(detail)


@dataclass(frozen=True)
class Trained:
    """A finished or stopped trial: validation scores, completed epochs, weights on the CPU."""

    scores: dict[str, float]
    epochs: int
    stopped: bool
    weights: dict[str, torch.Tensor]


def run_trial(
    workload: Workload, phi: Phi, seed: int, path: str, split_seed: int, watch: Watch
) -> Trained:
    """Train φ on the prepared dataset at `path` and score it on the validation split.

    `seed` decides initial weights and batches, `split_seed` the split (the same for all trials
    of a job). Raises TrialFailed("nan") as soon as an epoch's loss is not a number, and
    ValueError for a φ that the network or the algorithm cannot take.
    """
    watch.step("load")
    values = hyperparameters(workload, phi)
    device = device_of(workload.workers.accelerator)
    seed_everything(seed)
    data = datasets.load(path, workload.validation_share, split_seed, device)
    model = NETWORKS[workload.model](values, data.facts).to(device)
    algorithm = optimizer(workload.algorithm, model, values, device)
    generator = torch.Generator(device="cpu").manual_seed(seed)
    wait(device)

    validated, stopped = None, False
    for epoch in range(1, workload.epochs + 1):
        watch.step("train")
        loss = train_epoch(model, algorithm, data, workload.batch, generator)
        if not np.isfinite(loss):
            raise TrialFailed("nan", f"the loss is {loss} after epoch {epoch}")
        watch.epochs = epoch
        validated = None
        if watch.each_epoch:
            watch.step("validate")
            validated = validate(model, data)
            if watch.epoch(epoch, validated) and epoch < workload.epochs:
                stopped = True
                break
    if validated is None:
        watch.step("validate")
        validated = validate(model, data)
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    return Trained(validated, epoch, stopped, weights)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices); convolutions on a GPU must repeat exactly."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def train_epoch(model, algorithm, data: datasets.Dataset, batch: int, generator) -> float:
    """One pass over the training split in random order; returns the mean loss of its batches.

    The loss is summed on the device and fetched once: a step does not wait for the host.
    """
    order = torch.randperm(len(data.train_index), generator=generator).to(data.device)
    order = data.train_index[order]
    total = torch.zeros((), device=data.device)
    for inputs, targets in batches(data, order, batch):
        loss = cross_entropy(model(inputs), targets)
        algorithm.zero_grad(set_to_none=True)
        loss.backward()
        algorithm.step()
        total += loss.detach()
        send(data.device)
    return float(total) / math.ceil(len(order) / batch)


def batches(
    data: datasets.Dataset, order: torch.Tensor, batch: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images (batch, pixels) in [0, 1] and labels (batch,), in the order of these indices.

    They are gathered and scaled for a few batches at a time, so the pixels of an epoch never lie
    in memory as numbers.
    """
    white = 1 / data.facts.scale
    for chunk in parts(order, batch * GATHERED):
        images = data.train_images.index_select(0, chunk).mul(white)
        labels = data.train_labels.index_select(0, chunk).long()
        yield from zip(parts(images, batch), parts(labels, batch), strict=True)


def validate(model, data: datasets.Dataset) -> dict[str, float]:
    """Scores on the validation split."""
    matrix = confusion(
        model, data.train_images, data.train_labels, data.validation_index, data.facts
    )
    return scores(matrix)


def score_on_test(workload: Workload, phi: Phi, weights: dict, path: str) -> dict[str, float]:
    """Scores of trained weights on the test split; trains nothing."""
    from trialwatt.workload import prepared

    device = device_of(workload.workers.accelerator)
    facts = prepared.facts(path)
    model = NETWORKS[workload.model](hyperparameters(workload, phi), facts)
    model.load_state_dict(weights)
    images, labels = datasets.load_test(path, device)
    return scores(confusion(model.to(device), images, labels, None, facts))


def pin_threads(threads: int) -> None:
    """Compute with exactly so many threads in this process.

    Numbers below 1e-38 count as zero from now on: Adam's averages of pixels that are never lit
    become so small, and a CPU computes with them many times slower.
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    with suppress(RuntimeError):  # fixed already: it can only be set before the first parallel work
        torch.set_num_interop_threads(1)
