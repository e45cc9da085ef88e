"""How much memory a worker needs: resident in training, and the smallest limit that it runs in.

Resident memory is that of the worker's process in real runs, above a process that has only
imported torch. The smallest wmem is found by real runs of four workers with the base workload's
largest network, halving the interval; a run counts if all its trials complete. Exits with 1 if a
limit is exceeded. `memory.py plain optuna` measures only these SUTs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil
from onerun import Bench, one_point, report, skipped, trial_events, without_mnist

from trialwatt import suts

LIMIT_RESIDENT_MB = 150
LIMITS_WMEM_MB = {"plain": 384, "optuna": 384}
RESIDENT, WMEM = "resident memory of a worker above torch, {}", "smallest wmem, {}"
LEAST_MB, MOST_MB, STEP_MB = 128, 1024, 32
LARGEST = {"ls": 128, "ln": 2}
OFTEN_S = 0.05


def torch_mb() -> float:
    """Resident memory of a process that has only imported torch."""
    code = "import psutil, torch; print(psutil.Process().memory_info().rss / 2**20)"
    for _ in range(2):  # the first one may have to read torch from the disk
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


def resident_mb(bench: Bench, sut: str) -> float:
    """The greatest resident memory of the process of a run's only worker."""
    greatest, over = [0.0], threading.Event()

    def watch():
        while not over.wait(OFTEN_S):
            for process in psutil.Process().children(recursive=True):
                try:
                    if "trialwatt.lifecycle.worker" in process.cmdline():
                        greatest[0] = max(greatest[0], process.memory_info().rss / 2**20)
                except psutil.Error:  # it has just ended
                    continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        workers = {"count": 1, "cpu": 1, "memory_mb": 2048}
        bench.run(sut, space=one_point([1e-3, 2e-3], **LARGEST), epochs=2, workers=workers)
    finally:
        over.set()
        thread.join()
    return greatest[0]


def runs_in(bench: Bench, sut: str, memory_mb: int) -> bool:
    """Whether a job of four workers with so much memory each completes all its trials."""
    from trialwatt.errors import TrialwattError

    samplers = suts.get(sut).samplers
    search = {"sampler": "grid" if "grid" in samplers else "random", "budget": 4}
    try:
        folder = bench.run(
            sut,
            testbed={"cpu_per_vcpu": 0.25},
            space=one_point([1e-3, 2e-3, 3e-3, 4e-3], **LARGEST),
            search=search,
            epochs=1,
            workers={"count": 4, "cpu": 2, "memory_mb": memory_mb},
            deadline_s=180,
        )
    except TrialwattError as error:
        print(f"  {sut} with {memory_mb} MB: {error}", file=sys.stderr)
        return False
    ends = [events[-1] for events in trial_events(folder).values()]
    return len(ends) == 4 and all(event.get("outcome") == "completed" for event in ends)


def smallest_wmem(bench: Bench, sut: str) -> int | None:
    """The smallest limit in MB, on a raster of STEP_MB; None where MOST_MB is not enough."""
    low, high = LEAST_MB // STEP_MB, MOST_MB // STEP_MB
    if not runs_in(bench, sut, high * STEP_MB):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if runs_in(bench, sut, middle * STEP_MB):
            high = middle
        else:
            low = middle
    return high * STEP_MB


def main(names_of_suts: list[str]) -> int:
    missing, kept = without_mnist(), []
    with tempfile.TemporaryDirectory() as folder:
        bench = None if missing else Bench(Path(folder))
        bare = torch_mb()
        for sut in names_of_suts or suts.names():
            missing_here = missing or suts.get(sut).available()
            names = [RESIDENT.format(sut)] if sut in LIMITS_WMEM_MB else []
            if missing_here:
                for name in [*names, WMEM.format(sut)]:
                    skipped(name, missing_here)
                continue
            for name in names:
                kept.append(report(name, resident_mb(bench, sut) - bare, LIMIT_RESIDENT_MB, "MB"))
            found = smallest_wmem(bench, sut)
            if found is None:
                print(f"{WMEM.format(sut):<52}more than {MOST_MB} MB   SHORT", flush=True)
                kept.append(sut not in LIMITS_WMEM_MB)
            else:
                kept.append(report(WMEM.format(sut), found, LIMITS_WMEM_MB.get(sut), "MB"))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
