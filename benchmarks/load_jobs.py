"""Jobs under load: ten thousand trials of a millisecond, a thousand records a second, a hundred
workers. What grows with the load is told from what does not.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from extraction import measure
from frameworks import process_per_trial, steps
from millisecond import EPOCH_S, train
from onerun import Bench, Line, trial_events

from trialwatt import suts
from trialwatt.errors import TrialwattError
from trialwatt.platforms.cgroups.base import Host
from trialwatt.platforms.leftovers import left
from trialwatt.platforms.liveness import runtime_folder
from trialwatt.records.sealed import record_file

TRIALS, WORKERS = 10_000, 8
FEW_TRIALS = 40
"""Of a framework that starts a process per trial, which takes seconds."""
WORKLOAD = {
    "space": {"rate": {"low": 0.0, "high": 1.0}},
    "epochs": 1,
    "goal": {"score": "accuracy"},
    "deadline_s": 900,
}
RECORDS_S, PER_S = 60, round(1 / EPOCH_S)
MANY_WORKERS = 100
TRIALS_EACH = 10
LIMIT_TIMES_BARE = 8.0
LIMIT_LATER = 1.5
"""How many times as long the last thousand trials may take as the second one."""
LIMIT_GROWTH_MB = 2.0
LIMIT_HARNESS_MB = 200.0
LIMIT_EXTRACTION_S, LIMIT_EXTRACTION_MB = 5.0, 1024
LIMIT_UNDEPLOY_S = 20.0


@dataclass(frozen=True)
class Seen:
    """A finished job by its records. ends: of its trials or epochs (n,), monotonic ns, in order;
    usage: of usage.csv, with the number of those that were over by then (`done`)."""

    folder: Path
    ends: np.ndarray
    usage: pd.DataFrame

    @classmethod
    def of(cls, folder: Path, ends: list[int]) -> Seen:
        sealed = record_file(folder, "samples/usage.csv").read_bytes()
        usage, moments = pd.read_csv(io.BytesIO(sealed)), np.sort(np.array(ends))
        usage["done"] = np.searchsorted(moments, usage.m)
        return cls(folder, moments, usage[usage.m.le(moments[-1]) & usage.done.gt(0)])

    def seconds(self, part: slice) -> float:
        """Between the first end of a part and its last."""
        moments = self.ends[part]
        return float(moments[-1] - moments[0]) / 1e9

    def growth_mb(self, component: str, part: int) -> float:
        """From the median while the first `part` were done to that of the last, as its control
        group counts memory: what it has just written is in it, and is taken off."""
        own = self.usage[self.usage.component.eq(component)]
        first = own[own.done.le(part)].memory_bytes.median()
        last = own[own.done.ge(len(self.ends) - part)].memory_bytes.median()
        return float(last - first) / 2**20 - self.written_mb(component)

    def written_mb(self, component: str) -> float:
        """Of the component's own records."""
        file = record_file(self.folder, f"records/{component}.jsonl")
        return len(file.read_bytes()) / 2**20 if file.is_file() else 0.0

    def most_mb(self, component: str) -> float:
        return float(self.usage[self.usage.component.eq(component)].memory_bytes.max()) / 2**20

    @property
    def workers(self) -> list[str]:
        return sorted(c for c in self.usage.component.unique() if c.startswith("worker-"))


def many_trials(place: Path, names: list[str]) -> Iterator[Line]:
    """A job of TRIALS trials with WORKERS workers under each of these SUTs."""
    bare = _bare_s(TRIALS)
    yield Line(f"{TRIALS:,} trials in {WORKERS} bare loops", bare, "s")
    for name in names:
        # In a fresh process, which is the job's harness: what this one has read would be in it.
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            yield from fresh.submit(_job_of, name, bare, place / name).result()


def _job_of(name: str, bare: float, place: Path) -> list[Line]:
    """bare: seconds of its trials in bare loops."""
    place.mkdir()
    return [*_lines_of(name, bare, place)]


def _lines_of(name: str, bare: float, place: Path) -> Iterator[Line]:
    head = f"{name}: "
    if reason := suts.get(name).available():
        yield Line(head + "a job", skipped=reason)
        return
    apart, is_control = process_per_trial(name), suts.get(name).is_control
    count = FEW_TRIALS if apart else TRIALS
    part = count // 10
    bench = Bench(place, function="millisecond:train", keys=WORKLOAD)
    try:
        folder = _job(bench, name, count, WORKERS, 1 / 4, memory_mb=1024)
    except TrialwattError as error:
        yield Line(head + "a job", failed=str(error).splitlines()[0])
        return
    trials = trial_events(folder)
    ends = [events[-1]["m"] for events in trials.values()]
    whole = sum(events[-1].get("outcome") == "completed" for events in trials.values())
    seen = Seen.of(folder, ends)
    took = steps(folder)["trials"]
    yield Line(head + "trials, all completed", whole, "", count, at_least=True)
    yield Line(head + "step trials", took, "s")
    if apart:
        hours = took / count * TRIALS / 3600
        yield Line(head + f"so {TRIALS:,} trials would take", hours, "h")
    else:
        limit = LIMIT_TIMES_BARE if is_control else None
        yield Line(head + "  ÷ bare loops", took / bare, "×", limit)
        later = seen.seconds(slice(-part, None)) / seen.seconds(slice(part, 2 * part))
        limit = LIMIT_LATER if is_control else None
        yield Line(head + f"last {part:,} trials ÷ second {part:,}", later, "×", limit)
    grown = max(seen.growth_mb(worker, part) for worker in seen.workers)
    limit = LIMIT_GROWTH_MB if is_control else None
    yield Line(head + "memory of a worker, growth", grown, "MB", limit)
    grown = seen.growth_mb("harness", part)
    yield Line(head + "memory of the harness, growth", grown, "MB", LIMIT_GROWTH_MB)
    yield Line(head + "  its most", seen.most_mb("harness"), "MB", LIMIT_HARNESS_MB)
    sealed = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    yield Line(head + "its folder, per trial", sealed / count, "B")
    yield from _extraction(head, folder, place / f"tables-{name}")


