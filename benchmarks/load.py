"""What is bounded under load: ten thousand trials, a thousand records a second, a hundred workers,
and five thousand runs in a results folder.

`load.py` measures all of it, in some fifteen minutes on a quiet machine; `load.py jobs records
workers folder` names the parts. `--write` puts what was measured into docs/load.md, each part
between marks of its own. Exits with 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from load_folder import many_runs
from load_jobs import many_records, many_trials, many_workers
from onerun import ROOT, Line

from trialwatt import suts
from trialwatt.suts.matrix import between

PAGE = ROOT / "docs" / "load.md"
Part = Callable[[Path, argparse.Namespace], Iterator[Line]]
PARTS: dict[str, Part] = {
    "jobs": lambda place, given: many_trials(place, given.suts),
    "records": lambda place, given: many_records(place),
    "workers": lambda place, given: many_workers(place),
    "folder": lambda place, given: many_runs(place, given.whole),
}


def table(lines: list[Line]) -> str:
    """Markdown: a row per figure, and the machine's size."""
    head = ["| what | measured | limit |", "|---|---:|---:|"]
    rows = [line.row() for line in lines]
    return "\n".join([*head, *rows, "", f"On a machine with {os.cpu_count()} processors."])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all of them")
    parser.add_argument("--suts", nargs="*", default=suts.names(own=True), help="of the part jobs")
    parser.add_argument("--whole", action="store_true", help="verify all runs, not a part of them")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    kept = []
    for name in given.parts or PARTS:
        lines = []
        with tempfile.TemporaryDirectory() as place:
            for line in PARTS[name](Path(place), given):
                lines.append(line)
                kept.append(line.print())
        if given.write:
            marks = (f"<!-- {name}: {end} -->" for end in ("begin", "end"))
            between(PAGE, *marks, table(lines))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
