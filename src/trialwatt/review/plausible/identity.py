"""What follows from the configuration alone: seed, id, the dataset's checksum, the workers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from trialwatt.config.identity import repetition_seed
from trialwatt.errors import TrialwattError
from trialwatt.printed import shown
from trialwatt.provenance.foreign import read_json
from trialwatt.review.plausible.run import LETTERS, Fault, Run, at, key_fault
from trialwatt.workload.prepared import PUBLISHED

_JOB = "job.json"


def faults(run: Run) -> Iterator[Fault]:
    manifest, repetition = run.manifest, run.manifest["repetition"]
    seed = repetition_seed(run.config.seed, repetition)
    if manifest.get("seed") != seed:
        yield key_fault(
            f"seed is {manifest.get('seed')}, but by config.seed and repetition it is {seed}"
        )
    begins = f"{manifest['hash']}-r{repetition}-"
    if not manifest["run_id"].startswith(begins):
        yield key_fault(
            f"run_id is {shown(manifest['run_id'], LETTERS)}, but this run's begin with {begins}"
        )
    yield from _job(run)
    dataset, name = manifest.get("dataset") or {}, run.config.workload.dataset
    if dataset.get("name") != name:
        yield key_fault(f"dataset.name is {shown(dataset.get('name'), LETTERS)}, not {name}")
    elif dataset["sha256"] != PUBLISHED.get(name, dataset["sha256"]):
        yield key_fault(f"dataset.sha256 is not that of the published {name}")


def _job(run: Run) -> Iterator[Fault]:
    """What every process was told is what run.json says of the run."""
    if not (run.folder / _JOB).is_file():
        return
    try:
        told = read_json(run.folder / _JOB)
    except TrialwattError:
        yield Fault(_JOB, "is no JSON")
        return
    for key in ("run_id", "repetition", "seed", "config"):
        if at(told, key) != run.manifest.get(key):
            yield Fault(_JOB, f"{key} is another than in run.json")


def workers_faults(run: Run) -> Iterator[Fault]:
    """Static energy and cost follow from what was reserved, which the configuration says."""
    wanted = run.config.workload.workers
    workers = [c for c in run.records.components if c.type == "worker"]
    for worker in workers:
        for key, found, asked in (
            ("cpu", worker.cpu, run.config.worker_cpu),
            ("memory_mb", worker.memory_mb, wanted.memory_mb),
        ):
            if not math.isclose(found, asked, rel_tol=1e-9):
                yield run.event_fault(
                    f"{worker.name} has {key} {found:g}, but a worker of this run has {asked:g}",
                    kind="component",
                    component=worker.name,
                    status="start",
                )
    if run.manifest.get("status") == "completed" and len(workers) != wanted.count:
        yield key_fault(
            f"config.workload.workers.count is {wanted.count}, but records/harness.jsonl has "
            f"{len(workers)} workers"
        )
