"""The workers that the configuration asks for, with what it reserves for them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from trialwatt.review.plausible.run import Fault, Run, key_fault


def faults(run: Run) -> Iterator[Fault]:
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
