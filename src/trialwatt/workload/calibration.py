"""How long a trial would take here: a few batches are trained and timed, of random images.

For an estimate before anything was measured. Only the dataset's shape is needed, not its files.
"""

from __future__ import annotations

import functools
import random
import time

import torch

from trialwatt.config.catalogue import DATASETS
from trialwatt.config.models import Workload
from trialwatt.config.space import Phi, draw
from trialwatt.workload.algorithms import optimizer
from trialwatt.workload.dataset import Dataset
from trialwatt.workload.hyperparameters import hyperparameters
from trialwatt.workload.images import pin_threads, train_epoch, validate
from trialwatt.workload.networks import NETWORKS
from trialwatt.workload.prepared import DatasetFacts

POINTS = 3
"""φ drawn from the space, whose mean it is."""
IMAGES = 4000
"""Trained and validated with, of each φ."""


def seconds_of_trial(workload: Workload, threads: int) -> float:
    """Mean over the search space, on so many threads of this machine; without loading."""
    keys = ("dataset", "model", "algorithm", "batch", "space", "fixed")
    text = workload.model_dump_json(include=set(keys))
    train_s, validate_s = _per_image(text, threads)
    images = DATASETS[workload.dataset].train
    validated = images * workload.validation_share
    each = workload.validate_each_epoch or workload.search.prunes
    passes = workload.epochs if each else 1
    return workload.epochs * (images - validated) * train_s + passes * validated * validate_s


@functools.cache
def _per_image(workload: str, threads: int) -> tuple[float, float]:
    """Seconds to train with an image, and to validate with one."""
    found = Workload.model_validate_json(workload)
    pin_threads(threads)
    data, rng = _random_images(found.dataset), random.Random(0)
    times = [_timed(found, draw(found.space, rng), data) for _ in range(POINTS)]
    train, validated = zip(*times, strict=True)
    images = POINTS * len(data.train_index)
    return sum(train) / images, sum(validated) / images


def _timed(workload: Workload, phi: Phi, data: Dataset) -> tuple[float, float]:
    values = hyperparameters(workload, phi)
    model = NETWORKS[workload.model](values, data.facts)
    algorithm = optimizer(workload.algorithm, model, values, data.device)
    generator = torch.Generator().manual_seed(0)
    validate(model, data)  # what is slow the first time only
    train_epoch(model, algorithm, data, workload.batch, generator)
    began = time.perf_counter()
    train_epoch(model, algorithm, data, workload.batch, generator)
    between = time.perf_counter()
    validate(model, data)
    return between - began, time.perf_counter() - between


def _random_images(dataset: str) -> Dataset:
    shape = DATASETS[dataset]
    count, cpu = min(IMAGES, shape.train), torch.device("cpu")
    facts = DatasetFacts(
        dataset, shape.height, shape.width, shape.classes, shape.scale, (count,), sha256=""
    )
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(
        0, shape.scale + 1, (count, facts.pixels), dtype=torch.uint8, generator=generator
    )
    labels = torch.randint(0, shape.classes, (count,), dtype=torch.uint8, generator=generator)
    order = torch.arange(count)
    return Dataset(facts, cpu, images, labels, order, order)
