"""What follows from the configuration alone: the seed, the run's id, the dataset's checksum."""

from __future__ import annotations

from collections.abc import Iterator

from trialwatt.config.identity import repetition_seed
from trialwatt.printed import shown
from trialwatt.review.plausible.run import LETTERS, Fault, Run, key_fault
from trialwatt.workload.prepared import PUBLISHED


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
    dataset, name = manifest.get("dataset") or {}, run.config.workload.dataset
    if dataset.get("name") != name:
        yield key_fault(f"dataset.name is {shown(dataset.get('name'), LETTERS)}, not {name}")
    elif dataset["sha256"] != PUBLISHED.get(name, dataset["sha256"]):
        yield key_fault(f"dataset.sha256 is not that of the published {name}")
