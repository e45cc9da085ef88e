"""Whether the run was sampled as it says: at each of its boundaries, and often enough between."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialwatt.meters.methods import kind_of
from trialwatt.review.plausible.run import USAGE, Fault, Run, key_fault, row_fault

_LEAST_SHARE = 0.25
"""Of the samples that a run of this length has; a machine that is too busy skips some."""


def faults(run: Run) -> Iterator[Fault]:
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
