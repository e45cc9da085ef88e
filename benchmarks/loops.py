"""The loops that a trial is measured against. Each returns the seconds of its epochs.

Run in a process of its own: `python -c "import loops; loops.main()" bare DATA EPOCHS`.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise

PIXELS, CLASSES, BATCH = 784, 10, 50
SHAPE = UNITS, LAYERS = 64, 1
PHI = {"lr": 1e-3, "weight_decay": 1e-6}
NAIVE_SHARE = 0.25
"""The naive loop runs this share of an epoch: its images cost the same, one after the other."""


def network(units: int = UNITS, layers: int = LAYERS):
    from torch import nn

    sizes = [PIXELS, *[units] * layers]
    hidden = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], CLASSES))


def adam(model, lr: float, weight_decay: float):
    """The fastest Adam that we found: a trial's own."""
    from trialwatt.workload.algorithms import optimizer

    device = next(model.parameters()).device
    return optimizer("adam", model, {"lr": lr, "decay": weight_decay}, device)


def bare(path: str, epochs: int, device: str = "cpu") -> list[float]:
    """The barest loop, with the best settings that we found (docs/workload.md).

    All images as scaled floats in memory, gathered a few batches at a time; fused Adam; one
    thread; numbers below 1e-38 count as zero.
    """
    import torch
    from torch.nn.functional import cross_entropy

    from trialwatt.workload import dataset
    from trialwatt.workload.images import GATHERED

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    data = dataset.load(path, 0.2, 1, torch.device(device))
    images, labels = data.train_images.float() / data.facts.scale, data.train_labels.long()
    model = network().to(device)
    steps = adam(model, **PHI)
    seconds = []
    for _ in range(epochs):
        began = time.perf_counter()
        order = data.train_index[torch.randperm(len(data.train_index)).to(device)]
        for index in order.split(BATCH * GATHERED):
            chosen, classes = images.index_select(0, index), labels.index_select(0, index)
            for inputs, targets in zip(chosen.split(BATCH), classes.split(BATCH), strict=True):
                steps.zero_grad()
                loss = cross_entropy(model(inputs), targets)
                loss.backward()
                steps.step()
        loss.item()
        seconds.append(time.perf_counter() - began)
    return seconds


def as_in_tutorials(folder: str):
    """What most tutorials use: a DataLoader with ToTensor for each image, a network, Adam."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, Subset

    from trialwatt.workload.torchvision_guard import torchvision_datasets

    datasets = torchvision_datasets()
    from torchvision.transforms import ToTensor

    images = datasets.MNIST(folder, train=True, transform=ToTensor())
    count = round(48_000 * NAIVE_SHARE)  # of the training images of a trial
    loader = DataLoader(Subset(images, range(count)), batch_size=BATCH, shuffle=True)
    model = nn.Sequential(nn.Flatten(), *network())
    return loader, model, torch.optim.Adam(model.parameters(), lr=PHI["lr"])


def naive(folder: str, epochs: int) -> list[float]:
    """A loop as most tutorials write it."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    loader, model, steps = as_in_tutorials(folder)
    criterion = nn.CrossEntropyLoss()
    seconds = []
    for _ in range(epochs):
        began = time.perf_counter()
        for inputs, targets in loader:
            steps.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            steps.step()
        seconds.append((time.perf_counter() - began) / NAIVE_SHARE)
    return seconds


def main() -> None:
    name, where, epochs = sys.argv[1:]
    print(json.dumps({"bare": bare, "naive": naive}[name](where, int(epochs))))
