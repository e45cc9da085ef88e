"""`trialwatt trace results/paper/paper.pdf --number NAME`: from a number to its records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.figures.quantity import each_method
from trialwatt.paper.build import NUMBERS
from trialwatt.paper.lineage import origin
from trialwatt.paper.names import find, read_numbers
from trialwatt.printable import shown
from trialwatt.provenance.trace import trace
from trialwatt.provenance.traced import Number, Trace

SIDECAR = "paper.json"


def trace_number(path: Path, asked: str, results: Path | None = None) -> Trace:
    """Trace a number of the paper that lies at `path` (its PDF, numbers.json, sidecar or folder).

    asked: its name in numbers.json ("runs.total", "experiments.r-cpu.table.rows.0.3"), or text
    that stands in one number alone. Raises TrialwattError where there is no such number, with the
    near ones, or no paper.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    if not path.exists() or path.name not in (folder.name, NUMBERS, SIDECAR, "paper.pdf"):
        raise TrialwattError(
            f"{shown(path, 500)}: not the paper; --number is for results/paper/paper.pdf "
            f"and {NUMBERS}"
        )
    numbers = read_numbers(folder / NUMBERS)
    named = find(numbers, asked)
    made = origin(results or folder.resolve().parent, numbers, named)
    there = len(made.runs) > 0
    number = Number(
        name=named.name,
        value=named.value,
        made_of=tuple(made.said),
        folders=frozenset(made.runs["folder"]) if there else frozenset(),
        tables=frozenset(made.tables),
        methods=tuple(each_method(made.runs["energy_method"])) if there else (),
    )
    return replace(trace(folder / SIDECAR, results, number), file=str(folder / NUMBERS))
