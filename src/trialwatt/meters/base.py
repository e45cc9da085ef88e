"""The seam of the meters. A meter gives raw readings; corrections happen when they are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from trialwatt.errors import TrialwattError

if TYPE_CHECKING:
    from trialwatt.config.models import Testbed
    from trialwatt.meters.model import PowerParameters

Method = Literal["counter", "polled", "attributed", "modelled"]


class MeterError(TrialwattError):
    """A meter that cannot be opened, or samples that cannot be kept; says why and what to do."""


@dataclass(frozen=True)
class Domain:
    """One thing that a meter measures.

    resource: which reservation its static power follows ("cpu", "memory" or "accelerator").
    unit: "uj" (a counter of microjoules, wrapping at `wraps_at`) or "w" (watts).
    counts: False for what must not be added to the others (psys holds the packages).
    """

    name: str
    resource: Literal["cpu", "memory", "accelerator"]
    unit: Literal["uj", "w"]
    method: Method
    wraps_at: int | None = None
    counts: bool = True


@dataclass(frozen=True)
class Probe:
    """Whether a meter can be used here, and if not, why and what to do.

    An available meter may have a reason too: what a reader of its figures should know.
    """

    available: bool
    reason: str
    domains: tuple[Domain, ...] = ()


@dataclass(frozen=True)
class MachineLoad:
    """What the machine has done since the last reading, for meters that model power.

    memory_gb: the memory that the machine has (2^30 bytes), used or not: it is all powered.
    """

    cores: int
    busy_cores: float  # mean number of busy cores since the last reading
    memory_gb: float


class Meter(ABC):
    """Made once per run (or idle measurement).

    `power` holds the coefficients that the testbed names; only meters that model power want it.
    """

    name: str

    @classmethod
    @abstractmethod
    def probe(cls, testbed: Testbed, power: PowerParameters | None = None) -> Probe:
        """Whether it works on this machine. Never raises for what the machine lacks."""

    @classmethod
    @abstractmethod
    def open(cls, testbed: Testbed, power: PowerParameters | None = None) -> Meter:
        """Ready to read. Raises MeterError with the probe's reason where it is not available."""

    @property
    @abstractmethod
    def domains(self) -> tuple[Domain, ...]: ...

    @abstractmethod
    def read(self, load: MachineLoad) -> dict[str, float]:
        """Raw value per domain name, in the domain's unit. Missing where it could not be read.

        A modelled watt value is the mean since the last reading; a polled one is momentary.
        """

    @property
    def parameters(self) -> dict:
        """For the manifest: what the readings depend on besides the machine."""
        return {}

    def idle_watts(self, cores: int, memory_gb: float) -> dict[str, float] | None:
        """Idle watts per domain where they are known by definition; None: they are measured."""
        return None

    def close(self) -> None:
        """Give back what open() took."""
