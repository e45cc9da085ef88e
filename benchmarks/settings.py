"""What makes a step of the training loop faster or slower: the settings that were tried.

CPU time of a step, against the barest loop with the best settings (loops.py); all variants run
in turns of a few steps, in one process and on one thread. There is no limit to keep.
`settings.py compile` tries torch.compile as well (it needs a C++ compiler, and half a minute for
its first step).
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import loops
from onerun import report, skipped, without_mnist

TURNS, STEPS = 60, 40
STEEP, LARGEST = {"lr": 1e-2, "weight_decay": 1e-4}, (128, 2)
"""A φ of the base grid whose averages become denormal after a few epochs."""

IMPORTS = {
    "as torch makes it": "torch.optim.Adam(model.parameters())",
    "without the compiler's hooks": "optimizer('adam', model, {'lr': 1e-3, 'decay': 0}, cpu)",
}


class Tried:
    """One variant: a network, its optimizer, and how a step takes its batch."""

    def __init__(self, data, batches, adam=None, score=None, shape=loops.SHAPE, phi=loops.PHI):
        import torch
        from torch.nn.functional import cross_entropy

        torch.manual_seed(0)
        model = loops.network(*shape)
        if adam:
            self.optimizer = adam(model.parameters(), **phi)
        else:
            self.optimizer = loops.adam(model, **phi)
        self._loss = (score or (lambda function: function))(lambda x, y: cross_entropy(model(x), y))
        order = torch.randperm(len(data.train_index), generator=torch.Generator().manual_seed(1))
        self._batches = itertools.chain.from_iterable(
            batches(data, data.train_index[order]) for _ in itertools.count()
        )

    def turn(self, steps: int = STEPS) -> float:
        """CPU seconds of so many steps."""
        began = time.thread_time()
        for inputs, targets in itertools.islice(self._batches, steps):
            self.optimizer.zero_grad()
            self._loss(inputs, targets).backward()
            self.optimizer.step()
        return time.thread_time() - began


def by_index_select(images, labels, gathered, data, order):
    for index in order.split(loops.BATCH * gathered):
        inputs, targets = images.index_select(0, index), labels.index_select(0, index)
        yield from zip(inputs.split(loops.BATCH), targets.split(loops.BATCH), strict=True)


def by_indexing(images, labels, data, order):
    for index in order.split(loops.BATCH):
        yield images[index], labels[index]


def shuffled_first(images, labels, data, order):
    yield from zip(images[order].split(loops.BATCH), labels[order].split(loops.BATCH), strict=True)


def from_bytes(gathered, data, order):
    """As a trial does it: bytes, gathered and scaled for a few batches at a time."""
    for chunk in order.split(loops.BATCH * gathered):
        images = data.train_images.index_select(0, chunk).mul(1 / data.facts.scale)
        labels = data.train_labels.index_select(0, chunk).long()
        yield from zip(images.split(loops.BATCH), labels.split(loops.BATCH), strict=True)


def step_ratios(data, with_compile: bool) -> dict[str, float]:
    """Variant → CPU time of its steps ÷ that of the barest loop's."""
    import torch

    from trialwatt.workload.images import GATHERED

    images, labels = data.train_images.float() / data.facts.scale, data.train_labels.long()
    bare = partial(by_index_select, images, labels, GATHERED)
    tried = {
        "barest": Tried(data, bare),
        "Adam as it is by default": Tried(data, bare, torch.optim.Adam),
        "Adam with foreach": Tried(data, bare, partial(torch.optim.Adam, foreach=True)),
        "fused Adam with the compiler's hooks": Tried(
            data, bare, partial(torch.optim.Adam, fused=True)
        ),
        "floats, a batch at a time": Tried(data, partial(by_index_select, images, labels, 1)),
        "images[index]": Tried(data, partial(by_indexing, images, labels)),
        "all images shuffled before the epoch": Tried(
            data, partial(shuffled_first, images, labels)
        ),
        "bytes, a batch at a time": Tried(data, partial(from_bytes, 1)),
        f"bytes, {GATHERED} batches at a time": Tried(data, partial(from_bytes, GATHERED)),
        "bytes, 40 batches at a time": Tried(data, partial(from_bytes, 40)),
    }
    if with_compile:
        tried["torch.compile"] = Tried(data, bare, score=torch.compile)
        began = time.perf_counter()
        tried["torch.compile"].turn(1)
        report("first step with torch.compile", time.perf_counter() - began, None, "s")
    return _against_first(tried)


