"""The machine of a run against its testbed, and what runs of one machine cannot have at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from trialwatt.printed import shown
from trialwatt.review.plausible.run import LETTERS, Fault, Run, at, key_fault

_MOST_CORES = 8192
_MOST_MB = 1 << 27
"""128 TiB."""
_MACHINE = ("cpu_model", "system")
_SIZE = ("cores", "memory_mb")
_AT_THE_TIME = ("name_hash", "kernel", "python")

_CLOCK_NS = 10**9


def host_faults(run: Run) -> Iterator[Fault]:
    host, known = run.manifest["host"], at(run.testbed, "host")
    if run.cores > _MOST_CORES or host["memory_mb"] > _MOST_MB:
        yield key_fault(
            f"host: there is no machine with {host['cores']:g} cores and {host['memory_mb']:g} MB"
        )
    if run.is_local and run.cores != int(run.cores):
        yield key_fault(f"host.cores is {host['cores']:g}, not a whole number")
    if not isinstance(known, Mapping):
        return
    name = run.config.testbed_name
    same = [*_MACHINE, *(_SIZE if run.is_local else ())]
    if run.knows_its_testbed():
        same += _AT_THE_TIME
        yield from _idle(run)
    for key in same:
        if key in known and host.get(key) != known[key]:
            yield key_fault(
                f"host.{key} is {shown(host.get(key), LETTERS)}, but by "
                f"results/testbeds/{name}.json it is {shown(known[key], LETTERS)}"
            )


def _idle(run: Run) -> Iterator[Fault]:
    """Idle power that was measured is that of the testbed's record."""
    watts = at(run.manifest, "idle", "watts") or {}
    for meter, names in (run.manifest.get("headline_domains") or {}).items():
        facts = at(run.testbed, "idle", "meters", meter)
        if at(facts, "by") != "measurement":
            continue
        for domain in names:
            known = at(facts, "domains", domain, "watts")
            found = watts.get(domain)
            if known != found and not _close(known, found):
                yield key_fault(
                    f"idle.watts.{shown(domain, LETTERS)} is {found}, but by results/testbeds/"
                    f"{run.config.testbed_name}.json it is {shown(known, LETTERS)}"
                )


def _close(a: object, b: object) -> bool:
    numbers = isinstance(a, int | float) and isinstance(b, int | float)
    return numbers and math.isclose(a, b, rel_tol=1e-9)


def together_faults(runs: Sequence[Run]) -> Iterator[tuple[Run, Fault]]:
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
