"""What was added to the records of a run when it was long over, and what holds since then.

A meter that is asked after the run may have been away then; `trialwatt collect` asks it again. What
it gives lies beside the run's own files, which stay as they are, in `collected-<meter>.zst`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialwatt.records.sealed import SUFFIX, RecordFile, record_file

COLLECTED, INSTEAD = "collected", "instead"
"""Keys of run.json: meter → how its readings came later; and what the user has chosen to be the
headline where that has none."""
_HEADING_AND_ONE = 2
"""Lines of a file of which no energy follows."""
_OF_A_HEADLINE = ("headline_meter", "headline_domains", "idle")


def holder_of_collected(meter: str) -> str:
    """The file, in a run's folder, that holds what was collected of a meter later."""
    return f"collected-{meter}{SUFFIX}"


def power_name(manifest: Mapping[str, Any], meter: str) -> str:
    """The readings of a meter that hold, by their name below the run's folder."""
    where = f"collected-{meter}" if meter in (manifest.get(COLLECTED) or {}) else "samples"
    return f"{where}/power-{meter}.csv"


def power_file(folder: Path, manifest: Mapping[str, Any], meter: str) -> RecordFile:
    """The file of that name, or where it would be."""
    return record_file(folder, power_name(manifest, meter))


def as_it_holds(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest whose meters' parameters, headline and idle power are those of the readings that
    hold now; the same one where nothing came later."""
    later, instead = manifest.get(COLLECTED) or {}, manifest.get(INSTEAD)
    meters = manifest.get("meters") or {}
    asked = {
        name: (meters.get(name) or {}) | {"parameters": facts["parameters"]}
        for name, facts in later.items()
        if facts.get("parameters")
    }
    if asked:
        manifest = manifest | {"meters": meters | asked}
    if instead:
        manifest = manifest | {key: instead[key] for key in _OF_A_HEADLINE if key in instead}
    return manifest


def readings_beside(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """The meters that measure processors and have readings, and are not the headline."""
    headline, found = manifest.get("headline_domains") or {}, []
    for name, facts in (manifest.get("meters") or {}).items():
        domains = facts.get("domains") or [] if facts.get("available", True) else []
        counts = any(d.get("resource") == "cpu" and d.get("counts", True) for d in domains)
        if counts and name not in headline:
            file = power_file(folder, manifest, name)
            if file.is_file() and file.read_bytes().count(b"\n") > _HEADING_AND_ONE:
                found.append(name)
    return found


def later_notes(manifest: Mapping[str, Any]) -> list[str]:
    """What the reader of a figure is to know of it, a sentence each."""
    return [
        f"readings of {name} were collected after the run, by {facts.get('command')}"
        for name, facts in (manifest.get(COLLECTED) or {}).items()
    ]


def later_flags(manifest: Mapping[str, Any]) -> list[str]:
    """Why its energy must be read with care: it is not that of the testbed's headline."""
    instead = manifest.get(INSTEAD)
    if not instead:
        return []
    return [
        f"energy is that of {instead.get('headline_meter')} as {instead.get('of')} has no readings "
        f"({instead.get('command')})"
    ]
