"""How fast a trial trains and loads in a worker, with records and meters on.

A worker's epochs are those of real runs of `plain` (one worker, one core, one thread, every
epoch validated and recorded), read from their records. They are measured in turns with the loops
of loops.py, so that a slow minute of the machine meets both; the figure is the median of the
turns' ratios. The ratio to the naive loop has no limit: most of it is the networks' arithmetic
against the reading of images, which is the processor's affair. Its parts have (parts.py).
Exits with 1 if a limit is exceeded.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import loops
import parts
from onerun import Bench, one_point, report, skipped, step_seconds, trial_events, without_mnist

TURNS, EPOCHS, NAIVE_TURNS = 7, 3, 4
LIMIT_BARE, LIMIT_LOAD_MS, LIMIT_GPU = 1.05, 50, 0.95
LIMITS_NAIVE = {parts.IMAGES: 0.05, parts.COMPUTED: None, parts.OPTIMIZER: 0.6}
"""Of the CPU time that the same part of the naive loop's step takes; both compute the same."""
BARE, NAIVE = "trial epoch ÷ barest PyTorch loop", "trial epoch ÷ naive loop"
OF_STEP, PART = "  {} of a step", "  {} ÷ naive loop's"
LOAD, GPU = "load step of a later trial, {}", "GPU throughput ÷ loop with all on the device"
ONE = {"count": 1, "cpu": 1, "memory_mb": 1024}


def loop(name: str, where: str, epochs: int) -> float:
    """Median seconds of an epoch of a loop, in a process of its own; its first one warms up."""
    command = [sys.executable, "-c", "import loops; loops.main()", name, where, str(epochs)]
    here = Path(__file__).parent
    done = subprocess.run(command, cwd=here, stdout=subprocess.PIPE, text=True, check=True)
    return statistics.median(json.loads(done.stdout)[1:])


def worker(bench: Bench) -> tuple[float, list[float]]:
    """Median seconds of an epoch in a worker without its first one, and seconds of later loads."""
    folder = bench.run(
        "plain",
        space=one_point([9e-4, 1e-3], ls=loops.UNITS, ln=1),
        epochs=EPOCHS,
        validate_each_epoch=True,
        workers=ONE,
    )
    first, *later = trial_events(folder).values()
    epochs = step_seconds(first, "train")[1:] + [
        seconds for events in later for seconds in step_seconds(events, "train")
    ]
    return statistics.median(epochs), [sum(step_seconds(events, "load")) for events in later]


def later_loads(bench: Bench, sut: str) -> list[float]:
    folder = bench.run(
        sut,
        space=one_point([1e-3 * k for k in range(1, 7)], ls=32, ln=1),
        epochs=1,
        workers=ONE,
    )
    _, *later = trial_events(folder).values()
    return [sum(step_seconds(events, "load")) for events in later]


def gpu_throughput(path: str) -> float:
    """Images a second of a trial on the GPU ÷ those of the bare loop with all on the GPU."""
    import time

    import torch

    from trialwatt.workload import dataset
    from trialwatt.workload.devices import device_of
    from trialwatt.workload.images import pin_threads, train_epoch

    pin_threads(1)
    device = device_of("gpu")
    data = dataset.load(path, 0.2, 1, device)
    model = loops.network().to(device)
    steps = loops.adam(model, **loops.PHI)
    generator, ratios = torch.Generator().manual_seed(1), []
    for turn in range(TURNS + 1):
        began = time.perf_counter()
        train_epoch(model, steps, data, loops.BATCH, generator)
        ours = time.perf_counter() - began
        theirs = statistics.median(loops.bare(path, 2, "cuda"))
        if turn:  # the first one warms up
            ratios.append(theirs / ours)
    return statistics.median(ratios)


def main() -> int:
    missing = without_mnist()
    if missing:
        for name in (BARE, NAIVE, LOAD.format("plain"), LOAD.format("optuna"), GPU):
            skipped(name, missing)
        return 0
    raw = os.environ["TRIALWATT_DATA"]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        to_bare, to_naive, plain_loads = [], [], []
        for turn in range(TURNS):
            before = loop("bare", str(bench.data), EPOCHS + 1)
            epoch, loads = worker(bench)
            after = loop("bare", str(bench.data), EPOCHS + 1)
            to_bare.append(epoch / statistics.mean((before, after)))
            plain_loads += loads
            if turn < NAIVE_TURNS:
                to_naive.append(epoch / loop("naive", raw, 3))
        kept = [
            report(BARE, statistics.median(to_bare), LIMIT_BARE, "×"),
            report(NAIVE, statistics.median(to_naive), None, "×"),
        ]
        for part, (micros, ratio) in parts.step_parts(str(bench.data), raw).items():
            report(OF_STEP.format(part), micros, None, "µs")
            kept.append(report(PART.format(part), ratio, LIMITS_NAIVE[part], "×"))
        for sut, loads in (("plain", plain_loads), ("optuna", later_loads(bench, "optuna"))):
            milliseconds = 1000 * statistics.median(loads)
            kept.append(report(LOAD.format(sut), milliseconds, LIMIT_LOAD_MS, "ms"))
        from trialwatt.workload.devices import device_problem

        problem = device_problem("gpu")
        if problem:
            skipped(GPU, problem)
        else:
            kept.append(report(GPU, gpu_throughput(str(bench.data)), LIMIT_GPU, "×", at_least=True))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
