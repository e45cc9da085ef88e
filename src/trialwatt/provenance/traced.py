"""What a trace finds: a file's chain, each link of it against the disk, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trialwatt.provenance.chain import Chain

_FINE = ("agrees", "left out", "no checksum")


State = Literal["agrees", "differs", "missing", "left out", "unreadable", "no checksum"]
"""agrees, differs: with the checksum that the chain names. left out: of a light archive, which
need not have it (provenance.crate). no checksum: it is there, but nothing names a checksum of it.
"""
Part = Literal["file", "config", "table", "manifest", "record"]


@dataclass(frozen=True)
class Check:
    """One file of the chain against the disk.

    part: "file" is the one that is traced; of a sweep the moves are among the tables. run: the
    repetition folder, empty for what is of no run. sha256: the one that the chain names, else
    that of the disk, empty where there is neither. note: who names it, or why it is unreadable.
    """

    path: str
    part: Part
    run: str
    sha256: str
    state: State
    note: str = ""


@dataclass(frozen=True)
class Number:
    """A number of a file that is made of tables. Only `folders` and `tables` of the chain matter.

    made_of: sentences, how it follows from which rows and columns. methods: those of its energies.
    """

    name: str
    value: str
    made_of: tuple[str, ...]
    folders: frozenset[str]
    tables: frozenset[str]
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """A file's chain and how it stands. Problems break the chain, warnings do not."""

    file: str
    chain: Chain
    sidecar: str  # a sentence
    results: Path | None  # the results folder that was found
    checks: tuple[Check, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    number: Number | None = None  # the number that is traced, where it is one
    said: tuple[str, ...] = ()  # sentences: what kind of file it is, and what it is made of

    @property
    def ok(self) -> bool:
        return not self.problems


def judged(
    file: Path,
    known: Chain,
    sidecar: str,
    results: Path | None,
    checks: Iterable[Check],
    problems: Iterable[str] = (),
    warnings: Iterable[str] = (),
    said: Iterable[str] = (),
    number: Number | None = None,
) -> Trace:
    """A trace with a problem for each file that is not as the chain names it.

    A configuration file is only a warning: what was used stands resolved in each run.json.
    """
    checks, problems, warnings = list(checks), list(problems), list(warnings)
    for check in checks:
        if check.state in _FINE:
            continue
        name = f"{check.run}/{check.path}" if check.run else check.path
        note = f" {check.note}" if check.state == "differs" and check.note else ""
        note = f" ({check.note})" if check.state == "unreadable" else note
        if check.part == "config":
            warnings.append(f"{name}: {check.state}{note} (the runs hold what was used)")
        else:
            what = "its checksum differs" if check.state == "differs" else check.state
            problems.append(f"{name}: {what}{note}")
    return Trace(
        file=str(file),
        chain=known,
        sidecar=sidecar,
        results=results,
        checks=tuple(checks),
        problems=tuple(problems),
        warnings=tuple(warnings),
        number=number,
        said=tuple(said),
    )
