"""NVIDIA accelerators through NVML (package nvidia-ml-py, which is optional)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from trialwatt.meters.base import (
    DeviceUse,
    Domain,
    MachineLoad,
    Meter,
    MeterError,
    Probe,
    accelerator_domain,
)

INSTALL = "pip install nvidia-ml-py"


@dataclass(frozen=True)
class _Device:
    domain: Domain
    handle: object


class Nvml(Meter):
    """One domain per device: its energy counter, or its polled power where it has no counter.

    The counter is preferred because a power reading covers only part of the time on some devices.
    Memory and utilisation of each device are recorded beside it.
    """

    name = "nvml"
    packages = ("nvidia-ml-py",)
    single_parts = True
    methods = MappingProxyType({"uj": ("counter",), "w": ("polled",)})

    def __init__(self, nvml, devices: list[_Device]):
        self._nvml = nvml
        self._devices = devices

    @classmethod
    def probe(cls, testbed, power=None) -> Probe:
        """Available where at least one device gives energy or power."""
        meter, reason = _open()
        if meter is None:
            return Probe(False, reason)
        try:
            return Probe(True, reason, meter.domains)
        finally:
            meter.close()

    @classmethod
    def open(cls, testbed, power=None) -> Nvml:
        meter, reason = _open()
        if meter is None:
            raise MeterError(f"nvml: {reason}")
        return meter

    @property
    def domains(self) -> tuple[Domain, ...]:
        return tuple(device.domain for device in self._devices)

    def read(self, load: MachineLoad) -> dict[str, float]:
        readings = {}
        for device in self._devices:
            try:
                readings[device.domain.name] = _value(self._nvml, device)
            except self._nvml.NVMLError:
                continue  # a device that is lost: a missing reading, which the records show
        return readings

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(device.domain.name for device in self._devices)

    def device_use(self) -> dict[str, DeviceUse]:
        nvml = self._nvml
        return {
            device.domain.name: DeviceUse(
                _or_none(nvml, _memory_bytes, device.handle),
                _or_none(nvml, _utilisation, device.handle),
            )
            for device in self._devices
        }

    def close(self) -> None:
        self._nvml.nvmlShutdown()


def _open() -> tuple[Nvml | None, str]:
    try:
        import pynvml as nvml
    except ImportError:
        return None, f"the package nvidia-ml-py is not installed: {INSTALL}"
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return None, f"no NVIDIA driver to talk to ({error})"
    try:
        devices, notes = _find(nvml)
    except nvml.NVMLError as error:
        devices, notes = [], [f"the devices cannot be listed ({error})"]
    if not devices:
        nvml.nvmlShutdown()
        return None, "; ".join(notes) or "the driver lists no device"
    return Nvml(nvml, devices), "; ".join(notes)


def _find(nvml) -> tuple[list[_Device], list[str]]:
    """The devices that can be metered, and a note for each thing that is missing."""
    devices: list[_Device] = []
    notes: list[str] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        name = accelerator_domain("gpu", index)
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            device = _first_that_reads(nvml, name, handle)
        except nvml.NVMLError as error:
            notes.append(f"{name} cannot be read ({error})")
            continue
        if device is None:
            notes.append(f"{name} has neither an energy counter nor a power reading")
            continue
        if device.domain.method == "polled":
            notes.append(f"{name} has no energy counter: its power is polled")
        if _mig(nvml, handle):
            notes.append(f"{name} is in MIG mode: all its instances are measured together")
        for what, read in (("memory in use", _memory_bytes), ("utilisation", _utilisation)):
            if _or_none(nvml, read, handle) is None:
                notes.append(f"{name} does not tell its {what}")
        devices.append(device)
    return devices, notes


def _first_that_reads(nvml, name: str, handle) -> _Device | None:
    for unit, method in (("uj", "counter"), ("w", "polled")):
        limit_w = _or_none(nvml, _limit_w, handle)
        device = _Device(Domain(name, "accelerator", unit, method, max_w=limit_w), handle)
        try:
            _value(nvml, device)
            return device
        except nvml.NVMLError_NotSupported:
            continue
    return None


def _value(nvml, device: _Device) -> float:
    if device.domain.unit == "uj":
        return nvml.nvmlDeviceGetTotalEnergyConsumption(device.handle) * 1000  # mJ, 64 bits
    return nvml.nvmlDeviceGetPowerUsage(device.handle) / 1000  # mW


def _limit_w(nvml, handle) -> float | None:
    """The highest power limit that its board can be set to, whatever it is set to now."""
    find = getattr(nvml, "nvmlDeviceGetPowerManagementLimitConstraints", None)
    return (find(handle)[1] / 1000 or None) if find else None  # mW


def _memory_bytes(nvml, handle) -> int:
    return nvml.nvmlDeviceGetMemoryInfo(handle).used


def _utilisation(nvml, handle) -> int:
    """Per cent of the driver's own last period in which the device was busy."""
    return nvml.nvmlDeviceGetUtilizationRates(handle).gpu


def _or_none(nvml, read, handle):
    try:
        return read(nvml, handle)
    except nvml.NVMLError:
        return None


def _mig(nvml, handle) -> bool:
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError:
        return False  # devices that know no MIG
    return current == 1
