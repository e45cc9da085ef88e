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
        try:
            value = int((self.directory / "max_energy_range_uj").read_text())
        except (OSError, ValueError):
            return None
        return value if value > 0 else None


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


def _name(directory: Path) -> str:
    try:
        return (directory / "name").read_text().strip()
    except OSError:
        return ""
