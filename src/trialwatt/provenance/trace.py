"""Walk from any file of the results back to the records, and check every link."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.printable import printable, shown
from trialwatt.provenance.embed import NoProvenance
from trialwatt.provenance.kinds import TRACEABLE, kind_of, why_not
from trialwatt.provenance.place import Place, place_of, repetitions_in, run_folder_of
from trialwatt.provenance.render import render_json, render_text
from trialwatt.provenance.runs import trace_configuration, trace_made, trace_run
from trialwatt.provenance.sidecars import trace_with_chain
from trialwatt.provenance.traced import Number, Trace


def trace(path: Path, results: Path | None = None, number: Number | None = None) -> Trace:
    """Trace a file of the results, whichever kind it is (provenance.kinds), or a run's folder.

    The results folder is looked for above `path` and the present folder, unless it is given.
    number: of the file, if only what that is made of is to be traced. Raises TrialwattError where
    there is nothing to trace: no file, no provenance, damaged.
    """
    path = Path(path)
    if number is not None:
        return trace_with_chain(path, results, number)
    place = place_of(path, results)
    if folder := run_folder_of(path):
        return trace_run(path, folder, _around(folder))
    if not _exists(path):
        raise TrialwattError(f"{shown(path, 500)}: there is no such file")
    if place is not None and (found := kind_of(place)):
        kind, match = found
        return trace_made(path, place, kind, kind.made(place, match))
    if path.is_dir():
        return _trace_folder(path, place)
    try:
        return trace_with_chain(path, results, None)
    except NoProvenance as error:
        known = why_not(place.name) if place else ""
        why = f"{shown(path, 500)}: {known}" if known else str(error)
        raise NoProvenance(f"{why}\n{TRACEABLE}") from error


def _hinted(found: Trace) -> Trace:
    """With what to do, where it is only that the records lie elsewhere."""
    if found.ok or found.results is None or os.path.lexists(found.results / "runs"):
        return found
    hint = f"no runs lie in {found.results}; --results names the results folder that has them"
    return replace(found, warnings=(*found.warnings, hint))


_MEASURED = ("results/runs/", "results/scouts/", "results/warm-ups/")


def _around(folder: Path) -> Place | None:
    """The results folder that a run lies in, not one that only lies above it."""
    place = place_of(folder)
    return place if place and place.name.startswith(_MEASURED) else None


def _trace_folder(path: Path, place: Place | None) -> Trace:
    if repetitions_in(path):
        return trace_configuration(path, place)
    whole = "; `trialwatt verify` checks results or an archive as a whole"
    raise TrialwattError(
        f"{shown(path, 500)}: a folder, and no run's (it has no run.json) nor a configuration's "
        f"(it has no rep1); name a file in it{whole}\n{TRACEABLE}"
    )


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (OSError, ValueError):  # ValueError: a NUL byte in the name
        return False
    return True


def trace_command(
    path: Path,
    as_json: bool = False,
    results: Path | None = None,
    traced: Callable[[], Trace] | None = None,
) -> int:
    """Print the trace of a file to stdout; 0 where the chain holds, else 1.

    traced: what traces it, where that is not `trace` of the whole file.
    """
    try:
        found = traced() if traced else trace(Path(path), results)
    except TrialwattError as error:
        if as_json:
            print(json.dumps({"file": str(path), "ok": False, "problems": [str(error)]}))
        else:
            print(printable(str(error).split("\n")), file=sys.stderr)
        return 1
    found = _hinted(found)
    print(render_json(found) if as_json else render_text(found))
    return 0 if found.ok else 1
