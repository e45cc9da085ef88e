"""Which strategy each SUT offers, and whether it can be used here: made from the classes."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trialwatt import suts
from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.suts.base import Sut
from trialwatt.suts.strategies import Strategy, installed

Kind = Literal["sampler", "pruner"]
KINDS: dict[Kind, str] = {"sampler": "samplers", "pruner": "pruners"}
ORDER = {
    "sampler": "grid random tpe cmaes gp qmc nsga2 nsga3 bruteforce anneal atpe mix smac bore cqr"
    " rea bohb bayesopt ax hebo nevergrad zoopt optuna hyperopt",
    "pruner": "none median percentile asha halving hyperband hyperband-sync bohb patient threshold"
    " wilcoxon pbt pb2",
}
"""The common names, in the order of the table; others follow by name."""
BEGIN, END = "<!-- strategies: begin -->", "<!-- strategies: end -->"


@dataclass(frozen=True)
class Cell:
    """One strategy of one SUT. `strategy` is None where the SUT does not offer it."""

    sut: str
    kind: Kind
    name: str
    strategy: Strategy | None


@dataclass(frozen=True)
class StrategyRow:
    """One strategy and its cell for each SUT, in the order of the columns."""

    kind: Kind
    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Column:
    """One SUT: the installed version of its framework ("" where it has none) and its fault."""

    name: str
    version: str
    unavailable: str  # why it cannot run here; empty if it can


def columns_and_classes(names: list[str]) -> tuple[list[Column], dict[str, type[Sut]]]:
    """The SUTs of these names; one whose module cannot be loaded has no class."""
    columns, classes = [], {}
    for name in names:
        try:
            sut = suts.get(name)
        except (ImportError, AttributeError) as error:
            columns.append(Column(name, "", f"cannot be loaded: {error}"))
            continue
        classes[name] = sut
        columns.append(Column(name, installed(sut.package) if sut.package else "", sut.available()))
    return columns, classes


def rows(classes: dict[str, type[Sut]]) -> list[StrategyRow]:
    """Every strategy that at least one of the SUTs offers, samplers first."""
    found = []
    for kind, attribute in KINDS.items():
        offered = {name: getattr(sut, attribute) for name, sut in classes.items()}
        known = ORDER[kind].split()
        names = {name for each in offered.values() for name in each}
        for name in [*filter(names.__contains__, known), *sorted(names - set(known))]:
            cells = [Cell(sut, kind, name, each.get(name)) for sut, each in offered.items()]
            found.append(StrategyRow(kind, name, tuple(cells)))
    return found


def printed(names: list[str], width: int = 80) -> str:
    """The matrix for a terminal of so many columns, with what is installed here: a paragraph for
    each strategy, as a column for each SUT would not fit."""
    columns, classes = columns_and_classes(names)
    lines = [_title(column) for column in columns]
    cannot = {column.name for column in columns if column.unavailable}
    every = rows(classes)
    indent = 4 + max((len(row.name) for row in every), default=0)
    for kind, heading in KINDS.items():
        lines += ["", f"{heading}, of the SUTs that offer them:"]
        for row in every:
            if row.kind == kind:
                offered = [(cell.sut, cell.strategy) for cell in row.cells if cell.strategy]
                said = "; ".join(_shown(sut, strategy, cannot) for sut, strategy in offered)
                first = f"  {row.name}".ljust(indent)
                lines.append(
                    textwrap.fill(
                        said,
                        width,
                        initial_indent=first,
                        subsequent_indent=" " * indent,
                        break_on_hyphens=False,
                    )
                )
    return "\n".join(lines)


def _title(column: Column) -> str:
    name = f"{column.name} {column.version}".rstrip()
    return f"{name}: {column.unavailable or 'available'}"


def _shown(sut: str, strategy: Strategy, cannot: set[str]) -> str:
    """As `optuna (TPESampler)`, with what is missing for it."""
    missing = ", ".join(strategy.missing())
    lacks = "SUT cannot run" if sut in cannot else f"needs {missing}" if missing else ""
    inside = ", ".join(filter(None, (strategy.native, lacks)))
    return f"{sut} ({inside})" if inside else sut


def table_text(names: list[str]) -> str:
    """The matrix in Markdown, the same on every machine: it tells needs, not what is installed."""
    _, classes = columns_and_classes(names)
    lines, notes = [], []
    for kind in KINDS:
        lines += ["", f"| {kind} | {' | '.join(classes)} |", f"|---|{'---|' * len(classes)}"]
        for row in rows(classes):
            if row.kind == kind:
                cells = " | ".join(_documented(cell.strategy) for cell in row.cells)
                lines.append(f"| {row.name} | {cells} |")
                notes += [
                    f"- {cell.sut}, {row.name}: {note}"
                    for cell in row.cells
                    if cell.strategy and (note := _note(cell.strategy))
                ]
    return "\n".join([*lines[1:], "", *notes])


def _documented(strategy: Strategy | None) -> str:
    if strategy is None:
        return "not available"
    name = f"`{strategy.native}`" if strategy.native.isidentifier() else strategy.native
    needs = f"needs {', '.join(strategy.needs)}" if strategy.needs else ""
    return ", ".join(filter(None, (name, needs))) or "available"


def _note(strategy: Strategy) -> str:
    excluded = f"Not with {', '.join(strategy.excludes)}." if strategy.excludes else ""
    return " ".join(filter(None, (strategy.note, excluded)))


def write_table(path: Path) -> None:
    """Make the strategy table in a document anew, of the SUTs of this package."""
    between(path, BEGIN, END, table_text(suts.names(own=True)))


def replaced(document: str, begin: str, end: str, text: str) -> str:
    """The document with `text` between the marks. Raises TrialwattError where they are missing."""
    head, found, rest = document.partition(begin)
    _, ended, tail = rest.partition(end)
    if not (found and ended):
        raise TrialwattError(f"the document has no place for the table: {begin} … {end}")
    return f"{head}{begin}\n{text}\n{end}{tail}"


def between(path: Path, begin: str, end: str, text: str) -> None:
    """Put `text` between the marks of a document; whole or not at all."""
    new = replaced(path.read_text(encoding="utf-8"), begin, end, text)
    write_whole(path, new)
