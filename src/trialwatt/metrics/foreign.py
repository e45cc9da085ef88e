"""Foreign CPU time: what of a machine's was used by nobody of the run, or taken from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trialwatt.config.models import Testbed
from trialwatt.meters.bounds import TICKS_NS
from trialwatt.meters.machine import MOST_FOREIGN
from trialwatt.meters.sample_files import STOLEN
from trialwatt.metrics.attribution import Curve, Part
from trialwatt.metrics.formulas import foreign_share
from trialwatt.metrics.readings import GAP_PERIODS
from trialwatt.metrics.usage import Usage, sound
from trialwatt.records.reader import RunRecords

NOT_KNOWN = "the CPU time of others on its nodes is not known"


def of_run(records: RunRecords, usage: Usage, machine: Curve, parts: Sequence[Part]) -> float:
    """The share within the run's window; NaN where somebody's CPU time is not known.

    machine, parts: cumulative CPU time, ns since the window's start.
    """
    window = float(records.window[1] - records.window[0])
    if not _whole_machine(records) or records.unreserved or usage.gaps:
        return math.nan
    if not _spans(machine, window, records) or any(len(part.cpu.times) < 2 for part in parts):
        return math.nan
    ends = np.array([0.0, window])
    used = [float(np.diff(part.cpu.at(ends))[0]) for part in parts]
    busy = float(np.diff(machine.at(ends))[0])
    return foreign_share(busy, sum(used), _stolen_ns(records, usage), usage.cores, window)


def flags(share: float, testbed: Testbed) -> list[str]:
    """Why a run with this share must be read with care."""
    if not share > MOST_FOREIGN:
        return []
    allowed = ", which the testbed allows" if testbed.allow_busy_machine else ""
    return [f"foreign CPU time {share:.0%} of the machine (over {MOST_FOREIGN:.0%}){allowed}"]


def idle_flags(manifest: Mapping[str, Any]) -> list[str]:
    """Why static energy must be read with care: what was measured as idle power was none."""
    share = (manifest.get("idle") or {}).get("busy_share")
    if not isinstance(share, int | float) or share <= MOST_FOREIGN:
        return []
    return [f"idle power was measured while {share:.0%} of the machine was busy"]


def added_flags(manifest: Mapping[str, Any]) -> list[str]:
    """Why a run must be read with care: its pods held containers that are not of it."""
    found = (manifest.get("enforcement") or {}).get("added") or {}
    if not (count := found.get("containers")):
        return []
    return [
        f"the cluster had put {count} more container{'s' if count > 1 else ''} into each pod: what "
        "was used there is not known; their reservation is in other"
    ]


def notes(records: RunRecords) -> list[str]:
    """What is to be said where nobody can know it."""
    return [] if _whole_machine(records) else [NOT_KNOWN]


def _whole_machine(records: RunRecords) -> bool:
    """Whether the rows `machine` are of a machine; on nodes they are what the run's pods used."""
    return "nodes" not in records.manifest["host"]


def _spans(machine: Curve, window: float, records: RunRecords) -> bool:
    """Whether the machine was sampled from the start of the window to its end."""
    slack = GAP_PERIODS * 1e9 / records.config.testbed.sample_hz
    times = machine.times
    return len(times) > 1 and times[0] <= slack and times[-1] >= window - slack


def _stolen_ns(records: RunRecords, usage: Usage) -> float:
    """What was stolen within the window: 0 in records that do not tell, NaN where it is not known.

    A row is written when it has changed, so that the counter stands still until the next.
    """
    track = records.usage.get(STOLEN)
    if track is None:
        return 0.0
    known = ~np.isnan(track.cpu_ns)
    times, counter = track.times_ns[known], track.cpu_ns[known]
    if not len(times):
        return math.nan
    counter, wrong = sound(times, counter, usage.cores, TICKS_NS * usage.cores)
    at = np.searchsorted(times, records.window, side="right") - 1
    first, last = counter[np.maximum(at, 0)]
    return math.nan if len(wrong) else float(last - first)
