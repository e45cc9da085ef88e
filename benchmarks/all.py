"""Runs every benchmark of this folder, one after the other; exits with 1 if any limit is missed.

A benchmark is a file that can be run; it prints a line for each figure: name, measured, limit,
and `ok`, `SHORT` or `SKIPPED` with the reason.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def benchmarks(folder: Path) -> list[Path]:
    """The files that can be run, but this one."""
    return [
        path
        for path in sorted(folder.glob("*.py"))
        if path.name != Path(__file__).name and '__name__ == "__main__"' in path.read_text()
    ]


def main() -> int:
    failed = []
    for path in benchmarks(Path(__file__).resolve().parent):
        print(f"--- {path.name}", flush=True)
        if subprocess.run([sys.executable, str(path)], check=False).returncode:
            failed.append(path.name)
    if failed:
        print(f"\nSHORT: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
