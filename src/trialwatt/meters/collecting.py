"""The samples of meters that are asked when a run is over, written like those of the sampler."""

from __future__ import annotations

from pathlib import Path

from trialwatt.files import write_whole
from trialwatt.meters.base import Collected, Meter, MeterError
from trialwatt.meters.rows import USAGE, heading, power_field, stamped, usage_fields


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
