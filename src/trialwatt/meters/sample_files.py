"""The lines of sample files, as docs/records.md describes them."""

from __future__ import annotations

import math
from pathlib import Path

from trialwatt.clock import Stamp
from trialwatt.files import write_whole
from trialwatt.meters.base import Collected, DeviceUse, Domain, Meter, MeterError

USAGE = ("component", "cpu_ns", "memory_bytes")
MACHINE, HARNESS, STOLEN = OF_NOBODY = ("machine", "harness", "stolen")
"""Rows of usage.csv that are no component's: nothing is reserved for them."""
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


def write_collected(folder: Path, name: str, meter: Meter, collected: Collected) -> None:
    """samples/power-<name>.csv, and samples/usage-<name>.csv where the meter knows of usage.

    Whole or not at all; what an earlier answer held is replaced. Raises MeterError where the
    files cannot be written.
    """
    domains = meter.domains
    lines = [heading(domain.name for domain in domains)]
    for stamp, values in collected.rows:
        fields = ",".join(power_field(domain, values.get(domain.name)) for domain in domains)
        lines.append(stamped(stamp) + fields)
    samples = Path(folder) / "samples"
    _write(samples / f"power-{name}.csv", lines)
    if collected.usage:
        lines = [heading(USAGE)]
        lines += [stamped(stamp) + usage_fields(*rest) for stamp, *rest in collected.usage]
        _write(samples / f"usage-{name}.csv", lines)


def _write(path: Path, lines: list[str]) -> None:
    try:
        write_whole(path, "\n".join(lines) + "\n")
    except OSError as error:
        raise MeterError(f"{path.name} cannot be written: {error}") from error
