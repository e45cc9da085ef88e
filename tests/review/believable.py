"""Synthetic records as a run of their configuration would have written them: what is checked of
records (docs/review.md, "Plausibility") holds for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from trialwatt.config.identity import repetition_seed, run_hash
from trialwatt.config.models import RunConfig
from trialwatt.meters.base import MachineLoad
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.model import PowerModel
from trialwatt.workload.prepared import PUBLISHED

APART_NS = 200 * 10**9
"""From the start of one run to that of the next: they cannot overlap."""
HOST = {
    "name_hash": "0123456789ab",
    "cpu_model": "a processor",
    "cores": 16,
    "memory_mb": 65536,
    "kernel": "6.1.0",
    "system": "Linux",
    "python": "3.11.7",
}
TEST = {"macro_f1": 0.97, "accuracy": 0.97}


def testbed(parameters: PowerParameters, recorded_utc_ns: int) -> dict:
    """The record of the testbed, as far as it is compared with the runs."""
    return {
        "format": 1,
        "testbed_name": "lab",
        "recorded_utc_ns": recorded_utc_ns,
        "host": HOST,
        "power": parameters.model_dump(),
        "meters": {},
        "idle": {"meters": {}},
    }


def make_believable(
    folder: Path, config: RunConfig, power: PowerParameters, repetition: int, number: int
) -> dict:
    """Rewrite the records of a synthetic run; returns what its manifest says of them.

    number: of the run among all, which sets its time.
    """
    run_id = f"{run_hash(config)}-r{repetition}-{number:06x}"
    worker, scale = config.workload.workers, config.worker_cpu / 2

    def told(event: dict) -> dict:
        event |= {"t": event["t"] + number * APART_NS, "run": run_id}
        if "cpu_ns" in event:
            event["cpu_ns"] = round(event["cpu_ns"] * scale)
        if event.get("type") == "worker" and event["status"] == "start":
            event |= {"cpu": config.worker_cpu, "memory_mb": worker.memory_mb}
        if event["kind"] == "trial" and event["status"] == "start":
            index = int(event["who"].removeprefix("worker-"))
            event["number"] = event["number"] * worker.count + index
        if event["kind"] == "trial" and event["status"] == "end":
            event["epochs"] = config.workload.epochs
        return event

    files = sorted((folder / "records").glob("*.jsonl"))
    events = {file: [told(json.loads(line)) for line in file.open()] for file in files}
    best = _best([event for own in events.values() for event in own])
    harness = events[folder / "records/harness.jsonl"]
    collect = next(e for e in harness if e.get("step") == "collect")
    at = next(i for i, e in enumerate(harness) if e.get("step") == "collect") + 1
    harness.insert(at, _head(collect) | {"kind": "result"} | best)
    tested = next(e for e in harness if e.get("step") == "test")
    own = _head(tested) | {"who": "worker-0", "kind": "test", "scores": TEST}
    events[folder / "records/worker-0.jsonl"].append(own)
    for file, lines in events.items():
        text = "".join(json.dumps(e, separators=(",", ":")) + "\n" for e in lines)
        file.write_text(text)
    model = PowerModel(power)
    _rewrite_samples(folder, model, number, scale)
    domains = [domain.__dict__ for domain in model.domains]
    return {
        "run_id": run_id,
        "seed": repetition_seed(config.seed, repetition),
        "host": HOST,
        "best": best,
        "test": TEST,
        "dataset": {"name": "digits", "sha256": PUBLISHED["digits"]},
        "meters": {
            "model": {
                "available": True,
                "reason": "",
                "domains": domains,
                "parameters": model.parameters,
            }
        },
        "headline_meter": "model",
        "headline_domains": {"model": [domain["name"] for domain in domains]},
        "idle": {
            "meter": "model",
            "by": "definition",
            "watts": model.idle_watts(HOST["cores"], HOST["memory_mb"] / 1024),
        },
    }


def _head(event: dict) -> dict:
    return {key: event[key] for key in ("t", "m", "run", "who")}


def _best(events: list[dict]) -> dict:
    starts = {e["trial"]: e for e in events if e.get("status") == "start" and "phi" in e}
    ends = [e for e in events if e.get("outcome") == "completed"]
    top = max(ends, key=lambda e: e["scores"]["macro_f1"])
    start = starts[top["trial"]]
    return {
        "phi": start["phi"],
        "score": top["scores"]["macro_f1"],
        "number": start["number"],
        "trial": top["trial"],
    }


def _rewrite_samples(folder: Path, model: PowerModel, number: int, scale: float) -> None:
    """usage.csv with its CPU times scaled, and the power that the model gives for them."""
    busy: dict[int, tuple[str, int]] = {}

    def sampled(fields: list[str]) -> list[str]:
        t, m, component, cpu_ns, memory = fields
        moved, used = str(int(t) + number * APART_NS), round(int(cpu_ns) * scale)
        if component == "machine":
            busy[int(m)] = (moved, used)
        return [moved, m, component, str(used), memory]

    edit_rows(folder / "samples/usage.csv", sampled)
    rows, before = ["t,m,cpu,memory"], None
    for m, (t, used) in busy.items():
        load = 0.0 if before is None else (used - before[1]) / (m - before[0])
        watts = model.read(MachineLoad(HOST["cores"], load, HOST["memory_mb"] / 1024))
        rows.append(f"{t},{m},{round(watts['cpu'], 6)!r},{round(watts['memory'], 6)!r}")
        before = m, used
    (folder / "samples/power-model.csv").write_text("\n".join(rows) + "\n")


def edit_rows(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the fields of each row of a CSV file."""
    head, *rows = file.read_text().splitlines()
    lines = [head, *(",".join(change(row.split(","))) for row in rows)]
    file.write_text("\n".join(lines) + "\n")
