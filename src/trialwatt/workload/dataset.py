"""A prepared dataset as a worker holds it: mapped once per process, then reused by its trials."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch

from trialwatt.workload import prepared
from trialwatt.workload.split import split


@dataclass(frozen=True)
class Dataset:
    """Images (N, pixels) and labels (N,) as uint8 on the worker's device, and index tensors."""

    facts: prepared.DatasetFacts
    device: torch.device
    train_images: torch.Tensor
    train_labels: torch.Tensor
    train_index: torch.Tensor
    validation_index: torch.Tensor


@functools.lru_cache(maxsize=1)
def load(path: str, share: float, seed: int, device: torch.device) -> Dataset:
    """Map the training images; on an accelerator, copy them there. The test set stays unread."""
    from safetensors import safe_open

    facts = prepared.facts(path)
    with safe_open(path, framework="pt") as file:
        images, labels = file.get_tensor("train_images"), file.get_tensor("train_labels")
    train, validation = split(labels, facts.train_per_class, share, seed)
    return Dataset(
        facts,
        device,
        images.to(device),
        labels.to(device),
        train.to(device),
        validation.to(device),
    )


def load_test(path: str, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Test images and labels; only the test step calls this."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.get_tensor("test_images").to(device), file.get_tensor("test_labels").to(device)
