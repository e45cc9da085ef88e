"""The RAPL zones that the kernel lists under powercap, on Intel and AMD alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/class/powercap/intel-rapl")
"""The MSR zones. intel-rapl-mmio beside it shows the same packages once more: never read."""

_PACKAGE = re.compile(r"package-(\d+)(-die-\d+)?")


@dataclass(frozen=True)
class Zone:
    """One powercap zone.

    label: unique on the machine ("package-0", "package-0-die-1", "dram-0", "core-0", "psys").
    kind: "package", "dram", "psys" or the kernel's own word ("core", "uncore", ...).
    socket: physical package id; None for psys.
    """

    directory: Path
    label: str
    kind: str
    socket: int | None

    @property
    def counter(self) -> Path:
        """File with the energy in microjoules."""
        return self.directory / "energy_uj"

    def range_uj(self) -> int | None:
        """Where the counter wraps, in microjoules; None if the kernel does not say."""
        value = _whole_number(self.directory / "max_energy_range_uj")
        return value if value > 0 else None

    def max_w(self) -> float | None:
        """The highest of the limits that the kernel lists for it; None where there is none.

        Of each constraint the limit that is set counts too: for the short term a package may be
        let draw more than the maximum of its long term, which is its thermal design power.
        """
        files = self.directory.glob("constraint_*_*_uw")
        watts = max((_whole_number(file) for file in files), default=0) / 1e6
        return watts if watts > 0 else None


def find_zones() -> list[Zone]:
    """All zones, packages first, each label once; empty where there is no powercap."""
    if not ROOT.is_dir():
        return []
    zones: list[Zone] = []
    for top in _numbered(ROOT, "intel-rapl"):
        name = _name(top)
        package = _PACKAGE.fullmatch(name)
        if package:
            socket = int(package[1])
            zones.append(Zone(top, name, "package", socket))
            for sub in _numbered(top, top.name):
                kind = _name(sub)
                label = f"{kind}-{name.removeprefix('package-')}"
                zones.append(Zone(sub, label, kind, socket))
        elif name:
            zones.append(Zone(top, name, name, None))
    order = {"package": 0, "dram": 1}
    zones.sort(key=lambda zone: (order.get(zone.kind, 2), zone.socket is None))
    # A zone that is listed twice would be counted twice: keep the first.
    return list({zone.label: zone for zone in reversed(zones)}.values())[::-1]


def _numbered(parent: Path, prefix: str) -> list[Path]:
    """Folders `prefix:0`, `prefix:1`, ... of a folder, in numeric order; holes are allowed."""
    pattern = re.compile(re.escape(prefix) + r":(\d+)")
    found = [(int(m[1]), path) for path in parent.iterdir() if (m := pattern.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def _whole_number(file: Path) -> int:
    """0 where it cannot be read, or is none."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


def _name(directory: Path) -> str:
    try:
        return (directory / "name").read_text().strip()
    except OSError:
        return ""
