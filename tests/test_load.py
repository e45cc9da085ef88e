"""benchmarks/load.py: its page has a place for each part, and rows tell what was missed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAID = """
import load
from onerun import Line
print(*load.PARTS)
lines = [
    Line("a", 2.5, "MB", 2.0),
    Line("b", 1000, "/s", 990, at_least=True),
    Line("c", failed="its master ended"),
    Line("d", float("nan"), "MB", 2.0),
    Line("e", skipped="no Java"),
]
print(*(line.row() for line in lines), sep="\\n")
print(*(line.print() for line in lines))
"""


def test_the_parts_and_the_rows():
    done = subprocess.run(
        [sys.executable, "-c", SAID],
        cwd=ROOT / "benchmarks",
        capture_output=True,
        text=True,
        check=True,
    )
    parts, *rows = done.stdout.splitlines()
    page = (ROOT / "docs/load.md").read_text(encoding="utf-8")
    for part in parts.split():
        assert page.count(f"<!-- {part}: begin -->") == page.count(f"<!-- {part}: end -->") == 1
    assert rows[:3] == [
        "| a | 2.50 MB | ≤ 2 |",
        "| b | 1,000 /s | ≥ 990 |",
        "| c | its master ended | |",
    ]
    assert rows[4] == "| e | no Java | |"
    assert rows[-1] == "False True False False True"  # what is not known keeps no limit
