"""The linear power model: watts from the machine's utilisation, where there is no counter."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from trialwatt.config.models import BoardPower
from trialwatt.meters.base import Domain, MachineLoad, Meter, MeterError, Probe, accelerator_domain
from trialwatt.meters.coefficients import PowerParameters


def machine_watts(parameters: PowerParameters, cores, busy_cores, memory_gb) -> dict:
    """Modelled watts of a whole machine, per domain ("cpu", "memory").

    cores, busy_cores, memory_gb: numbers, or NumPy arrays that broadcast; "cpu" follows from the
    first two, "memory" from cores and memory_gb (the memory that the machine has, 2^30 bytes).
    Formula: cores·min + busy·(max−min), and memory_w_per_gb for each GB beyond what the vCPUs
    include (Cloud Carbon Footprint's methodology, with its coefficients from SPECpower).

    busy_cores is not capped: CPU time is counted in ticks of 10 ms, so a short interval may show
    more than there is, and only the uncapped values sum up to the right energy. Whoever makes
    energy of it moves what is too much into the time before (docs/methodology, rule 4).
    """
    effective = parameters.effective_cores(cores, busy_cores)
    cpu = cores * parameters.min_w + effective * (parameters.max_w - parameters.min_w)
    beyond = memory_gb - parameters.included_gb_per_vcpu * cores
    # (x + |x|) / 2 is max(x, 0) for numbers and arrays alike, at the speed of either.
    memory = parameters.memory_w_per_gb * (beyond + abs(beyond)) / 2
    return {"cpu": cpu, "memory": memory}


def most_watts(parameters: Mapping[str, Any], cores: float) -> dict[str, float]:
    """Watts of each domain that no reading can be above for long, by the coefficients of a record;
    empty where it has none."""
    max_w = parameters.get("max_w")
    return {"cpu": cores * max_w} if isinstance(max_w, int | float) else {}


class PowerModel(Meter):
    """Modelled watts of the machine's vCPUs and memory, and of its accelerators where the testbed
    gives the power of their boards: one domain per device, that power all the time.
    """

    name = "model"
    methods = MappingProxyType({"w": ("modelled",)})

    _DOMAINS = (
        Domain("cpu", "cpu", "w", "modelled"),
        Domain("memory", "memory", "w", "modelled"),
    )

    def __init__(self, power: PowerParameters, boards: BoardPower | None = None):
        self.power, self.boards = power, boards

    @classmethod
    def probe(cls, testbed, power=None) -> Probe:
        """Available wherever coefficients are given; the reason names them and their source."""
        if power is None:
            name = getattr(testbed, "power_model", None)
            return Probe(False, f"no coefficients: the testbed's power_model is {name!r}")
        reason = f"modelled, not measured: {power.min_w:g}-{power.max_w:g} W per vCPU"
        reason += f" ({power.source})"
        boards = getattr(testbed, "accelerator_board_w", None)
        if boards:
            reason += f"; {boards.watts:g} W per {boards.kind}, all the time ({boards.source})"
        return Probe(True, reason, cls(power, boards).domains)

    @classmethod
    def open(cls, testbed, power=None) -> PowerModel:
        probe = cls.probe(testbed, power)
        if not probe.available:
            raise MeterError(f"model: {probe.reason}")
        return cls(power, getattr(testbed, "accelerator_board_w", None))

    @property
    def domains(self) -> tuple[Domain, ...]:
        boards = (Domain(name, "accelerator", "w", "modelled") for name in self._board_watts())
        return (*self._DOMAINS, *boards)

    @property
    def parameters(self) -> dict:
        """The coefficients and the boards' power, for the manifest."""
        boards = {"accelerator_board_w": self.boards.model_dump()} if self.boards else {}
        return self.power.model_dump() | boards

    def read(self, load: MachineLoad) -> dict[str, float]:
        machine = machine_watts(self.power, load.cores, load.busy_cores, load.memory_gb)
        return machine | self._board_watts()

    def _board_watts(self) -> dict[str, float]:
        if self.boards is None:
            return {}
        names = (accelerator_domain(self.boards.kind, i) for i in range(self.boards.devices))
        return dict.fromkeys(names, self.boards.watts)

    def idle_watts(self, cores: int, memory_gb: float) -> dict[str, float]:
        """What the model says of a machine with no core busy."""
        return self.read(MachineLoad(cores, 0.0, memory_gb))
