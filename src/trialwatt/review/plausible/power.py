"""Power that no hardware draws, and modelled power that does not follow from the CPU time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialwatt.meters import kind_of
from trialwatt.meters.bounds import Bound, bound_of
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.counters import rises
from trialwatt.meters.model import PowerModel, machine_watts
from trialwatt.printable import shown
from trialwatt.review.plausible.run import (
    LETTERS,
    USAGE,
    Fault,
    Rows,
    Run,
    at,
    key_fault,
    row_fault,
)

_ROUNDING_W = 2e-6
"""Watts are written rounded to 1 µW."""
_MB_PER_GB = 1024


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
    # not the limit that the record names: what is above that is noted in the metrics
    bound = bound_of(kind_of(meter), domain["resource"])
    most_w = bound.most_w
    if domain["unit"] == "w":
        if len(bad := np.flatnonzero(value > most_w)):
            yield row_fault(
                rows, bad, f"{name} is {value[bad[0]]:g} W; there is nothing above {most_w:g} W"
            )
        return
    known = rows.at(np.flatnonzero(value >= 0))
    yield from _counter(domain, known, bound)


def _counter(domain: dict, rows: Rows, bound: Bound) -> Iterator[Fault]:
    """Steps between two readings that nothing can draw, and falls that are neither a wrap nor a
    counter that begins again at 0."""
    name, value = shown(domain["name"], LETTERS), rows.values[domain["name"]]
    wraps_at, seconds = domain.get("wraps_at"), np.diff(rows.m) / 1e9
    if wraps_at and len(bad := np.flatnonzero(value > wraps_at)):
        yield row_fault(rows, bad, f"{name} is {value[bad[0]]:.0f}, but wraps at {wraps_at}")
    allowed = bound.allowed_uj(bound.most_w, seconds)
    found = rises(seconds, value, wraps_at, bound)
    bad = np.flatnonzero(found.too_fast | (found.restarted & (value[1:] > allowed)))
    if not len(bad):
        return
    first = bad[0]
    if found.restarted[first]:
        said = f"the counter {name} falls from {value[first]:.0f} to {value[first + 1]:.0f}"
        said += ", which neither a wrap nor a new start explains"
    else:
        joules = (value[first + 1] - value[first]) / 1e6
        watts = joules / max(float(seconds[first]), bound.update_s)
        said = f"the counter {name} rises by {joules:g} J in {seconds[first]:.3f} s, "
        said += f"{watts:g} W; there is nothing above {bound.most_w:g} W"
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


def modelled_faults(run: Run) -> Iterator[Fault]:
    """Coefficients that are not the plan's, and watts that do not follow from them."""
    facts = run.meters.get(PowerModel.name)
    if facts is None:
        return
    name = run.config.testbed.power_model
    known = run.power.get(name)
    if known is None:
        yield key_fault(f"config.testbed.power_model: config/power.yaml has no model {name}")
        return
    stated = facts.get("parameters") or {}
    power = PowerParameters.of(known)
    model = PowerModel(power, run.config.testbed.accelerator_board_w)
    for key, value in model.parameters.items():
        if stated.get(key) != value:
            yield key_fault(
                f"meters.model.parameters.{key} is {shown(stated.get(key), LETTERS)}, but "
                f"by the power model {name} it is {shown(value, LETTERS)}"
            )
    names = [domain.name for domain in model.domains]
    if (found := [d["name"] for d in facts.get("domains") or []]) != names:
        yield key_fault(
            f"meters.model.domains are {shown(found, LETTERS)}, but the model has "
            f"{', '.join(names)}"
        )
    yield from _idle(run, model)
    rows = run.readings(PowerModel.name)
    if rows is not None and run.machine is not None and len(run.machine) and len(rows):
        yield from _readings(run, model, rows)


def _idle(run: Run, model: PowerModel) -> Iterator[Fault]:
    """What the model says of a machine that does nothing divides static from dynamic power."""
    used = (run.manifest.get("headline_domains") or {}).get(PowerModel.name) or []
    watts = (run.manifest.get("idle") or {}).get("watts") or {}
    by_definition = model.idle_watts(run.cores, _memory_gb(run))
    measured = at(run.testbed, "idle", "meters", PowerModel.name)
    for name in used:
        value, expected = watts.get(name), by_definition.get(name)
        if expected is None or (value is None and not measured):
            continue
        if value is None or not np.isclose(value, expected, rtol=1e-9, atol=1e-9):
            yield key_fault(
                f"idle.watts.{name} is {value}, but by the power model an idle machine of this "
                f"size draws {expected:g} W"
            )


def _readings(run: Run, model: PowerModel, rows: Rows) -> Iterator[Fault]:
    """Each row against the CPU time between its sample and the one before it.

    The first has none before it; no energy depends on it.
    """
    machine = run.machine
    cpu_at = dict(zip(machine.m.tolist(), machine.values["cpu_ns"].tolist(), strict=True))
    cpu_ns = np.array([cpu_at.get(m, np.nan) for m in rows.m.tolist()])
    if len(lost := np.flatnonzero(np.isnan(cpu_ns))):
        yield row_fault(rows, lost, f"{USAGE} has no sample of the machine at this moment")
    elapsed = np.diff(rows.m).astype(float)
    elapsed[elapsed <= 0] = np.nan
    busy = np.diff(cpu_ns) / elapsed
    watts = machine_watts(model.power, run.cores, busy, _memory_gb(run)) | {
        name: watts for name, watts in model.idle_watts(0, 0).items() if name not in _OF_MACHINE
    }
    # counters beyond 2**53 ns are read with less than all of their digits
    lost_ns = 2 * np.spacing(np.abs(cpu_ns[1:])) / elapsed
    for name, expected in watts.items():
        if name not in rows.values:
            continue
        found = rows.values[name][1:]
        slack = _ROUNDING_W + 1e-9 * np.abs(expected) + lost_ns * model.power.max_w
        bad = np.flatnonzero(np.abs(found - expected) > slack)
        if len(bad):
            first = bad[0]
            should = np.broadcast_to(expected, found.shape)[first]
            yield row_fault(
                rows,
                bad + 1,
                f"{name} is {found[first]:g} W, but by the CPU time in {USAGE} and the "
                f"coefficients it is {should:.6f} W",
            )


_OF_MACHINE = ("cpu", "memory")


def _memory_gb(run: Run) -> float:
    return run.manifest["host"]["memory_mb"] / _MB_PER_GB
