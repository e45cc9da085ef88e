"""A results folder of thousands of runs: what each command takes that reads it.

The runs never happened: their records are synthetic (synthetic.py), made as a run of each
configuration would have written them, and sealed, so that all that is made of a results folder can
be made of this one, and verify finds nothing to say. First the folder has a fifth of the runs.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from onerun import Line
from synthetic import UTC_NS, Synthetic, write_run

from trialwatt.config.files import plan_of_files
from trialwatt.config.models import RunConfig
from trialwatt.config.plan import Plan
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.records.manifest import write_manifest
from trialwatt.records.sealed import seal
from trialwatt.review.tree import ABOUT, WORKFLOW
from trialwatt.workload.sources import prepare

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "review"))
from believable import APART_NS, make_believable, testbed  # noqa: E402

SIZE = Synthetic(trials=6, workers=2, seconds=8, hz=10)
SETTINGS = """
testbed: lab
base: digits-ff
experiments: [{experiments}]
set: {{workers.count: 2, workers.cpu: 1, space: tiny, fixed.ln: 1, fixed.decay: 0.000001}}
suts: [plain]
repetitions: {repetitions}
"""
SPACE = "lr: {choices: [0.0001, 0.001, 0.01]}\nls: {choices: [32, 128]}\n"
VARIED = {
    "memory": "workers.memory_mb: [512, 640, 768, 896, 1024, 1152, 1280, 1408, 1536, 1664]",
    "cpu": "workers.cpu: [1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4]",
    "batch": "batch: [10, 20, 25, 40, 50, 60, 80, 100]",
}
EXPERIMENT = "title: {name}\nbase: digits-ff\nvary:\n  {varied}\nsuts: [plain]\n"
RUNS, PARTS = 5000, 5
LIMIT_MB = 1024
LIMIT_GROWTH = 1.2
"""How many times as much CPU time a run may cost in the whole folder as in a part of it."""
PROCESSES = 2
MEMORY = Path("/dev/shm")
"""Where a run is written before it is put in its place: a disk is slow with thousands of small
files that are removed at once."""
CODE = {"version": "0.1.0", "commit": "c" * 40, "dirty": False}


@dataclass(frozen=True)
class Spent:
    """What a command took. cpu_s: of all its processes; mb: of the largest of them."""

    seconds: float
    cpu_s: float
    mb: float


class Failed(Exception):
    """A command said what should not be."""


def many_runs(root: Path, whole: bool) -> Iterator[Line]:
    """RUNS runs below `root`. whole: make and verify everything of all of them, not of a part."""
    _project(root)
    of_each = len(_plan(root, 1).fixed_repetitions())
    most = -(-RUNS // of_each)
    before: dict[str, float] = {}
    for repetitions in (most // PARTS, most):
        plan = _plan(root, repetitions)
        _forget(root)
        began, count = time.monotonic(), len(plan.fixed_repetitions())
        _measure(root, plan)
        yield Line(f"{count:,} runs are written", time.monotonic() - began, "s")
        commands = dict(COMMANDS)
        if whole or repetitions != most:
            commands |= OF_ALL
        for name, command in commands.items():
            try:
                spent = _spent(root, *command)
            except Failed as error:
                yield Line(f"  {name}", failed=str(error))
                continue
            yield Line(f"  {name}", spent.seconds, "s")
            yield Line(f"  {name}, memory", spent.mb, "MB", LIMIT_MB)
            if name in before:
                growth = spent.cpu_s / count / before[name]
                yield Line(f"  {name}, CPU per run ÷ before", growth, "×", LIMIT_GROWTH)
            before[name] = spent.cpu_s / count


def _forget(root: Path) -> None:
    """Remove what was made of fewer runs and is not made again: its chain would be broken."""
    for name in ("tables", "figures"):
        shutil.rmtree(root / "results" / name, ignore_errors=True)
    for name in ("report", "page"):
        for file in (root / "results").glob(f"{name}.*"):
            file.unlink()


METRICS, PLAN = "results/metrics/{}/runs.parquet", "results/plan.json"
"""What metrics are traced by is the plan."""
COMMANDS = {
    "trialwatt plan": ("trialwatt", "plan"),
    "snakemake -n": ("snakemake", "--profile", "local", "-n"),
    "metrics": ("snakemake", "--profile", "local", *map(METRICS.format, VARIED), PLAN),
    "trialwatt trace of metrics": ("trialwatt", "trace", METRICS.format(next(iter(VARIED)))),
    "trialwatt doctor": ("trialwatt", "doctor"),
}
OF_ALL = {
    "figures, answers, report, page": ("snakemake", "--profile", "local"),
    "trialwatt trace of the report": ("trialwatt", "trace", "results/report.html"),
    "trialwatt verify": ("trialwatt", "verify", "results"),
}
"""What is made of all runs again and again, too long for the whole folder in a benchmark."""


MEASURED = """
import json, os, subprocess, sys, time
began = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, used = os.wait4(process.pid, 0)
spent = time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
print(json.dumps([os.waitstatus_to_exitcode(status), *spent]))
"""
"""In a small process of its own: the memory of the one that starts a command counts as its."""


def _spent(root: Path, *command: str) -> Spent:
    """Run a command in the project. Raises Failed where it does, or would measure anything."""
    programs = Path(sys.executable).parent
    done = subprocess.run(
        [sys.executable, "-S", "-c", MEASURED, programs / command[0], *command[1:]],
        cwd=root,
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    code, *spent = json.loads(done.stdout)
    if code or re.search(r"^(run|warm_up) +\d+$", done.stderr, re.MULTILINE):
        raise Failed(f"exit code {code}: {done.stderr.strip()[-300:]}")
    return Spent(*spent)


# --- the folder -------------------------------------------------------------------------------


def _project(root: Path) -> None:
    """The project's files, with experiments of our own."""
    for name in (*WORKFLOW, *ABOUT, "config", "paper"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    for name, varied in VARIED.items():
        (root / f"config/experiments/{name}.yaml").write_text(
            EXPERIMENT.format(name=name, varied=varied)
        )
    (root / "config/spaces/tiny.yaml").write_text(SPACE)
    local = (root / "config/testbeds/local.yaml").read_text()
    own = re.sub(r"sample_hz: \d+", f"sample_hz: {SIZE.hz}", local)
    (root / "config/testbeds/lab.yaml").write_text(own)


def _plan(root: Path, repetitions: int) -> Plan:
    """The plan of so many repetitions, whose configuration it leaves in its place."""
    settings = SETTINGS.format(experiments=", ".join(VARIED), repetitions=repetitions)
    (root / "config/config.yaml").write_text(settings)
    return plan_of_files((), root)


def _measure(root: Path, plan: Plan) -> None:
    """Write what the runs of a plan would have left, as far as it is not there."""
    results, power = root / "results", PowerParameters.of(plan.power_model)
    warm_up = plan.run(plan.warm_ups["plain"])
    wanted = [("warm-ups/lab/plain", warm_up, 0)]
    for folder in plan.fixed_repetitions():
        run, _, repetition = folder.removeprefix("results/").rpartition("/rep")
        wanted.append((f"{run}/rep{repetition}", plan.run(run), int(repetition)))
    if not results.exists():
        (results / "testbeds").mkdir(parents=True)
        facts = testbed(power, UTC_NS)
        (results / "testbeds/lab.json").write_text(json.dumps(facts, indent=2) + "\n")
        prepare("digits", results / "data" / warm_up.workload.data)
    # by repetition, so that a run has the same moment in a larger plan
    wanted.sort(key=lambda each: each[2])
    missing = [each for each in enumerate(wanted, 1) if not (results / each[1][0]).exists()]
    with multiprocessing.Pool(PROCESSES) as pool:
        pool.map(partial(_write, results, power), missing, chunksize=50)


def _write(
    results: Path, power: PowerParameters, numbered: tuple[int, tuple[str, RunConfig, int]]
) -> None:
    number, (name, config, repetition) = numbered
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place:
        folder = write_run(Path(place), SIZE, repetition)
        _finish(folder, name, config, power, repetition, number)
        shutil.copytree(folder, results / name)


def _finish(
    folder: Path, name: str, config: RunConfig, power: PowerParameters, repetition: int, number: int
) -> None:
    """Make a synthetic run one of its configuration, with its manifest."""
    manifest = json.loads((folder / "run.json").read_text())
    manifest |= make_believable(folder, config, power, repetition, number)
    label = name.rpartition("/rep")[0] or name
    manifest |= {
        "folder": label,
        "hash": label.rsplit("-", 1)[-1],
        "repetition": repetition,
        "config": config.model_dump(mode="json"),
        "code": CODE,
        "packages": {"trialwatt": CODE["version"]},
        "started_utc_ns": UTC_NS + number * APART_NS,
        "ended_utc_ns": UTC_NS + number * APART_NS + 90_000_000_000,
    }
    seal(folder)
    write_manifest(folder, manifest)
