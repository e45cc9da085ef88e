"""The lines of sample files, as docs/records.md describes them."""

from __future__ import annotations

import math

from trialwatt.clock import Stamp
from trialwatt.meters.base import DeviceUse, Domain

USAGE = ("component", "cpu_ns", "memory_bytes")
DEVICES = ("device", "memory_bytes", "utilisation_percent")


def heading(columns) -> str:
    return ",".join(("t", "m", *columns))


def stamped(stamp: Stamp) -> str:
    """The first two fields, with the comma behind them."""
    return f"{stamp.utc_ns},{stamp.mono_ns},"


def power_field(domain: Domain, value: float | None) -> str:
    """One reading: a whole number of microjoules, or watts; empty where there is no number."""
    if value is None or not math.isfinite(value):
        return ""
    return str(int(value)) if domain.unit == "uj" else repr(round(value, 6))


def usage_fields(component: str, cpu_ns: int | None, memory_bytes: int | None) -> str:
    return f"{component},{_known(cpu_ns)},{_known(memory_bytes)}"


def device_fields(device: str, use: DeviceUse | None) -> str:
    if use is None:
        return f"{device},,"
    return f"{device},{_known(use.memory_bytes)},{_known(use.utilisation_percent)}"


def _known(value) -> str:
    return "" if value is None else str(value)
