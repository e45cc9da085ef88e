"""One line per run, with an estimate of the time that is left."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from trialwatt.records.manifest import NAME

PLANNED = ".planned.json"


def write_planned(results: Path, folders: list[str]) -> None:
    """Note the folders of all planned repetitions, for the scripts to count."""
    (results / PLANNED).write_text(json.dumps(folders))


def announce(results: Path, text: str) -> None:
    """Print "[3/18] text; about 2 min left" for the run that begins now.

    The estimate is the median duration of the finished runs of this plan, times what is left.
    """
    planned = json.loads((results / PLANNED).read_text())
    done = [Path(each, NAME) for each in planned if Path(each, NAME).exists()]
    seconds = []
    for manifest in done:
        data = json.loads(manifest.read_text())
        seconds.append((data["ended_utc_ns"] - data["started_utc_ns"]) / 1e9)
    left = len(planned) - len(done)
    estimate = f"; about {_human(statistics.median(seconds) * left)} left" if seconds else ""
    print(f"[{len(done) + 1}/{len(planned)}] {text}{estimate}", file=sys.stderr, flush=True)


def _human(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
