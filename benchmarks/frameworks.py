"""What each SUT itself costs: deploy, setup, and the overhead of a trial of 1 ms.

Whole jobs of 100 such trials on 2 workers, by random search. The overhead of a trial is the time
that the workers were held for it and did not compute for it:

    (duration of the step `trials` × workers - Σ time in which the trials computed) / trials

so that waiting for the framework, starting a process for a trial, its imports and our own records
are in it. The import of torch is not: these trials do not need it. In a process of its own, a real
trial pays for it each time; the text below the table says where, and what it takes.

Where a framework starts a process per trial, the job has 40 trials: there a trial takes more than
a second, and its overhead hardly depends on how many there are (`--all-trials`: 100 of them).
The figures are medians of a job's repetitions, as many as fit 20 s, five at most.

`frameworks.py --write docs/suts.md` puts the table between the marks of a document;
`frameworks.py plain ray` measures only these SUTs.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path

import short_trials
from onerun import Bench, report, skipped, step_seconds, trial_events

from trialwatt import suts
from trialwatt.config.models import RunConfig, Testbed, Workload
from trialwatt.records.sealed import record_file
from trialwatt.suts.matrix import between
from trialwatt.suts.strategies import installed

BEGIN, END = "<!-- frameworks: begin -->", "<!-- frameworks: end -->"
[CONTROL] = (name for name in suts.names(own=True) if suts.get(name).is_control)
"""What the others are compared with."""
TRIALS, WORKERS, WORKER_MB = 100, 2, 1024
FEW_TRIALS = 40
"""Of a framework that starts a process per trial, so that all this takes less than four minutes."""
REPETITIONS, ENOUGH_S = 5, 20
OWN_LIMIT_MS = 5.0
"""Of plain, whose overhead is all our own."""
LIMIT_S = 240
WORKLOAD = {
    "space": {
        "lr": {"low": 1e-4, "high": 1e-2, "log": True},
        "decay": {"choices": [1e-6]},
        "ls": {"choices": [32]},
        "ln": {"choices": [1]},
    },
    "epochs": 1,
    "workers": {"count": WORKERS, "cpu": 1, "memory_mb": WORKER_MB},
    "deadline_s": 300,
}


@dataclass(frozen=True)
class Cost:
    """What one job has cost. process_per_trial: each trial was in a process of its own."""

    trials: int
    deploy_s: float
    setup_s: float
    overhead_ms: float
    process_per_trial: bool


def cost(folder: Path, budget: int) -> Cost:
    """The cost of a finished job, by its records. Raises RuntimeError where not all trials ran."""
    trials = trial_events(folder)
    completed = [t for t in trials.values() if t[-1].get("outcome") == "completed"]
    if not len(trials) == len(completed) == budget:
        raise RuntimeError(f"{folder}: {len(completed)} of {budget} trials completed")
    seconds = steps(folder)
    computed = sum(sum(step_seconds(events, "train")) for events in completed)
    return Cost(
        trials=budget,
        deploy_s=seconds["deploy"],
        setup_s=seconds["setup"],
        overhead_ms=1e3 * (seconds["trials"] * WORKERS - computed) / budget,
        # where its process was not there yet at the dispatch, nobody read its counter
        process_per_trial=all("cpu_ns" not in events[0] for events in completed),
    )


def steps(folder: Path) -> dict[str, float]:
    """Lifecycle step → its seconds."""
    at: dict[tuple[str, str], int] = {}
    for line in record_file(folder, "records/harness.jsonl").read_bytes().splitlines():
        event = json.loads(line)
        if event["kind"] == "step":
            at[event["step"], event["status"]] = event["m"]
    return {s: (at[s, "end"] - m) / 1e9 for (s, status), m in at.items() if status == "start"}


def measured(bench: Bench, sut: str, budget: int) -> list[Cost]:
    """The cost of each repetition."""
    began, found = time.monotonic(), []
    keys = WORKLOAD | {"search": {"sampler": "random", "budget": budget}}
    while len(found) < REPETITIONS and (not found or time.monotonic() - began < ENOUGH_S):
        found.append(cost(bench.run(f"{short_trials.PREFIX}{sut}", **keys), budget))
    return found


def process_per_trial(sut: str) -> bool:
    """Whether its workers are daemons of the framework, which start a process for each trial."""
    config = RunConfig(
        sut=sut,
        workload=Workload.model_validate({"dataset": "digits"} | WORKLOAD),
        testbed_name="bench",
        testbed=Testbed(),
        seed=1,
    )
    roles = suts.get(sut)().planned_roles(config)
    return not any(role.speaks for role in roles if role.kind == "worker")


def torch_s() -> float:
    """Seconds that a process takes to import torch."""
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def table(costs: dict[str, list[Cost]], import_s: float) -> str:
    """Markdown: a row per SUT, medians, two of them with their ratio to plain's in this run."""
    figures = {sut: _medians(runs) for sut, runs in costs.items()}
    control = figures[CONTROL]
    lines = [
        "| SUT | jobs | trials | deploy, s | ÷ plain | setup, ms | per trial, ms | ÷ plain |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for sut, own in figures.items():
        cells = [sut, len(costs[sut]), costs[sut][0].trials]
        cells += [f"{own.deploy_s:.2f}", f"{own.deploy_s / control.deploy_s:.1f}"]
        cells += [f"{1e3 * own.setup_s:.1f}"]
        cells += [f"{own.overhead_ms:.1f}", f"{own.overhead_ms / control.overhead_ms:.0f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    apart = [sut for sut, runs in costs.items() if all(run.process_per_trial for run in runs)]
    packages = [(sut, suts.get(sut).package) for sut in costs]
    versions = [f"{sut} {installed(package)}" for sut, package in packages if package]
    about = (
        f"Trials of {1e3 * short_trials.TRIAL_S:g} ms, {WORKERS} workers of one core and"
        f" {WORKER_MB} MB, random search, medians of the jobs; {', '.join(versions)}; {_machine()}."
    )
    if apart:
        about += (
            f" Here {' and '.join(apart)} start a process per trial, which is in these figures;"
            f" a real trial imports torch in it as well, {import_s:.1f} s of a core, which is not."
        )
    return "\n".join([*lines, "", about])


def _medians(runs: list[Cost]) -> Cost:
    def median(figure: str) -> float:
        return statistics.median(getattr(run, figure) for run in runs)

    each = (median("deploy_s"), median("setup_s"), median("overhead_ms"))
    return Cost(runs[0].trials, *each, runs[0].process_per_trial)


def _machine() -> str:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{len(models)} × {models[0]}" if models else platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suts", nargs="*", help="default: all of them")
    parser.add_argument("--all-trials", action="store_true", help=f"{TRIALS} under every SUT")
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="put the table there")
    given = parser.parse_args()
    began, own = time.monotonic(), suts.names(own=True)
    names = [CONTROL, *(name for name in own if name != CONTROL)]
    costs: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory() as folder:
        short_trials.register(Path(folder, "site"))
        bench = Bench(Path(folder), "digits")
        for name in names:
            if given.suts and name not in {CONTROL, *given.suts}:
                continue
            if reason := suts.get(name).available():
                skipped(f"what {name} costs", reason)
                continue
            few = process_per_trial(name) and not given.all_trials
            costs[name] = measured(bench, name, FEW_TRIALS if few else TRIALS)
    text = table(costs, torch_s())
    print(text)
    if given.write:
        extras = metadata("trialwatt").get_all("Provides-Extra") or ()
        if not costs.keys() >= set(own) - set(extras):
            print("not written: not all SUTs were measured", file=sys.stderr)
            return 1
        between(given.write, BEGIN, END, text)
    kept = [
        report(
            f"per-trial overhead, {CONTROL}: our own",
            statistics.median(run.overhead_ms for run in costs[CONTROL]),
            OWN_LIMIT_MS,
            "ms",
        ),
        report(
            "time of this benchmark",
            time.monotonic() - began,
            None if given.all_trials else LIMIT_S,
            "s",
        ),
    ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
