"""Records → tables: 1,000 runs, and one run of a million trials; time, memory, and growth.

The measured part is all of `build_tables`, with two processes: reading, attribution, metrics,
and writing Parquet and CSV. The records are synthetic (synthetic.py); the thousand runs share the
files of a few, so that a benchmark does not need gigabytes of disk. Exits with 1 if a limit is
exceeded.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from prices import CONTEXT
from synthetic import Synthetic, write_run

from trialwatt.metrics.tables import PROCESSES, build_tables
from trialwatt.records.manifest import write_manifest
from trialwatt.records.sealed import seal

MANY_RUNS, DISTINCT_RUNS = 1000, 20
RUN = Synthetic(trials=100, workers=4, seconds=600, hz=5)
MANY_TRIALS = Synthetic(trials=1_000_000, workers=4, seconds=7200, hz=5)
QUARTER = Synthetic(trials=250_000, workers=4, seconds=1800, hz=5)
LIMIT_RUNS_S, LIMIT_TRIALS_S, LIMIT_GB, LIMIT_GROWTH = 60, 20, 2.0, 1.5


def make_runs(root: Path) -> None:
    """MANY_RUNS folders; their records are links to those of DISTINCT_RUNS."""
    made = [sealed(write_run(root / "made", RUN, rep)) for rep in range(1, DISTINCT_RUNS + 1)]
    for number in range(MANY_RUNS):
        source, folder = made[number % DISTINCT_RUNS], root / "runs" / f"rep{number:04}"
        folder.mkdir(parents=True)
        manifest = json.loads((source / "run.json").read_text()) | {"repetition": number}
        (folder / "run.json").write_text(json.dumps(manifest))
        for name in ("records.zst", "samples.zst"):
            (folder / name).symlink_to(source / name)


def sealed(folder: Path) -> Path:
    """As a run leaves it: with the checksums of its files, which they are compared with when
    read."""
    seal(folder)
    write_manifest(folder, json.loads((folder / "run.json").read_text()))
    return folder


def measure(folders: list[Path], output: Path) -> dict:
    """Seconds of build_tables, and the greatest memory of this process and its children, in GB."""
    started = time.monotonic()
    build_tables(folders, [], CONTEXT, output)
    seconds = time.monotonic() - started
    own, child = (
        resource.getrusage(who).ru_maxrss / 2**20
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {"seconds": seconds, "gb": own + PROCESSES * child}


def in_a_process(job: str, root: Path) -> dict:
    """Each job in a fresh process, so that its memory is its own."""
    command = [sys.executable, __file__, job, str(root)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout or "null")


def work(job: str, root: Path) -> dict | None:
    if job == "make":
        make_runs(root)
        sealed(write_run(root / "million", MANY_TRIALS))
        sealed(write_run(root / "quarter", QUARTER))
        return None
    runs = sorted((root / "runs").iterdir())
    folders = {
        "runs": runs,
        "quarter-runs": runs[: MANY_RUNS // 4],
        "million": list((root / "million").rglob("rep1")),
        "quarter": list((root / "quarter").rglob("rep1")),
    }[job]
    return measure(folders, root / f"tables-{job}")


def report(name: str, measured: float, limit: float, unit: str) -> bool:
    """Print one line; whether the limit is kept."""
    ok = measured <= limit
    verdict = "ok" if ok else "SHORT"
    print(f"{name:<44}{measured:7.2f} {unit:<3} limit {limit:6.2f} {unit:<3} {verdict}", flush=True)
    return ok


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        in_a_process("make", root)
        found = {
            job: in_a_process(job, root) for job in ("quarter-runs", "runs", "quarter", "million")
        }
    kept = []
    for name, job, quarter, limit in (
        (f"{MANY_RUNS:,} runs × 100 trials × 10 min", "runs", "quarter-runs", LIMIT_RUNS_S),
        ("1 run × 1,000,000 trials", "million", "quarter", LIMIT_TRIALS_S),
    ):
        whole, part = found[job], found[quarter]
        growth = whole["seconds"] / (4 * part["seconds"])
        kept.append(report(name, whole["seconds"], limit, "s"))
        kept.append(report("  memory of all its processes", whole["gb"], LIMIT_GB, "GB"))
        kept.append(report("  time per unit against a quarter of it", growth, LIMIT_GROWTH, "×"))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(work(sys.argv[1], Path(sys.argv[2]))))
        sys.exit(0)
    sys.exit(main())
