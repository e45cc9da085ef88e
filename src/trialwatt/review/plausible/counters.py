"""Readings of meters that no hardware gives: counters that race, power beyond any machine's.

The bounds are far above what there is (docs/review.md names their sources): they are for what was
multiplied, not for what is rare.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialwatt.meters.prometheus import PrometheusMeter
from trialwatt.printed import shown
from trialwatt.review.plausible.rows import Rows
from trialwatt.review.plausible.run import LETTERS, Fault, Run, key_fault, row_fault

MOST_W = {"cpu": 1500.0, "memory": 1500.0, "accelerator": 2000.0}
"""Of one processor package, of the memory beside it, of one accelerator."""
MOST_OF_A_MACHINE_W = 20_000.0
"""Of a domain that may be a whole machine with all that is in it."""
_UPDATE_S = 0.2
"""A counter is updated in steps (RAPL's each ms, a device's up to each 100 ms): two readings close
together can lie on either side of one."""
_COLLECTED_UPDATE_S = 60.0
"""The same of counters that an exporter reads at a pace of its own."""


def faults(run: Run) -> Iterator[Fault]:
    for meter, facts in sorted(run.meters.items()):
        rows = run.readings(meter)
        if rows is None or not len(rows):
            continue
        for domain in facts.get("domains") or []:
            if domain["name"] in rows.values:
                yield from _domain(meter, domain, rows)
        if meter in (run.manifest.get("headline_domains") or {}):
            yield from _missing(run, meter, facts, rows)


def _domain(meter: str, domain: dict, rows: Rows) -> Iterator[Fault]:
    name, value = shown(domain["name"], LETTERS), rows.values[domain["name"]]
    if len(bad := np.flatnonzero(value < 0)):
        yield row_fault(rows, bad, f"{name} is {value[bad[0]]:g}, below 0")
    whole = meter == PrometheusMeter.name
    most_w = MOST_OF_A_MACHINE_W if whole else MOST_W[domain["resource"]]
    if domain["unit"] == "w":
        if len(bad := np.flatnonzero(value > most_w)):
            yield row_fault(
                rows, bad, f"{name} is {value[bad[0]]:g} W; there is nothing above {most_w:g} W"
            )
        return
    known = rows.at(np.flatnonzero(value >= 0))
    yield from _counter(domain, known, most_w, _COLLECTED_UPDATE_S if whole else _UPDATE_S)


def _counter(domain: dict, rows: Rows, most_w: float, update_s: float) -> Iterator[Fault]:
    """Steps between two readings that a machine of `most_w` cannot draw, and falls that are
    neither a wrap nor a counter that begins again at 0."""
    name, value = shown(domain["name"], LETTERS), rows.values[domain["name"]]
    wraps_at, seconds = domain.get("wraps_at"), np.diff(rows.m) / 1e9
    if wraps_at and len(bad := np.flatnonzero(value > wraps_at)):
        yield row_fault(rows, bad, f"{name} is {value[bad[0]]:.0f}, but wraps at {wraps_at}")
    steps = np.diff(value)
    allowed = most_w * (np.maximum(seconds, 0) + update_s) * 1e6
    fell = steps < 0
    wrapped = steps + (wraps_at or 0)
    rise = np.where(fell, np.where(wrapped >= 0, wrapped, np.inf) if wraps_at else np.inf, steps)
    again = fell & (value[1:] <= allowed)
    bad = np.flatnonzero((rise > allowed) & ~again)
    if not len(bad):
        return
    first = bad[0]
    if fell[first]:
        said = f"the counter {name} falls from {value[first]:.0f} to {value[first + 1]:.0f}"
        said += ", which neither a wrap nor a new start explains"
    else:
        watts = rise[first] / 1e6 / max(float(seconds[first]), update_s)
        said = f"the counter {name} rises by {rise[first] / 1e6:g} J in {seconds[first]:.3f} s, "
        said += f"{watts:g} W; there is nothing above {most_w:g} W"
    yield row_fault(rows, bad + 1, said)


def _missing(run: Run, meter: str, facts: dict, rows: Rows) -> Iterator[Fault]:
    """Each domain that counts has its column."""
    for domain in facts.get("domains") or []:
        used = domain["name"] in run.manifest["headline_domains"][meter]
        if used and domain["name"] not in rows.values:
            yield key_fault(
                f"headline_domains.{meter} names {shown(domain['name'], LETTERS)}, of which "
                f"{rows.file} has no column"
            )