def many_records(place: Path) -> Iterator[Line]:
    """One worker reports PER_S epochs a second for RECORDS_S."""
    count = RECORDS_S * PER_S
    bench = Bench(place, function="millisecond:train", keys=WORKLOAD)
    folder = _job(bench, "plain", 1, 1, 1.0, memory_mb=1024, epochs=count)
    lines = record_file(folder, "records/worker-0.jsonl").read_bytes().splitlines()
    epochs = [e for e in map(json.loads, lines) if e["kind"] == "epoch"]
    lost = count - len({event["epoch"] for event in epochs})
    seen = Seen.of(folder, [event["m"] for event in epochs])
    rate = (len(epochs) - 1) / seen.seconds(slice(None))
    yield Line("records a second, sustained", rate, "/s", 0.99 * PER_S, at_least=True)
    yield Line("  of them lost", lost, "", 0)
    own = seen.usage[seen.usage.component.eq("worker-0")]
    used_us = (own.cpu_ns.max() - own.cpu_ns.min()) / 1e3 / len(epochs)
    bare_us = _bare_record_us(epochs[0], place)
    yield Line("  CPU time of a record, the trial's own included", used_us, "µs")
    yield Line("  a bare json.dumps, write and sleep", bare_us, "µs")
    yield Line("  ÷ bare", used_us / bare_us, "×", LIMIT_TIMES_BARE)
    for component in ("worker-0", "harness"):
        grown = seen.growth_mb(component, count // 10)
        yield Line(f"  memory of {component}, growth", grown, "MB", LIMIT_GROWTH_MB)
    yield from _extraction("  ", folder, place / "tables-records")


def many_workers(place: Path) -> Iterator[Line]:
    """A job of MANY_WORKERS workers on this machine, and what it leaves."""
    before = _children()
    bench = Bench(place, function="millisecond:train", keys=WORKLOAD)
    count = MANY_WORKERS * TRIALS_EACH
    folder = _job(bench, "plain", count, MANY_WORKERS, 0.02, memory_mb=256)
    trials = trial_events(folder)
    seconds = steps(folder)
    whole = sum(events[-1].get("outcome") == "completed" for events in trials.values())
    yield Line(f"{MANY_WORKERS} workers: trials, all completed", whole, "", count, at_least=True)
    yield Line("  deploy", seconds["deploy"], "s")
    yield Line("    per worker", 1e3 * seconds["deploy"] / MANY_WORKERS, "ms")
    yield Line("  trials", seconds["trials"], "s")
    yield Line("  undeploy", seconds["undeploy"], "s", LIMIT_UNDEPLOY_S)
    seen = Seen.of(folder, [events[-1]["m"] for events in trials.values()])
    yield Line("  memory of the harness", seen.most_mb("harness"), "MB", LIMIT_HARNESS_MB)
    most = max(map(seen.most_mb, seen.workers))
    yield Line("  memory of a worker", most, "MB")
    run_id = json.loads((folder / "run.json").read_text())["run_id"]
    found = [each for each in left(runtime_folder(), Host()) if run_id in each.said]
    yield Line("  processes and groups left", len(found) + len(_children() - before), "", 0)


def _job(
    bench: Bench, sut: str, budget: int, workers: int, cores: float, memory_mb: int, **keys
) -> Path:
    """workers: each of so many cores and of one vCPU."""
    return bench.run(
        sut,
        {"sample_hz": 10, "cpu_per_vcpu": cores, "service": {"cpu": 1, "memory_mb": 1536}},
        search={"sampler": "random", "budget": budget},
        workers={"count": workers, "cpu": 1, "memory_mb": memory_mb},
        **keys,
    )


def _extraction(head: str, folder: Path, output: Path) -> Iterator[Line]:
    """Of one run, in a fresh process: this one is the harness of the next job."""
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        took = fresh.submit(measure, [folder], output).result()
    yield Line(head + "extraction", took["seconds"], "s", LIMIT_EXTRACTION_S)
    yield Line(head + "  its memory", 1024 * took["gb"], "MB", LIMIT_EXTRACTION_MB)


def _children() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def _bare_s(trials: int) -> float:
    """Seconds of the same trials in WORKERS processes that do nothing else."""
    with get_context("spawn").Pool(WORKERS) as pool:
        pool.map(_loop, [1] * WORKERS, chunksize=1)  # they are up
        began = time.monotonic()
        pool.map(_loop, [trials // WORKERS] * WORKERS, chunksize=1)
        return time.monotonic() - began


def _loop(trials: int) -> None:
    for _ in range(trials):
        train({"rate": 0.5}, None, 1, 0, lambda *_: False)


def _bare_record_us(event: dict, place: Path) -> float:
    """CPU µs of writing such an event and sleeping until the next is due."""
    count = 5 * PER_S
    with tempfile.NamedTemporaryFile(dir=place) as file:
        began, clock = time.monotonic(), time.process_time()
        for number in itertools.islice(itertools.count(1), count):
            os.write(file.fileno(), (json.dumps(event) + "\n").encode())
            time.sleep(max(0.0, began + number * EPOCH_S - time.monotonic()))
        return 1e6 * (time.process_time() - clock) / count
