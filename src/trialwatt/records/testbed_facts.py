"""What a testbed is: the machine and its idle power, kept as results/testbeds/<name>.json."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trialwatt.clock import Stamp, now
from trialwatt.config.models import Testbed
from trialwatt.files import write_whole
from trialwatt.meters.base import Domain, Meter, MeterError
from trialwatt.meters.bounds import bound_of
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.counters import rises
from trialwatt.meters.machine import Machine
from trialwatt.meters.sampler import Beats
from trialwatt.records.installation import cpu_model

_Readings = tuple[np.ndarray, dict[str, list[float]]]
"""Times in s, and per domain its values; NaN where there is none."""


def host_facts() -> dict[str, Any]:
    """The machine, as in a manifest's `host`. Its name only as a hash: records get published."""
    machine = Machine()
    machine.close()
    return {
        "name_hash": hashlib.sha256(platform.node().encode()).hexdigest()[:12],
        "cpu_model": cpu_model(),
        "cores": machine.cores,
        "memory_mb": machine.memory_mb,
        "kernel": platform.release(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def describe(
    testbed_name: str,
    testbed: Testbed,
    power: PowerParameters | None,
    meters: dict[str, Any],
    idle: dict[str, Any],
    host: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The whole record of a testbed.

    power: the coefficients that the runs' model meter will use; meters: Chosen.facts() of
    trialwatt.meters.choose; idle: what measure_idle() returned; host: if it is not this machine.
    """
    return {
        "format": 1,
        "testbed_name": testbed_name,
        "testbed": testbed.model_dump(mode="json"),
        "recorded_utc_ns": now().utc_ns,
        "host": host or host_facts(),
        "power": power.model_dump(mode="json") if power else None,
        "meters": meters,
        "idle": idle,
    }


def measure_idle(
    meters: dict[str, Meter], seconds: float, hz: float, size: tuple[int, float] | None = None
) -> dict[str, Any]:
    """Idle power of each meter and domain, in watts.

    Returns {"seconds", "hz", "busy_share", "meters": {meter: {"by", "reason", "domains": {domain:
    {"watts", "watts_q1", "watts_q3", "intervals"}}}}}: median and quartiles over the sampling
    intervals. `by` is "measurement", "definition" (a model's own idle level; nothing is waited
    for) or "none" (no window, or nothing could be read; then watts is null and reason says why).
    busy_share: share of the machine's CPU time that was busy in the window, for the reader to
    judge how idle it was; null where nothing was measured.

    size: cores and memory (2^30 bytes) of what is measured, where that is not this machine; then
    nobody knows here how busy it was.
    """
    machine = Machine()
    try:
        cores, memory_gb = size or (machine.cores, machine.memory_gb)
        defined = {n: m.idle_watts(cores, memory_gb) for n, m in meters.items()}
        measured = {n: m for n, m in meters.items() if defined[n] is None}
        samples, faults, busy_share = dict[str, _Readings](), dict[str, str](), None
        if measured and seconds > 0:
            sampled = {name: meter for name, meter in measured.items() if meter.sampled}
            start = now()
            samples, busy_share = _sample(machine, sampled, seconds, hz)
            end = now()
            for name, meter in measured.items():
                if not meter.sampled:
                    time.sleep(meter.settle_s)
                    samples[name], faults[name] = _collected(meter, start, end)
    finally:
        machine.close()

    result = {}
    for name, meter in meters.items():
        by_definition = defined[name]
        domains: dict[str, Any]
        if by_definition is not None:
            domains = {d: {"watts": watts} for d, watts in by_definition.items()}
            result[name] = {"by": "definition", "reason": "", "domains": domains}
        elif name not in samples:
            domains = {d.name: {"watts": None} for d in meter.domains}
            reason = "not measured: the window (idle_s) is 0 s"
            result[name] = {"by": "none", "reason": reason, "domains": domains}
        else:
            result[name] = _summary(meter, *samples[name])
            if faults.get(name) and result[name]["by"] == "none":
                result[name]["reason"] = faults[name]
    return {
        "seconds": seconds if measured else 0,
        "hz": hz,
        "busy_share": busy_share if size is None else None,
        "meters": result,
    }


def idle_of(
    idle: dict[str, Any],
    headline: dict[str, list[str]],
    defined: Mapping[str, dict[str, float] | None] = {},
) -> dict[str, Any]:
    """The entry `idle` of a manifest: the headline's idle watts per domain, and where from.

    headline: meter → domains that count. defined: meter → the idle watts that it has by definition
    for the run's own machine, which may be a part of the testbed. Returns {"meter", "by",
    "busy_share", "watts": {domain: watts or None}}, meters and ways joined by +. A meter that was
    not there when the testbed was measured has by "none" and no domains.
    """
    ways, watts = list[str](), dict[str, float | None]()
    for meter, names in headline.items():
        facts = idle["meters"].get(meter, {"by": "none", "domains": {}})
        ways.append(facts["by"])
        known = {name: domain["watts"] for name, domain in facts["domains"].items()}
        if facts["by"] == "definition":
            known |= defined.get(meter) or {}
        watts |= {name: value for name, value in known.items() if name in names}
    return {
        "meter": "+".join(headline),
        "by": "+".join(dict.fromkeys(ways)),
        "busy_share": idle["busy_share"] if "measurement" in ways else None,
        "watts": watts,
    }


def write_testbed(path: Path, facts: dict[str, Any]) -> None:
    """Write the record as JSON, whole or not at all."""
    text = json.dumps(facts, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_whole(Path(path), text, synced=True)


def _sample(
    machine: Machine, meters: dict[str, Meter], seconds: float, hz: float
) -> tuple[dict[str, _Readings], float]:
    """Readings over the window: per meter (times in s, {domain: values}), and the busy share."""
    times: dict[str, list[float]] = {name: [] for name in meters}
    values: dict[str, dict[str, list[float]]] = {
        name: {d.name: [] for d in meter.domains} for name, meter in meters.items()
    }
    start, first = time.monotonic(), machine.busy_ns()
    load = machine.load(0, 1)  # meters that want a load are idle by definition
    beats = Beats(hz)
    while True:
        for name, meter in meters.items():
            times[name].append(time.monotonic())
            readings = meter.read(load)
            for domain, column in values[name].items():
                column.append(readings.get(domain, np.nan))
        if time.monotonic() - start >= seconds:
            break
        time.sleep(beats.wait_s())
    elapsed = time.monotonic() - start
    share = (machine.busy_ns() - first) / 1e9 / (machine.cores * elapsed)
    return {name: (np.array(times[name]), values[name]) for name in meters}, round(share, 4)


def _collected(meter: Meter, start: Stamp, end: Stamp) -> tuple[_Readings, str]:
    """Readings within the window of a meter that is asked afterwards, and why there are none."""
    names = [domain.name for domain in meter.domains]
    try:
        rows = meter.collect(start, end).rows
    except MeterError as error:
        return (np.empty(0), {name: [] for name in names}), str(error)
    rows = [(at, read) for at, read in rows if start.mono_ns <= at.mono_ns <= end.mono_ns and read]
    times = np.array([at.mono_ns / 1e9 for at, _ in rows])
    values = {name: [read.get(name, np.nan) for _, read in rows] for name in names}
    return (times, values), f"{len(rows)} readings in the window are too few: raise idle_s"


def _summary(meter: Meter, times: np.ndarray, values: dict[str, list[float]]) -> dict[str, Any]:
    domains, unread = dict[str, Any](), list[str]()
    for domain in meter.domains:
        watts = _watts(meter, domain, times, np.array(values[domain.name], float))
        if not watts.size:
            domains[domain.name] = {"watts": None}
            unread.append(domain.name)
            continue
        q1, median, q3 = (round(float(q), 4) for q in np.percentile(watts, [25, 50, 75]))
        domains[domain.name] = {
            "watts": median,
            "watts_q1": q1,
            "watts_q3": q3,
            "intervals": int(watts.size),
        }
    reason = f"no reading of {', '.join(unread)}" if unread else ""
    by = "none" if len(unread) == len(domains) else "measurement"
    return {"by": by, "reason": reason, "domains": domains}


def _watts(meter: Meter, domain: Domain, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of each reading, or each interval between two, that is known and can be."""
    bound = bound_of(type(meter), domain.resource, domain.max_w)
    seen = ~np.isnan(values)
    values, seconds = values[seen], np.diff(times[seen])
    if domain.unit == "w":
        return values[values <= bound.most_w]
    watts = rises(seconds, values, domain.wraps_at, bound).uj / 1e6 / seconds
    return watts[~np.isnan(watts)]
