"""A chain and the state of its files, judged: what breaks it and what is only to be known."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trialwatt.provenance.chain import Chain
from trialwatt.provenance.disk import Disk
from trialwatt.provenance.traced import Check, Number, Trace

_FINE = ("agrees", "left out", "no checksum")


def judged(
    file: Path,
    known: Chain,
    sidecar: str,
    disk: Disk,
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
        results=disk.results,
        checks=tuple(checks),
        problems=tuple(problems),
        warnings=tuple(warnings),
        number=number,
        said=tuple(said),
    )
