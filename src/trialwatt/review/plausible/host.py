"""The machine of the run against that of its testbed, and sizes that no machine has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from trialwatt.printed import shown
from trialwatt.review.plausible.run import LETTERS, Fault, Run, at, key_fault

_MOST_CORES = 8192
_MOST_MB = 1 << 27
"""128 TiB."""
_MACHINE = ("cpu_model", "system")
_SIZE = ("cores", "memory_mb")
_AT_THE_TIME = ("name_hash", "kernel", "python")


def faults(run: Run) -> Iterator[Fault]:
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
