"""What the benchmarks of real runs share: MNIST, one small run of it, and the lines they print."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trialwatt.config.functions import find, source_of
from trialwatt.config.goals import base_workload
from trialwatt.config.models import RunConfig, Testbed, Workload
from trialwatt.config.rawfiles import raw_file_problems
from trialwatt.lifecycle.execute import execute
from trialwatt.meters.choose import open_available
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.records.sealed import record_files
from trialwatt.records.testbed_facts import describe, measure_idle, write_testbed
from trialwatt.workload.inputs import take_in
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


@dataclass(frozen=True)
class Line:
    """One figure of a benchmark that also puts them into a document; limit: None where it has none.

    skipped, failed: why there is no figure.
    """

    name: str
    measured: float = math.nan
    unit: str = ""
    limit: float | None = None
    at_least: bool = False
    skipped: str = ""
    failed: str = ""

    def print(self) -> bool:
        """As report and skipped do; whether the limit is kept."""
        if self.skipped:
            skipped(self.name, self.skipped)
        elif self.failed:
            print(f"{self.name:<52}  SHORT: {self.failed}", flush=True)
        else:
            return report(self.name, self.measured, self.limit, self.unit, self.at_least)
        return not self.failed

    def row(self) -> str:
        """The same in a table of three columns."""
        if self.skipped or self.failed:
            return f"| {self.name.strip()} | {self.skipped or self.failed} | |"
        bound = "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {self.limit:,g}"
        shown = f"{_number(self.measured)} {self.unit}".rstrip()
        return f"| {self.name.strip()} | {shown} | {bound} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:,.2f}"


class Bench:
    """Runs of one workload below one folder: the base workload on MNIST or another dataset, or that
    of a function (a module of this folder, and its other keys)."""

    def __init__(
        self,
        folder: Path,
        dataset: str = "mnist",
        function: str | None = None,
        keys: Mapping[str, Any] = MappingProxyType({}),
    ):
        self._folder, self._runs = folder, 0
        if function is None:
            self._base = base_workload(ROOT, dataset).model_dump(mode="json") | dict(keys)
            self.data = folder / f"{dataset}.safetensors"
            prepare(dataset, self.data)
        else:
            own = Path(__file__).parent
            found = find(function, own)
            self._base = {"trial": found.function, **keys}
            self.data = folder / "function.py"
            take_in(found.function, source_of(found.function, own), self.data, imports=True)

    def run(self, sut: str, testbed: dict | None = None, **keys) -> Path:
        """One repetition with the model meter on; keywords replace keys of the workload."""
        self._runs += 1
        own = {"meters": ["model"], "idle_s": 0, "allow_oversubscription": True}
        own |= {"allow_busy_machine": True, "quiet_wait_s": 0}  # the benchmark measures all of it
        bed = Testbed.model_validate(own | (testbed or {}))
        facts = self._folder / "testbed.json"
        with open_available(bed, POWER) as chosen:
            idle = measure_idle(chosen.meters, 0, bed.sample_hz)
            write_testbed(facts, describe("bench", bed, POWER, chosen.facts(), idle))
        config = RunConfig(
            sut=sut,
            workload=Workload.model_validate(self._base | keys),
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
