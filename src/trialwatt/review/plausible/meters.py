"""What each meter can measure, what makes up the headline, and whether it was read often enough."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialwatt.meters import kind_of, method_of
from trialwatt.meters.base import Domain, MeterError
from trialwatt.meters.choose import headline_domains
from trialwatt.printable import shown
from trialwatt.records.later import INSTEAD
from trialwatt.review.plausible.run import LETTERS, USAGE, Fault, Run, key_fault, row_fault

_LEAST_SHARE = 0.25
"""Of the samples that a run of this length has; a machine that is too busy skips some."""


_OF_AN_ENERGY = 2
"""Readings, at least."""


def methods_faults(run: Run) -> Iterator[Fault]:
    """Methods that a meter cannot have, and a headline that is not what the meters give."""
    testbed = run.manifest["config"]["testbed"]
    for meter, facts in sorted((run.manifest.get("meters") or {}).items()):
        kind = kind_of(meter)
        if kind is None:
            continue  # of another package: nothing is known of it here
        for number, domain in enumerate(facts.get("domains") or []):
            where = f"meters.{meter}.domains.{number}"
            possible = kind.methods.get(domain["unit"])
            method, stated = method_of(meter, domain, testbed), domain["method"]
            if possible is None:
                units = " and ".join(kind.methods)
                yield key_fault(
                    f"{where}.unit is {domain['unit']}, but a meter {meter} gives {units}"
                )
            elif (method and stated != method) or stated not in possible:
                can = method or ", ".join(possible)
                yield key_fault(
                    f"{where}.method is {shown(stated, LETTERS)}, but what {meter} gives for "
                    f"{shown(domain['name'], LETTERS)} can only be {can}"
                )
    yield from _headline(run)


def _headline(run: Run) -> Iterator[Fault]:
    named = run.manifest.get("headline_domains")
    if not named:
        return
    given = {
        meter: [_domain(each) for each in run.meters[meter].get("domains") or []]
        for meter in run.config.testbed.meters
        if meter in run.meters
    }
    if instead := run.manifest.get(INSTEAD):
        replaced = [name for name in str(instead["of"]).split("+") if name not in named]
        if not any(_is_mute(run, name) for name in replaced):
            said = shown(instead["of"], LETTERS)
            yield key_fault(f"{INSTEAD}.of is {said}, which has readings: nothing stands for it")
        given = {name: domains for name, domains in given.items() if name in named}
    try:
        chosen = headline_domains(given, run.config.workload.workers.accelerator != "cpu")
    except MeterError as error:
        yield key_fault(f"meters: {shown(error)}")
        return
    if named != chosen:
        yield key_fault(
            f"headline_domains is {shown(named, LETTERS)}, but of these meters a run adds up "
            f"{shown(chosen, LETTERS)}"
        )
    elif run.manifest.get("headline_meter") != "+".join(chosen):
        yield key_fault(f"headline_meter is not {'+'.join(chosen)}, whose domains are added up")


def _is_mute(run: Run, meter: str) -> bool:
    """Whether no energy follows from what a meter has read."""
    rows = run.readings(meter)
    known = [] if rows is None else [int((~np.isnan(c)).sum()) for c in rows.values.values()]
    return max(known, default=0) < _OF_AN_ENERGY


def _domain(given: dict) -> Domain:
    return Domain(
        name=given["name"],
        resource=given["resource"],
        unit=given["unit"],
        method=given["method"],
        wraps_at=given.get("wraps_at"),
        counts=given.get("counts", True),
    )


def sampling_faults(run: Run) -> Iterator[Fault]:
    machine = run.machine
    if machine is None or not len(machine):
        yield key_fault(f"{USAGE} has no sample of the machine")
        return
    bounds = {moment for step in run.records.steps.values() for moment in step}
    if lost := sorted(bounds - set(machine.m.tolist())):
        for name, (start, _end) in run.records.steps.items():
            if start == lost[0]:
                yield run.event_fault(
                    f"step {name} starts here, but {USAGE} has no sample of this moment",
                    kind="step",
                    step=name,
                    status="start",
                )
                break
        else:
            yield key_fault(f"{USAGE} has no sample of the end of a lifecycle step")
    seconds = (run.records.window[1] - run.records.window[0]) / 1e9
    wanted = seconds * run.config.testbed.sample_hz
    if len(machine) < _LEAST_SHARE * wanted:
        yield key_fault(
            f"config.testbed.sample_hz: {USAGE} has {len(machine)} samples, but a run of "
            f"{seconds:.0f} s has {wanted:.0f}"
        )
    for meter in sorted(run.meters):
        kind, rows = kind_of(meter), run.readings(meter)
        if kind is None or not kind.sampled or rows is None or not len(rows):
            continue
        taken = set(rows.m.tolist())
        last = int(rows.m[-1])  # a kill can cut what comes after it
        lost = [i for i, m in enumerate(machine.m.tolist()) if m < last and m not in taken]
        if lost:
            yield row_fault(machine, np.array(lost), f"{rows.file} has no reading of this moment")
