"""Images and a network: the workloads that come with us, as a task."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from trialwatt.config.models import Workload
from trialwatt.config.space import Phi
from trialwatt.workload import dataset as datasets
from trialwatt.workload import prepared, states
from trialwatt.workload.algorithms import optimizer
from trialwatt.workload.devices import device_of, parts, send, wait
from trialwatt.workload.hyperparameters import hyperparameters
from trialwatt.workload.networks import NETWORKS
from trialwatt.workload.scores import confusion, scores
from trialwatt.workload.task import Part, Report, Trained, TrialFailed

GATHERED = 4
"""Batches whose images are gathered at once: fewer small operations, still in the CPU's cache."""


class Images:
    """Trains networks on the prepared dataset at `path`; `split_seed` decides the split, the same
    for all trials of a job. A model is the weights of its network, on the CPU."""

    keeps = True

    def __init__(self, workload: Workload, path: str, split_seed: int):
        self.workload, self._path, self._split_seed = workload, path, split_seed

    @functools.cached_property
    def _device(self) -> torch.device:
        return device_of(self.workload.workers.accelerator)

    def load(self) -> datasets.Dataset:
        share = self.workload.validation_share
        return datasets.load(self._path, share, self._split_seed, self._device)

    def train(
        self, phi: Phi, data: datasets.Dataset, seed: int, report: Report, part: Part
    ) -> Trained:
        """See Task.train. `seed` decides initial weights and batches.

        Raises TrialFailed("nan") as soon as an epoch's loss is not a number, and ValueError for a φ
        that the network or the algorithm cannot take.
        """
        workload = self.workload
        values = hyperparameters(workload, phi)
        model = NETWORKS[workload.model](values, data.facts).to(self._device)
        algorithm = optimizer(workload.algorithm, model, values, self._device)
        generator = torch.Generator(device="cpu").manual_seed(seed)
        state = states.State(model, algorithm, generator)
        if part.state is not None:
            states.restore(state, part.state)
        wait(self._device)
        validated = None
        for epoch in range(part.after + 1, part.until + 1):
            report.step("train")
            loss = train_epoch(model, algorithm, data, workload.batch, generator)
            if not np.isfinite(loss):
                raise TrialFailed("nan", f"the loss is {loss} after epoch {epoch}")
            if report.each_epoch or epoch == part.until:
                report.step("validate")
                validated = validate(model, data)
            if report(epoch, validated if report.each_epoch else None):
                break
        weights = {k: value.detach().cpu() for k, value in model.state_dict().items()}
        # one that was stopped without having been validated has no scores
        return Trained(validated or {}, weights, state)

    def save(self, model: dict[str, torch.Tensor], path: Path) -> None:
        from safetensors.torch import save_file

        save_file(model, path)

    def pause(self, state: states.State, path: Path) -> None:
        states.save(state, path)

    def test(self, path: Path, phi: Phi) -> dict[str, float]:
        from safetensors.torch import load_file

        facts = prepared.facts(self._path)
        model = NETWORKS[self.workload.model](hyperparameters(self.workload, phi), facts)
        model.load_state_dict(load_file(path))
        images, labels = datasets.load_test(self._path, self._device)
        return scores(confusion(model.to(self._device), images, labels, None, facts))


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


def pin_threads(threads: int) -> None:
    """Compute with exactly so many threads in this process.

    Numbers below 1e-38 count as zero from now on: Adam's averages of pixels that are never lit
    become so small, and a CPU computes with them many times slower.
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    with suppress(RuntimeError):  # fixed already: it can only be set before the first parallel work
        torch.set_num_interop_threads(1)
