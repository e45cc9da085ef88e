"""The seam of the meters. A meter gives raw readings; corrections happen when they are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from trialwatt.clock import Stamp
from trialwatt.errors import TrialwattError

if TYPE_CHECKING:  # the agent and the hub of a cluster's runs load this, and none of pydantic
    from trialwatt.config.models import Testbed
    from trialwatt.meters.coefficients import PowerParameters

Method = Literal["counter", "polled", "attributed", "modelled"]
NO_LABELS: Mapping[str, str] = MappingProxyType({})


class MeterError(TrialwattError):
    """A meter that cannot be opened, or samples that cannot be kept; says why and what to do."""


@dataclass(frozen=True)
class Domain:
    """One thing that a meter measures.

    resource: which reservation its static power follows ("cpu", "memory" or "accelerator").
    unit: "uj" (a counter of microjoules, wrapping at `wraps_at`) or "w" (watts).
    counts: False for what must not be added to the others (psys holds the packages).
    max_w: the limit that the hardware names, a mean over seconds; None where it names none.
    """

    name: str
    resource: Literal["cpu", "memory", "accelerator"]
    unit: Literal["uj", "w"]
    method: Method
    wraps_at: int | None = None
    counts: bool = True
    max_w: float | None = None

    def facts(self) -> dict[str, str | float | bool | None]:
        """For the manifest; a limit only where there is one."""
        unknown = {"max_w"} if self.max_w is None else set()
        return {key: value for key, value in asdict(self).items() if key not in unknown}


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


@dataclass(frozen=True)
class DeviceUse:
    """What an accelerator is doing at this moment; None where it does not tell."""

    memory_bytes: int | None
    utilisation_percent: float | None


@dataclass(frozen=True)
class Collected:
    """What a meter that is asked after the run has to say of it, in order of time.

    rows: the raw value per domain at a moment, missing where there is none; a moment without any
    value is a reading that failed. usage: cumulative CPU time and memory of components, where
    the meter knows of such. notes: what a reader of its figures should know.
    """

    rows: list[tuple[Stamp, dict[str, float]]]
    usage: list[tuple[Stamp, str, int | None, int | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Past:
    """A run that is over, for a meter that is asked again.

    start: its first moment; parameters: what the meter was then (Meter.parameters), as recorded;
    address: where to ask now, if not where the testbed says.
    """

    start: Stamp
    parameters: Mapping
    address: str | None = None


def accelerator_domain(kind: str, index: int) -> str:
    """The domain of an accelerator ("gpu" or "tpu"), the same for all meters and in the records.

    index: as the maker's own tools number it (NVML's for a GPU).
    """
    return f"{kind}-{index}"


class Meter(ABC):
    """Made once per run (or idle measurement).

    `power` holds the coefficients that the testbed names; only meters that model power want it.
    Most meters are read at each sample. One with `sampled` False is asked with collect() instead,
    when the run is over; settle_s is how long after a moment its reading of that moment can be
    had. `methods` says how its readings can have come about, by the unit of the domain: it is a
    matter of the kind of meter, so that it need not be believed from a record. `packages` names
    what it reads with (PyPI names), for their versions in the manifest. single_parts: each of its
    domains is one processor package, the memory beside it or one accelerator, never more.
    """

    name: str
    methods: Mapping[str, tuple[Method, ...]] = MappingProxyType({})
    packages: tuple[str, ...] = ()
    single_parts: bool = False
    sampled: bool = True
    settle_s: float = 0.0

    @classmethod
    def method_of(cls, domain: str, unit: str, testbed: Mapping) -> Method | None:
        """The only method that this domain can have; None where there are several, or none is
        declared. testbed: its configuration as plain data."""
        possible = cls.methods.get(unit) or {one for own in cls.methods.values() for one in own}
        return next(iter(possible)) if len(possible) == 1 else None

    @classmethod
    def testbed_problems(cls, testbed: Testbed) -> list[tuple[str, str]]:
        """What it needs of a testbed that names it, before anything starts.

        (dotted key of the testbed, or "" for its own place among the meters; sentence) of each.
        """
        return []

    @classmethod
    @abstractmethod
    def probe(cls, testbed: Testbed, power: PowerParameters | None = None) -> Probe:
        """Whether it works on this machine. Never raises for what the machine lacks."""

    @classmethod
    @abstractmethod
    def open(cls, testbed: Testbed, power: PowerParameters | None = None) -> Meter:
        """Ready to read. Raises MeterError with the probe's reason where it is not available."""

    @classmethod
    def open_past(cls, testbed: Testbed, past: Past) -> Meter:
        """Ready to collect() what was measured in a run that is over, with the domains of then.

        Only for a meter that is not sampled. Raises MeterError where it cannot be asked.
        """
        raise MeterError(f"{cls.name} cannot be asked again")

    @property
    @abstractmethod
    def domains(self) -> tuple[Domain, ...]: ...

    @abstractmethod
    def read(self, load: MachineLoad) -> dict[str, float]:
        """Raw value per domain name, in the domain's unit. Missing where it could not be read.

        A modelled watt value is the mean since the last reading; a polled one is momentary.
        """

    def collect(self, start: Stamp, end: Stamp, labels: Mapping[str, str] = NO_LABELS) -> Collected:
        """Everything from a bit before `start` to `end`; may be asked again for a later end.

        labels: what tells the series of the run's containers from others' (Platform.series_labels).
        Raises MeterError where nothing can be had.
        """
        raise NotImplementedError(f"{self.name} is read at each sample")

    @property
    def devices(self) -> tuple[str, ...]:
        """Domains of accelerators whose memory and utilisation device_use() tells."""
        return ()

    def device_use(self) -> dict[str, DeviceUse]:
        """Memory and utilisation by domain. Missing where it could not be read."""
        return {}

    @property
    def parameters(self) -> dict:
        """For the manifest: what the readings depend on besides the machine."""
        return {}

    def idle_watts(self, cores: int, memory_gb: float) -> dict[str, float] | None:
        """Idle watts per domain where they are known by definition; None: they are measured."""
        return None

    def close(self) -> None:
        """Give back what open() took."""
