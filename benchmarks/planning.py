"""How long planning takes, and what the workflow adds to a run.

Planning is `snakemake -n` of config/paper.yaml with at least a thousand known runs. Around a run
is the time between the end of a run and the start of the next one: Snakemake's choice of it, the
start of the script and its imports, and our own clean-up.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from onerun import report

ROOT = Path(__file__).resolve().parents[1]
RUNS = 1000
PLAN_LIMIT_S, AROUND_LIMIT_S = 15, 3
TURNS, REPETITIONS = 3, 6
PAPER = """
testbed: two-cores
repetitions: 12
"""
SHORT = """
testbed: quick
experiments: [baseline]
base: digits-ff
only: null
set: {workers.count: 1, workers.cpu: 1, epochs: 1, space: ff-6}
suts: [plain]
repetitions: 6
"""


def project(folder: Path) -> Path:
    """A copy of the project without results."""
    for name in ("config", "envs", "local", "rules", "scripts"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Snakefile", folder)
    return folder


def snakemake(folder: Path, *arguments: str) -> tuple[float, str]:
    """Seconds, and what was said."""
    program = Path(sys.executable).parent / "snakemake"
    path = f"{program.parent}:{os.environ['PATH']}"
    began = time.perf_counter()
    done = subprocess.run(
        [program, "--profile", "local", *arguments],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return seconds, done.stdout + done.stderr


def known_runs(folder: Path, *files: Path) -> int:
    """Repetitions that are known before the first sweep has made its first move."""
    from trialwatt.config.files import plan_of_files

    plan = plan_of_files(files, root=folder)
    return len(plan.fixed_repetitions())


def planning(folder: Path) -> bool:
    more = folder / "config" / "more.yaml"
    more.write_text(PAPER)
    files = [folder / "config" / "paper.yaml", more]
    runs = known_runs(folder, *files)
    assert runs >= RUNS, f"only {runs} runs are known"
    arguments = ["-n", "--configfile", *(str(file) for file in files)]
    seconds = statistics.median(snakemake(folder, *arguments)[0] for _ in range(TURNS))
    return report(f"snakemake -n with {runs:,} runs", seconds, PLAN_LIMIT_S, "s")


def around_a_run(folder: Path) -> bool:
    (folder / "config" / "config.yaml").write_text(SHORT)
    snakemake(folder, "runs")
    spans = []
    for manifest in (folder / "results" / "runs").glob("*/*/rep*/run.json"):
        data = json.loads(manifest.read_text())
        spans.append((data["started_utc_ns"], data["ended_utc_ns"]))
    assert len(spans) == REPETITIONS, f"{len(spans)} runs of {REPETITIONS}"
    between = [(b[0] - a[1]) / 1e9 for a, b in itertools.pairwise(sorted(spans))]
    return report("time around a run", statistics.median(between), AROUND_LIMIT_S, "s")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        there = project(Path(folder))
        passed = [planning(there), around_a_run(there)]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
