"""The records of a run as if its power had been modelled in another way."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from trialwatt.meters.bounds import can_be_used
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.model import PowerModel, machine_watts, most_watts
from trialwatt.metrics.formulas import MB_PER_GB
from trialwatt.records.reader import RunRecords

_DECIMALS = 6


def remodelled(records: RunRecords, power: PowerParameters) -> RunRecords:
    """The same records with the model's watts, and its idle power, made anew.

    A modelled reading is a function of the machine's CPU time since the sample before, which
    samples/usage.csv holds with the same stamps, and of its cores and memory. Rounded to 1 µW as
    the sampler does, so the coefficients that were recorded give the recorded watts back; only
    the first sample has none before it and is taken as idle, which no energy depends on.
    Readings that failed stay missing. Where the headline meter is no model, or nothing was
    sampled, the records are returned as they are.
    """
    machine = records.usage.get("machine")
    headline = records.manifest.get("headline_meter") or ""
    is_model = PowerModel.name in headline.split("+")  # it may be joined by one of accelerators
    times = records.power.times_ns
    if not is_model or machine is None or len(times) < 2:
        return records
    host = records.manifest["host"]
    cores, memory_gb = host["cores"], host["memory_mb"] / MB_PER_GB
    seen = ~np.isnan(machine.cpu_ns)
    if not seen.any():
        return records
    cpu_ns = np.interp(times, machine.times_ns[seen], machine.cpu_ns[seen])
    used_ns = np.diff(cpu_ns, prepend=cpu_ns[:1])
    elapsed_ns = np.maximum(np.diff(times, prepend=times[0] - 1), 1)
    used_ns[~can_be_used(used_ns, elapsed_ns, cores)] = np.nan  # as the sampler does
    busy = used_ns / elapsed_ns
    watts = machine_watts(power, cores, busy, memory_gb)
    idle = PowerModel(power).idle_watts(cores, memory_gb)

    names = [d["name"] for d in records.domains if d["method"] == "modelled" and d["name"] in watts]
    values = dict(records.power.values)
    for name in names:
        made = np.broadcast_to(np.round(watts[name], _DECIMALS), times.shape)
        values[name] = np.where(np.isnan(values[name]), np.nan, made)
    if not names:
        return records
    facts = dict(records.manifest.get("idle") or {})
    facts |= {"meter": headline}
    facts["watts"] = {**(facts.get("watts") or {}), **{name: idle[name] for name in names}}
    most_w = most_watts(power.model_dump(), cores)
    return replace(
        records,
        domains=[
            d | {"most_w": most_w.get(d["name"], math.inf)} if d["name"] in names else d
            for d in records.domains
        ],
        power=replace(records.power, values=values),
        manifest={**records.manifest, "idle": facts},
    )