def denormal_ratio(data) -> float:
    """CPU time of a step with denormal numbers ÷ without, after four epochs of a steep φ."""
    import torch

    images, labels = data.train_images.float() / data.facts.scale, data.train_labels.long()
    bare, found = partial(by_index_select, images, labels, 1), {}
    for flush in (True, False):
        torch.set_flush_denormal(flush)
        found[flush] = Tried(data, bare, shape=LARGEST, phi=STEEP)
        found[flush].turn(4 * len(data.train_index) // loops.BATCH)
    seconds = {True: 0.0, False: 0.0}
    for _ in range(TURNS):
        for flush, tried in found.items():
            torch.set_flush_denormal(flush)
            seconds[flush] += tried.turn()
    torch.set_flush_denormal(True)
    return seconds[False] / seconds[True]


def _against_first(tried: dict[str, Tried]) -> dict[str, float]:
    seconds = dict.fromkeys(tried, 0.0)
    for turn in range(TURNS + 1):
        for name, each in tried.items():
            taken = each.turn()
            seconds[name] += taken if turn else 0  # the first one warms up
    first, *others = tried
    return {name: seconds[name] / seconds[first] for name in others}


def first_optimizer(make: str) -> tuple[float, float]:
    """CPU seconds and MB that the first optimizer of a process costs, its first step included."""
    code = (
        "import psutil, time, torch\n"
        "from trialwatt.workload.algorithms import optimizer\n"
        "cpu, model = torch.device('cpu'), torch.nn.Linear(784, 64)\n"
        "model(torch.rand(50, 784)).sum().backward()\n"
        "me = psutil.Process(); began, before = time.process_time(), me.memory_info().rss\n"
        f"steps = {make}; steps.zero_grad(); steps.step()\n"
        "print(time.process_time() - began, (me.memory_info().rss - before) / 2**20)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    seconds, mb = map(float, done.stdout.split())
    return seconds, mb


def import_seconds() -> tuple[float, float]:
    """CPU seconds of a process to import what a trial needs, and those of its collections."""
    code = (
        "import gc, time, trialwatt.lifecycle.worker\n"
        "moments, clock = [], time.process_time\n"
        "gc.callbacks.append(lambda phase, info: moments.append(clock()))\n"
        "began = clock(); import trialwatt.workload.images; ended = clock()\n"
        "print(ended - began, sum(moments[1::2]) - sum(moments[::2]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    seconds, collecting = map(float, done.stdout.split())
    return seconds, collecting


def main(with_compile: bool) -> int:
    seconds, collecting = import_seconds()
    report("a process's import of torch", seconds, None, "s")
    report("  of it garbage collection, without which a trial does", collecting, None, "s")
    missing = without_mnist()
    if missing:
        skipped("settings of the training loop", missing)
        return 0
    import torch

    from trialwatt.workload import dataset
    from trialwatt.workload.images import pin_threads
    from trialwatt.workload.sources import prepare

    for name, make in IMPORTS.items():
        seconds, mb = first_optimizer(make)
        report(f"a process's first Adam, {name}", seconds, None, "s")
        report("  its memory", mb, None, "MB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mnist.safetensors")
        prepare("mnist", path)
        pin_threads(1)
        data = dataset.load(str(path), 0.2, 1, torch.device("cpu"))
        for name, ratio in step_ratios(data, with_compile).items():
            report(f"step ÷ barest: {name}", ratio, None, "×")
        report("step ÷ barest: denormal numbers kept", denormal_ratio(data), None, "×")
    return 0


if __name__ == "__main__":
    sys.exit(main("compile" in sys.argv[1:]))
