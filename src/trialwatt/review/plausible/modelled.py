"""Modelled power is a function of CPU time: it is computed again, reading by reading."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialwatt.meters.model import PowerModel, PowerParameters, machine_watts
from trialwatt.printed import shown
from trialwatt.review.plausible.rows import Rows
from trialwatt.review.plausible.run import LETTERS, USAGE, Fault, Run, at, key_fault, row_fault

_ROUNDING_W = 2e-6
"""Watts are written rounded to 1 µW."""
_MB_PER_GB = 1024


def faults(run: Run) -> Iterator[Fault]:
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
