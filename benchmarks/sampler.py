"""What the sampler costs: CPU time per second of wall time, at 5 Hz, with 8 watched workers.

First with the local platform's own readings of 8 real workers, which is what a run pays; then with
readings that cost nothing, which is the sampler's own part. The least of some windows is taken:
what else runs on the machine can only add to it. Exits with 1 if a limit is exceeded.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from trialwatt.config.models import Testbed
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.model import PowerModel
from trialwatt.meters.sampler import Sampler
from trialwatt.platforms.base import Role, Usage
from trialwatt.platforms.local import LocalPlatform

WORKERS, HZ, SECONDS, WINDOWS = 8, 5, 5, 3
LIMIT_PERCENT = 0.5
POWER = PowerParameters(
    min_w=0.68, max_w=4.11, memory_w_per_gb=0.392, included_gb_per_vcpu=4, source="benchmark"
)


def cost(usages: list[Callable[[], Usage]]) -> float:
    """Per cent of one core that this process uses while it samples and does nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        meters = {"model": PowerModel.open(Testbed(), POWER)}
        with Sampler(meters, Path(folder), HZ) as sampler:
            for index, usage in enumerate(usages):
                sampler.watch(f"worker-{index}", usage)
            percents = []
            for _ in range(WINDOWS):
                started, used = time.monotonic(), time.process_time()
                time.sleep(SECONDS)
                elapsed = time.monotonic() - started
                percents.append(100 * (time.process_time() - used) / elapsed)
        if sampler.errors:
            raise SystemExit("\n".join(sampler.errors))
    return min(percents)


@contextmanager
def sleeping_workers():
    """Usage functions of workers that the local platform has started."""
    with tempfile.TemporaryDirectory() as folder:
        platform = LocalPlatform.open("benchmark-sampler", Testbed(), Path(folder))
        try:
            command = ("sleep", "600")
            roles = [Role("worker", "worker", command, 0.1, 64, i, False) for i in range(WORKERS)]
            yield [platform.start(role).usage for role in roles]
        finally:
            platform.remove()


def report(name: str, percent: float) -> bool:
    """Print one line; whether it is within the limit."""
    ok = percent <= LIMIT_PERCENT
    verdict = "ok" if ok else "SHORT"
    print(f"{name:<44}{percent:5.2f} %   limit {LIMIT_PERCENT:.2f} %   {verdict}", flush=True)
    return ok


if __name__ == "__main__":
    with sleeping_workers() as usages:
        whole = report(f"sampler cost at {HZ} Hz, {WORKERS} workers", cost(usages))
    own = report("  of it, without reading the workers", cost([lambda: Usage(1, 2, 3)] * WORKERS))
    sys.exit(not (whole and own))
