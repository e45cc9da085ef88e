"""What became of an injection, the file of them (JSON lines), and the page that is made of it.

`python tests/faults/outcome.py` makes docs/faults.md of docs/faults.jsonl.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE, TABLE = ROOT / "docs" / "faults.jsonl", ROOT / "docs" / "faults.md"
HEAD = """# Faults

Real jobs of a dozen short trials, with a fault at a random moment of each. After it nothing may be
left: no process, port, control group, scratch folder or half-written run, at once, or after the
next command where the coordinator itself was killed. No finished trial may be lost, no partial run
counted; exit code and message must tell the truth; the next command completes the rest.

`make test-faults FAULTS=40 FAULT_SEED=1` injects so many, and makes this page of
`docs/faults.jsonl` again. Each row there: fault, SUT, moment, outcome, seconds, violations.
"""


@dataclass(frozen=True)
class Outcome:
    """outcome: what became of the run, in words; seconds: from the fault to its end."""

    fault: str
    sut: str
    moment: str
    seed: int
    outcome: str
    seconds: float
    violations: list[str]


def append(outcome: Outcome, file: Path) -> None:
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(outcome)) + "\n")


def read(file: Path) -> list[Outcome]:
    return [Outcome(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def page(outcomes: Iterable[Outcome]) -> str:
    """The document: a row per fault and SUT, then the violations one by one."""
    outcomes = list(outcomes)
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in sorted(outcomes, key=lambda one: (one.fault, one.sut)):
        groups.setdefault((one.fault, one.sut), []).append(one)
    lines = [
        HEAD,
        f"{len(outcomes)} injections, {sum(bool(o.violations) for o in outcomes)} with violations.",
        "",
        "| fault | SUT | injections | moments | outcomes | slowest end (s) | violations |",
        "|---|---|---|---|---|---|---|",
    ]
    for (fault, sut), own in groups.items():
        moments, ends = (_counts(getattr(o, key) for o in own) for key in ("moment", "outcome"))
        slowest, wrong = max(o.seconds for o in own), sum(bool(o.violations) for o in own)
        lines.append(
            f"| {fault} | {sut} | {len(own)} | {moments} | {ends} | {slowest:.1f} | {wrong} |"
        )
    violated = [o for one in groups.values() for o in one if o.violations]
    if violated:
        lines += ["", "## Violations", ""]
    for one in violated:
        where = f"{one.fault}, {one.sut}, {one.moment}, seed {one.seed}"
        lines += [f"- {where}: {text}" for text in one.violations]
    return "\n".join(lines) + "\n"


def _counts(values: Iterable[str]) -> str:
    counted = Counter(values).items()
    return ", ".join(v if n == 1 else f"{v} ({n})" for v, n in sorted(counted))


if __name__ == "__main__":
    TABLE.write_text(page(read(FILE)), encoding="utf-8")
    print(TABLE)
