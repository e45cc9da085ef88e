"""What the benchmarks of real runs share: MNIST, one small run of it, and the lines they print."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

from trialwatt.config.goals import base_workload
from trialwatt.config.models import RunConfig, Testbed, Workload
from trialwatt.config.rawfiles import raw_file_problems
from trialwatt.lifecycle.execute import execute
from trialwatt.meters.choose import open_available
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.records.sealed import record_files
from trialwatt.records.testbed_facts import describe, measure_idle, write_testbed
from trialwatt.workload.sources import prepare

ROOT = Path(__file__).resolve().parents[1]
POWER = PowerParameters(
    min_w=0.68, max_w=4.11, memory_w_per_gb=0.392, included_gb_per_vcpu=4, source="a benchmark"
)


def without_mnist() -> str:
    """Why MNIST is not here; empty where it is."""
    folder = os.environ.get("TRIALWATT_DATA")
    if not folder:
        return "needs MNIST's raw files: name their folder in TRIALWATT_DATA"
    return "; ".join(raw_file_problems("mnist", folder))


def report(
    name: str, measured: float, limit: float | None, unit: str, at_least: bool = False
) -> bool:
    """Print one line; whether the limit is kept (where there is one)."""
    ok = limit is None or (measured >= limit if at_least else measured <= limit)
    bound = "-" if limit is None else f"{'≥' if at_least else '≤'} {limit:.2f} {unit}"
    verdict = "" if limit is None else ("ok" if ok else "SHORT")
    print(f"{name:<52}{measured:9.2f} {unit:<3}{bound:>15}   {verdict}".rstrip(), flush=True)
    return ok


def skipped(name: str, reason: str) -> None:
    print(f"{name:<52}  SKIPPED: {reason}", flush=True)


class Bench:
    """Runs of the base workload, on MNIST or another dataset, below one folder."""

    def __init__(self, folder: Path, dataset: str = "mnist"):
        self._folder, self._dataset, self._runs = folder, dataset, 0
        self.data = folder / f"{dataset}.safetensors"
        prepare(dataset, self.data)

    def run(self, sut: str, testbed: dict | None = None, **keys) -> Path:
        """One repetition with the model meter on; keywords replace keys of the base workload."""
        self._runs += 1
        own = {"meters": ["model"], "idle_s": 0, "allow_oversubscription": True}
        own |= {"allow_busy_machine": True, "quiet_wait_s": 0}  # the benchmark measures all of it
        bed = Testbed.model_validate(own | (testbed or {}))
        facts = self._folder / "testbed.json"
        with open_available(bed, POWER) as chosen:
            idle = measure_idle(chosen.meters, 0, bed.sample_hz)
            write_testbed(facts, describe("bench", bed, POWER, chosen.facts(), idle))
        workload = base_workload(ROOT, self._dataset).model_dump(mode="json") | keys
        config = RunConfig(
            sut=sut,
            workload=Workload.model_validate(workload),
            testbed_name="bench",
            testbed=bed,
            seed=1,
        )
        results = self._folder / f"results-{self._runs}"
        return execute(config, 1, str(self.data), str(facts), str(results))


def one_point(lrs: list[float], **phi) -> dict:
    """A space of as many trials as there are learning rates, all of the same network."""
    space = {"lr": {"choices": lrs}, "decay": {"choices": [1e-6]}}
    return space | {name: {"choices": [value]} for name, value in phi.items()}


def trial_events(folder: Path) -> dict[str, list[dict]]:
    """Trial id → its events, by the monotonic clock."""
    found: dict[str, list[dict]] = {}
    for file in record_files(folder, "records"):
        for line in file.read_bytes().splitlines():
            event = json.loads(line)
            if event["kind"] == "trial":
                found.setdefault(event["trial"], []).append(event)
    return {trial: sorted(events, key=lambda e: e["m"]) for trial, events in found.items()}


def step_seconds(events: list[dict], step: str) -> list[float]:
    """Durations of all steps of this name in one trial."""
    return [
        (after["m"] - event["m"]) / 1e9
        for event, after in itertools.pairwise(events)
        if event.get("step") == step
    ]
