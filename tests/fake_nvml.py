"""A small stand-in for pynvml: devices that say what a test wants."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Device:
    """None: not supported. mig: 1 where it is divided into `instances`, given by their ids."""

    energy_mj: int | Callable[[], int] | None = None
    power_mw: int | None = None
    mig: int | None = None
    lost: bool = False
    memory: int | None = 1 << 30
    busy: int | None = 40
    instances: list[str] = field(default_factory=list)


@dataclass
class State:
    devices: list[Device] = field(default_factory=list)
    driver: bool = True
    opened: int = 0


def install(monkeypatch) -> State:
    """Put it in the place of pynvml; its devices are the state's."""
    state = State()
    module = types.ModuleType("pynvml")

    class NVMLError(Exception):
        pass

    class NotSupported(NVMLError):
        pass

    def value(device: Device, key: str):
        if device.lost:
            raise NVMLError("GPU is lost")
        found = getattr(device, key)
        if found is None:
            raise NotSupported("Not Supported")
        return found() if callable(found) else found

    def init():
        if not state.driver:
            raise NVMLError("NVML Shared Library Not Found")
        state.opened += 1

    def shutdown():
        state.opened -= 1

    def uuid(device: Device | str) -> str:
        if isinstance(device, str):
            return device
        value(device, "instances")
        return f"GPU-{next(i for i, each in enumerate(state.devices) if each is device)}abc"

    def instance(device: Device, index: int) -> str:
        if index >= len(device.instances):
            raise NVMLError("Not Found")
        return device.instances[index]

    module.NVMLError, module.NVMLError_NotSupported = NVMLError, NotSupported
    module.nvmlInit, module.nvmlShutdown = init, shutdown
    module.nvmlDeviceGetCount = lambda: len(state.devices)
    module.nvmlDeviceGetHandleByIndex = lambda index: state.devices[index]
    module.nvmlDeviceGetTotalEnergyConsumption = lambda device: value(device, "energy_mj")
    module.nvmlDeviceGetPowerUsage = lambda device: value(device, "power_mw")
    module.nvmlDeviceGetMemoryInfo = lambda d: types.SimpleNamespace(used=value(d, "memory"))
    module.nvmlDeviceGetUtilizationRates = lambda d: types.SimpleNamespace(gpu=value(d, "busy"))
    module.nvmlDeviceGetMigMode = lambda device: (value(device, "mig"), 0)
    module.nvmlDeviceGetUUID = uuid
    module.nvmlDeviceGetMaxMigDeviceCount = lambda device: 7
    module.nvmlDeviceGetMigDeviceHandleByIndex = instance
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return state
