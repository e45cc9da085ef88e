"""RAPL energy counters of Intel and AMD processors, read through pyRAPL."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from trialwatt.meters import mirrors
from trialwatt.meters.base import Domain, MachineLoad, Meter, MeterError, Probe
from trialwatt.meters.powercap import ROOT, find_zones

if TYPE_CHECKING:
    from trialwatt.meters.rapl_sensors import Counter

GRANT = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"

_STILL_S = 0.2  # a running package's counter moves every millisecond
_LOOKS = 4  # at zones that may show one counter


class Rapl(Meter):
    """Packages and DRAM of all sockets; core, uncore and psys beside them, never added."""

    name = "rapl"
    packages = ("pyRAPL",)
    single_parts = True
    methods = MappingProxyType({"uj": ("counter",)})

    def __init__(self, counters: list[Counter]):
        self._counters = counters

    @classmethod
    def probe(cls, testbed, power=None) -> Probe:
        """Available where every package can be read and its counter moves."""
        counters, reason = _open_all()
        try:
            if still := _standing_still(counters):
                return Probe(False, f"the counter of {', '.join(still)} stands still, as in a VM")
            return Probe(bool(counters), reason, tuple(c.domain for c in counters))
        finally:
            _close(counters)

    @classmethod
    def open(cls, testbed, power=None) -> Rapl:
        counters, reason = _open_all()
        if not counters:
            raise MeterError(f"rapl: {reason}")
        return cls(counters)

    @property
    def domains(self) -> tuple[Domain, ...]:
        return tuple(counter.domain for counter in self._counters)

    def read(self, load: MachineLoad) -> dict[str, float]:
        readings = {counter.domain.name: counter.read() for counter in self._counters}
        return {name: value for name, value in readings.items() if value is not None}

    def close(self) -> None:
        _close(self._counters)


def _open_all() -> tuple[list[Counter], str]:
    """All readable zones and what a reader should know; no counters if a package is unreadable."""
    zones = find_zones()
    packages = [zone.label for zone in zones if zone.kind == "package"]
    if not packages:
        return [], (
            f"no RAPL package in {ROOT}: a virtual machine, a container that hides it, or the "
            "kernel module is not loaded (sudo modprobe intel_rapl_msr)"
        )
    # Here, because pyRAPL takes a second to import.
    from trialwatt.meters.rapl_sensors import open_counter

    counters: list[Counter] = []
    unreadable: list[str] = []
    denied = False
    for zone in zones:
        try:
            counters.append(open_counter(zone))
        except OSError as error:
            denied = denied or isinstance(error, PermissionError)
            unreadable.append(f"{zone.label} ({error.strerror or error})")

    readable = {counter.domain.name for counter in counters}
    notes = []
    if unreadable:
        notes.append("cannot read " + ", ".join(unreadable))
    if denied:
        notes.append(f"grant access until the next reboot with: {GRANT}")
    if not set(packages) <= readable:
        _close(counters)
        return [], "; ".join(notes)
    listed = {zone.label for zone in zones}
    without = [label for label in packages if label.replace("package", "dram", 1) not in listed]
    if without:
        notes.append(f"no DRAM counter beside {', '.join(without)}: that memory is not measured")
    counters, found = _each_once(counters)
    notes += mirrors.said(found)
    endless = [c.domain.name for c in counters if c.domain.wraps_at is None]
    if endless:
        notes.append(f"the range of {', '.join(endless)} is unknown: a wrap will be a gap")
    return counters, "; ".join(notes)


def _each_once(counters: list[Counter]) -> tuple[list[Counter], dict[str, str]]:
    """Zones that show the counter of another one are read on, so that it can be checked, and do
    not count; and which they are."""
    looked_at = [counter for counter in counters if counter.domain.counts]
    ranges = {counter.domain.name: counter.domain.wraps_at for counter in looked_at}
    looks = [_look(looked_at)]
    if not mirrors.may_mirror(looks[0], ranges):
        return counters, {}
    for _ in range(_LOOKS - 1):
        time.sleep(_STILL_S)
        looks.append(_look(looked_at))
    columns = {name: np.array([look[name] for look in looks]) for name in ranges}
    found = mirrors.mirrored(np.arange(_LOOKS) * _STILL_S, columns, ranges)
    return [
        replace(c, domain=replace(c.domain, counts=False)) if c.domain.name in found else c
        for c in counters
    ], found


def _look(counters: list[Counter]) -> dict[str, float]:
    readings = {counter.domain.name: counter.read() for counter in counters}
    return {name: math.nan if value is None else value for name, value in readings.items()}


def _standing_still(counters: list[Counter]) -> list[str]:
    """Packages whose counter does not move: their energy would be a silent zero."""
    packages = [c for c in counters if c.domain.name.startswith("package-")]
    if not packages:
        return []
    before = [c.read() for c in packages]
    time.sleep(_STILL_S)
    return [c.domain.name for c, b in zip(packages, before, strict=True) if c.read() == b]


def _close(counters: list[Counter]) -> None:
    for counter in counters:
        counter.close()
