"""What became of an injection, the file of them (JSON lines), and the page that is made of it.

`python tests/faults/outcome.py` makes docs/faults.md of docs/faults.jsonl.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from trialwatt.files import sha256, write_whole
from trialwatt.provenance.chain import code_version

ROOT = Path(__file__).resolve().parents[2]
FILE, TABLE = ROOT / "docs" / "faults.jsonl", ROOT / "docs" / "faults.md"
HEAD = """# Faults

Real jobs of some short trials, with a fault at a random moment of each. After it nothing may be
left: no process, port, control group, scratch folder or half-written run, at once, or after the
next command where the coordinator itself was killed. No finished trial may be lost, no partial run
counted; exit code and message must tell the truth; the next command completes the rest.

`make test-faults FAULTS=200 FAULT_SEED=1` injects so many, each fault into each SUT before any
comes again, and makes `docs/faults.jsonl` and this page of it anew. Said again after it was broken
off, it goes on, if the code is still the same.

A cell: what became of the runs, how often, and how long after the fault the slowest ended. In the
column Snakemake the coordinator is Snakemake itself, with two runs and all that is made of them.
"Over before its moment": the run ended by itself before the fault came. A traceback in place of a
message is a violation, but one of Snakemake itself that names the file of the results which it can
do nothing with: on results that become read-only it says so when the next run is to begin.
"""


def source() -> str:
    """SHA-256 of what is injected into and of what injects."""
    found = hashlib.sha256()
    for folder in (ROOT / "src", ROOT / "tests" / "faults"):
        for path in sorted(folder.rglob("*.py")):
            found.update(f"{path.relative_to(ROOT)} {sha256(path)}\n".encode())
    return found.hexdigest()


@dataclass(frozen=True)
class Go:
    """One go of injections: what it was drawn of, the columns, and the code's state.

    parts: how often it was begun or gone on with.
    """

    seed: int
    count: int
    subjects: list[str]
    code: dict = field(default_factory=lambda: code_version(ROOT))
    source: str = ""
    parts: int = 1

    def is_of(self, other: Go) -> bool:
        """Whether the other is of the same draws and the same code."""
        mine, its = ((one.seed, one.count, one.subjects, one.source) for one in (self, other))
        return mine == its


@dataclass(frozen=True)
class Outcome:
    """outcome: what became of the run, in words; seconds: from the fault to its end."""

    fault: str
    subject: str
    moment: str
    seed: int
    outcome: str
    seconds: float
    violations: list[str]


def begin(go: Go, file: Path) -> int:
    """Begin the file, or go on with one of the same draws and code that was not brought to its end;
    how many outcomes are there."""
    found: list[Outcome] = []
    if file.exists():
        before, found = read(file)
        found = found if before.is_of(go) and len(found) < go.count else []
        go = replace(before, parts=before.parts + 1) if found else go
    lines = [json.dumps(asdict(each)) + "\n" for each in (go, *found)]
    write_whole(file, "".join(lines))
    return len(found)


def append(outcome: Outcome, file: Path) -> None:
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(outcome)) + "\n")


def read(file: Path) -> tuple[Go, list[Outcome]]:
    """What was written, but for a last line that its writer was killed in."""
    first, *lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    return Go(**json.loads(first)), [Outcome(**json.loads(line)) for line in whole]


def page(go: Go, outcomes: Iterable[Outcome]) -> str:
    """The document: a row per fault, a column per SUT, then the violations one by one."""
    outcomes = list(outcomes)
    moments = _counts(one.moment for one in outcomes)
    wrong = sum(bool(one.violations) for one in outcomes)
    parts = "" if go.parts == 1 else f", gone on with {go.parts - 1} times"
    lines = [
        HEAD,
        f"{len(outcomes)} of {go.count} injections in one go (seed {go.seed}, {_said(go.code)}"
        f"{parts}), {wrong} with violations. Moments: {moments}.",
        "",
        f"| fault | {' | '.join(go.subjects)} |",
        f"|---|{'---|' * len(go.subjects)}",
    ]
    for fault in sorted({one.fault for one in outcomes}):
        own = [one for one in outcomes if one.fault == fault]
        cells = (_cell([one for one in own if one.subject == subject]) for subject in go.subjects)
        lines.append(f"| {fault} | {' | '.join(cells)} |")
    total = (str(sum(one.subject == subject for one in outcomes)) for subject in go.subjects)
    lines.append(f"| injections | {' | '.join(total)} |")
    if wrong:
        lines += ["", "## Violations", ""]
    for one in outcomes:
        where = f"{one.fault}, {one.subject}, {one.moment}, seed {one.seed}"
        lines += [f"- {where}: {text}" for text in one.violations]
    return "\n".join(lines) + "\n"


def _cell(own: list[Outcome]) -> str:
    if not own:
        return ""
    wrong = sum(bool(one.violations) for one in own)
    said = f"**{wrong} with violations**; " if wrong else ""
    return f"{said}{_counts(o.outcome for o in own)}; {max(o.seconds for o in own):.0f} s"


def _said(code: dict) -> str:
    changed = ", with changes" if code["dirty"] else ""
    return f"version {code['version']}, commit {(code['commit'] or 'unknown')[:10]}{changed}"


def _counts(values: Iterable[str]) -> str:
    counted = Counter(values).items()
    return ", ".join(v if n == 1 else f"{v} ({n})" for v, n in sorted(counted))


if __name__ == "__main__":
    TABLE.write_text(page(*read(FILE)), encoding="utf-8")
    print(TABLE)
