"""What several runs cannot have at once: the same machine, other data under the same name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trialwatt.printed import shown
from trialwatt.review.plausible.run import LETTERS, Fault, Run, key_fault

_CLOCK_NS = 10**9


def faults(runs: Sequence[Run]) -> Iterator[tuple[Run, Fault]]:
    yield from _overlaps(runs)
    known: dict[str, tuple[str, Run]] = {}
    for run in runs:
        dataset = run.manifest.get("dataset") or {}
        name, sha256 = str(dataset.get("name")), str(dataset.get("sha256"))
        first, other = known.setdefault(name, (sha256, run))
        if first != sha256:
            said = (
                f"dataset.sha256 is another than that of {shown(name, LETTERS)} in {_name(other)}"
            )
            yield run, key_fault(said)


def _overlaps(runs: Sequence[Run]) -> Iterator[tuple[Run, Fault]]:
    """A machine measures one run at a time; only local ones have it for themselves."""
    latest: dict[str, tuple[int, Run]] = {}
    for run in sorted(filter(_is_timed, runs), key=lambda one: one.manifest["started_utc_ns"]):
        machine = str(run.manifest["host"].get("name_hash"))
        start, end = run.manifest["started_utc_ns"], run.manifest["ended_utc_ns"]
        before, other = latest.get(machine, (start, run))
        if start < before - _CLOCK_NS:
            said = f"started_utc_ns is {(before - start) / 1e9:.1f} s before the end of"
            rule = "but one machine measures one run at a time"
            yield run, key_fault(f"{said} {_name(other)}, {rule}")
        if end >= before:
            latest[machine] = end, run


def _is_timed(run: Run) -> bool:
    times = (run.manifest.get("started_utc_ns"), run.manifest.get("ended_utc_ns"))
    return run.is_local and None not in times


def _name(run: Run) -> str:
    return shown("/".join(run.folder.parts[-2:]), 2 * LETTERS)
