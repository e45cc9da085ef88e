"""One RAPL counter, opened through pyRAPL. Only raw values: its differences know no wraps."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from trialwatt.meters.base import Domain
from trialwatt.meters.powercap import Zone

_disabled = logging.root.manager.disable
logging.disable(logging.WARNING)  # pyRAPL warns of databases that nobody here asked for
try:
    from pyRAPL import Device, DeviceAPI, PyRAPLException, Sensor
finally:
    logging.disable(_disabled)

DEVICES = {"package": Device.PKG, "dram": Device.DRAM}
"""The kinds of zones that pyRAPL knows, and that add up to the machine."""


class ZoneAPI(DeviceAPI):
    """One zone that pyRAPL does not know: core, uncore, psys, a die of a package.

    Leaves out pyRAPL's look at the CPU topology, which fails where a CPU is offline.
    """

    def __init__(self, zone: Zone):
        self._zone = zone
        self._socket_ids = [0]
        self._sys_files = self._open_rapl_files()

    def _open_rapl_files(self):
        return [self._zone.counter.open()]


@dataclass(frozen=True)
class Counter:
    """An open zone: the API that reads it, and where in the answer of energy() its value is."""

    domain: Domain
    source: Sensor | DeviceAPI
    place: int

    def read(self) -> float | None:
        """Microjoules; None where the counter cannot be read (any more)."""
        try:
            value = self.source.energy()[self.place]
        except (OSError, ValueError):  # ENODEV once the zone is gone; an empty file is no number
            return None
        return value if value >= 0 else None

    def close(self) -> None:
        """Close its file, for which pyRAPL has no function."""
        of_sensor = isinstance(self.source, Sensor)
        for api in self.source._device_api.values() if of_sensor else [self.source]:
            for file in api._sys_files:
                file.close()


def open_counter(zone: Zone) -> Counter:
    """Through pyRAPL's own sensor where it knows the zone. Raises OSError if unreadable."""
    domain = Domain(
        name=zone.label,
        resource="memory" if zone.kind == "dram" else "cpu",
        unit="uj",
        method="counter",
        wraps_at=zone.range_uj(),
        counts=zone.kind in DEVICES,
        max_w=zone.max_w(),
    )
    counter = None
    if zone.kind in DEVICES and "die" not in zone.label:
        device = DEVICES[zone.kind]
        try:
            # One sensor per zone, so that one lost counter does not take the others with it.
            sensor = Sensor(devices=[device], socket_ids=[zone.socket])
            counter = Counter(domain, sensor, zone.socket * 2 + device)
        except PermissionError:
            raise
        except (PyRAPLException, OSError, ValueError):
            pass  # a hole in the numbering, an offline CPU: pyRAPL gives up, the zone is there
    counter = counter or Counter(domain, ZoneAPI(zone), 0)
    if counter.read() is None:
        counter.close()
        raise OSError("no number in it")
    return counter
