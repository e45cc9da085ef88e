"""What a step of a trial and of the naive loop is made of: CPU time of each part, side by side.

Both loops compute the same: forward, loss, backward. What that takes, against what Python and PIL
take to read an image, differs from processor to processor, and so does the ratio of whole epochs:
0.10 on an AMD EPYC and 0.20 on an Intel Xeon, with the same code. Images and optimizer are
what a trial does in its own way; their ratios say the same on both.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator

import loops

TURNS, STEPS = 9, 40
IMAGES, COMPUTED, OPTIMIZER = "images", "forward, loss, backward", "optimizer"


class Loop:
    """A loop in steps: batches, a network, its optimizer; whether it counts 1e-38 as zero."""

    def __init__(self, batches: Iterator, model, optimizer, flush: bool):
        self._batches, self._model, self._optimizer = batches, model, optimizer
        self._flush = flush

    def turn(self) -> dict[str, float]:
        """Part → CPU seconds of this thread, of a few steps."""
        import torch
        from torch.nn.functional import cross_entropy

        torch.set_flush_denormal(self._flush)
        seconds = dict.fromkeys((IMAGES, COMPUTED, OPTIMIZER), 0.0)
        for _ in range(STEPS):
            moments = [time.thread_time()]
            inputs, targets = next(self._batches)
            moments.append(time.thread_time())
            loss = cross_entropy(self._model(inputs), targets)
            self._optimizer.zero_grad()
            loss.backward()
            moments.append(time.thread_time())
            self._optimizer.step()
            moments.append(time.thread_time())
            for part, (began, ended) in zip(seconds, itertools.pairwise(moments), strict=True):
                seconds[part] += ended - began
        return seconds


def of_a_trial(path: str) -> Loop:
    import torch

    from trialwatt.workload import dataset
    from trialwatt.workload.images import batches

    data, model = dataset.load(path, 0.2, 1, torch.device("cpu")), loops.network()
    order = data.train_index[torch.randperm(len(data.train_index))]
    endless = (batches(data, order, loops.BATCH) for _ in itertools.count())
    return Loop(
        itertools.chain.from_iterable(endless), model, loops.adam(model, **loops.PHI), flush=True
    )


def of_the_naive_loop(folder: str) -> Loop:
    loader, model, optimizer = loops.as_in_tutorials(folder)
    endless = itertools.chain.from_iterable(loader for _ in itertools.count())
    return Loop(endless, model, optimizer, flush=False)


def step_parts(path: str, folder: str) -> dict[str, tuple[float, float]]:
    """Part → µs of a step of a trial (median), and their ratio to the naive loop's (median).

    path: of the prepared dataset; folder: of the raw files. The loops take turns in this process,
    on one thread, so that a slow moment of the machine meets both.
    """
    import torch

    torch.set_num_threads(1)
    naive, trial = of_the_naive_loop(folder), of_a_trial(path)
    turns = [(trial.turn(), naive.turn()) for _ in range(TURNS + 1)][1:]  # the first one warms up
    torch.set_flush_denormal(True)
    return {
        part: (
            1e6 / STEPS * statistics.median(ours[part] for ours, _ in turns),
            statistics.median(ours[part] / theirs[part] for ours, theirs in turns),
        )
        for part in (IMAGES, COMPUTED, OPTIMIZER)
    }
