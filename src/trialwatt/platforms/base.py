"""The seam between a run and the place where it happens. A platform never learns a SUT's name."""

from __future__ import annotations

import queue
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Role:
    """One process tree that a SUT needs, and the limits that it lives in.

    `speaks` roles follow the message protocol of trialwatt.lifecycle.worker (JSON lines on
    stdin and stdout); the others are only started and watched. After a `confirmed` role is
    started, the leading role is asked whether it has joined (Sut.confirm) before the next one is
    started. `accelerator` is the type that the run's workers hold ("cpu": none); the run sets it.
    """

    name: str  # "worker", "driver", "storage", "head", ...
    kind: str  # "worker" or "service"
    command: tuple[str, ...]
    cpu: float  # physical cores
    memory_mb: int
    index: int = 0
    speaks: bool = True
    confirmed: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    accelerator: str = "cpu"

    @property
    def component(self) -> str:
        """The name under which the records know it."""
        return f"{self.name}-{self.index}" if self.kind == "worker" else self.name


@dataclass(frozen=True)
class Usage:
    """What a component has used since its start."""

    cpu_ns: int
    memory_bytes: int
    peak_memory_bytes: int


@dataclass(frozen=True)
class Ending:
    """How a component ended: its exit code, and a reason only where it did not end by itself.

    reason: "" (exit 0), "memory" (killed for memory), "stopped" (it ended because stop() was
    called), "signal", "error" (exit code not 0). code: as a shell has it, 128 + n for signal n.
    """

    code: int
    reason: str
    tail: str = ""  # the last lines that it wrote to its log


@dataclass(frozen=True)
class Message:
    """A message of a component (`body`), or its end (`ending`), whichever is set."""

    component: str
    body: dict | None = None
    ending: Ending | None = None


class Handle(ABC):
    """A started role."""

    role: Role

    @abstractmethod
    def send(self, message: dict) -> None:
        """Hand it one message; does nothing if it has ended (its Ending is in the queue)."""

    @abstractmethod
    def usage(self) -> Usage:
        """CPU time and memory so far; after its end, the last values."""

    @abstractmethod
    def stop(self, grace_s: float = 5.0) -> Usage:
        """End it and all its children, remove its group; idempotent. Returns the final usage."""

    def oom_kills(self) -> int:
        """How many of its processes were killed for memory so far, also where it lives on."""
        raise NotImplementedError

    @property
    @abstractmethod
    def alive(self) -> bool: ...


class Platform(ABC):
    """Made for one run. Everything that it starts carries the run id and is removed by it."""

    inbox: queue.SimpleQueue[Message]
    """Messages and endings of all components, in the order in which they came."""

    @abstractmethod
    def start(self, role: Role) -> Handle:
        """Start a role in its limits. Raises TrialwattError where that cannot be done."""

    def devices(self, role: Role) -> tuple[str, ...]:
        """The accelerators that a role holds, by the names of their power domains.

        Empty where it holds none, or where that is known only after its start. Raises
        TrialwattError where it should hold some and cannot.
        """
        return ()

    @abstractmethod
    def remove(self) -> None:
        """Remove all that this run has started; idempotent, never leaves anything behind."""

    @property
    @abstractmethod
    def facts(self) -> dict:
        """For the manifest: enforcement, kernel, limits as they are really set."""


class PlatformKind(ABC):
    """What can be asked of a platform before a run exists (class methods of Platform classes)."""

    @classmethod
    @abstractmethod
    def problems(cls, testbed, roles: list[Role]) -> list[str]:
        """Why these roles (of one run, all at once) cannot be served here; empty if they can."""

    @classmethod
    @abstractmethod
    def accelerator_problem(cls, testbed, accelerator: str) -> str:
        """Why workers cannot have this accelerator type here; empty if they can."""

    @classmethod
    @abstractmethod
    def reap(cls) -> list[str]:
        """Remove what runs of a coordinator that was killed have left; returns their run ids."""

    @classmethod
    @abstractmethod
    def open(cls, run_id: str, testbed, folder: Path) -> Platform: ...
