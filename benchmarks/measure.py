"""What `trialwatt.measure` adds to a script: the same trials bare, measured, and with CodeCarbon.

Each in a process of its own, in turns; the figure is the ratio of the medians of the CPU time of
the trials' block alone: what is imported before it is said apart. Exits with 1 if
the limit is exceeded. CodeCarbon is no dependency: without it, its line says SKIPPED.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys

from onerun import report

TRIALS, ROUNDS = 200, 5
LIMIT = 1.05
"""CPU time of the measured block ÷ that of the bare one."""
SCRIPT = """
import contextlib, json, sys, time

def trial(number):
    end = time.process_time() + 0.02
    while time.process_time() < end:
        sum(range(1000))

def bare():
    return contextlib.nullcontext(), lambda number: contextlib.nullcontext()

def measured():
    import trialwatt
    block = trialwatt.measure(meters=["model"], line=False)
    return block, lambda number: block.trial({"number": number})

def codecarbon():
    from codecarbon import OfflineEmissionsTracker
    tracker = OfflineEmissionsTracker(
        country_iso_code="DEU", save_to_file=False, log_level="error", measure_power_secs=1
    )
    @contextlib.contextmanager
    def task(number):
        tracker.start_task(str(number))
        yield
        tracker.stop_task()
    return contextlib.nullcontext(), task

began = time.process_time()
block, each = globals()[sys.argv[1]]()
ready = time.process_time()
cpu = time.process_time()
with block:
    for number in range(int(sys.argv[2])):
        with each(number):
            trial(number)
print(json.dumps({"start": ready - began, "cpu": time.process_time() - cpu}))
"""


def once(kind: str) -> dict[str, float]:
    """Seconds of one process: CPU time until it is ready ("start"), and of the block ("cpu")."""
    command = [sys.executable, "-c", SCRIPT, kind, str(TRIALS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> bool:
    kinds = ["bare", "measured"]
    if importlib.util.find_spec("codecarbon"):
        kinds.append("codecarbon")
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind in kinds:
            found[kind].append(once(kind))

    def median(kind: str, what: str) -> float:
        return statistics.median(each[what] for each in found[kind])

    kept = True
    for kind in kinds[1:]:
        ratio = median(kind, "cpu") / median("bare", "cpu")
        limit = LIMIT if kind == "measured" else None
        kept &= report(f"{kind}, {TRIALS} trials of 20 ms: CPU time ÷ bare", ratio, limit, "")
        report(f"{kind}: CPU time until it is ready", median(kind, "start"), None, "s")
    if "codecarbon" not in kinds:
        print("codecarbon: SKIPPED, as it is not installed (pip install codecarbon)")
    return kept


if __name__ == "__main__":
    sys.exit(not main())
