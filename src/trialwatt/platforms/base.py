"""The seam between a run and the place where it happens. A platform never learns a SUT's name."""

from __future__ import annotations

import json
import os
import queue
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trialwatt.address import bracketed
from trialwatt.clock import Stamp
from trialwatt.credentials import remember
from trialwatt.errors import TrialwattError

if TYPE_CHECKING:
    from trialwatt.finding import Finding
    from trialwatt.meters.machine import Machine


@dataclass(frozen=True)
class Role:
    """One process tree that a SUT needs, and the limits that it lives in.

    `speaks` roles follow the message protocol of trialwatt.lifecycle.worker (JSON lines on
    stdin and stdout); the others are only started and watched. After a `confirmed` role is
    started, the leading role is asked whether it has joined (Sut.confirm) before the next one is
    started. `accelerator` is the type that the run's workers hold ("cpu": none); the run sets it.

    What differs between places stands in `command` and in the values of `environment` as a token,
    which the platform replaces when it starts the role: @host@, the component's own address;
    @host:NAME@, that of a component that was started before it (an address of IPv6 in brackets
    where a port follows); @python@, the Python interpreter that has this package. `secrets` are
    variables of its environment too, as they are (tokens in them are not replaced): a platform
    never shows them, and they stand in no file of the run.
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
    secrets: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        remember(*self.secrets.values())

    @property
    def component(self) -> str:
        """The name under which the records know it."""
        return f"{self.name}-{self.index}" if self.kind == "worker" else self.name


TAIL_LINES, TAIL_BYTES = 20, 64 << 10
"""Of a component's log, in its Ending."""


def message_of(line: bytes) -> dict | None:
    """What a component's line says where it is a message, a JSON object; else it is of its log."""
    try:
        body = json.loads(line)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def tail_of(log: Path, most: int = TAIL_LINES) -> list[str]:
    """The last lines of a log."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()[-most:]


_TOKEN = re.compile(r"@(?:(?P<python>python)|host(?::(?P<name>[a-z0-9-]+))?)@")


def replaced(
    text: str, own_host: str | None, hosts: Mapping[str, str] | None, python: str | None
) -> str:
    """`text` with its tokens replaced (see Role); a kind of token that is None here stays.

    hosts: component → address. Raises TrialwattError for a component that is not among them.
    """

    def value(token: re.Match) -> str:
        if token["python"]:
            found = python
        elif token["name"] is None:
            found = own_host
        elif hosts is None:
            found = None
        elif token["name"] in hosts:
            found = hosts[token["name"]]
        else:
            raise TrialwattError(
                f"{token[0]}: no component {token['name']} was started before; there are: "
                f"{', '.join(sorted(hosts)) or 'none'}"
            )
        if found is None:
            return token[0]
        return bracketed(found) if text.startswith(":", token.end()) else found

    return _TOKEN.sub(value, text)


def resolved(
    role: Role, own_host: str | None, hosts: Mapping[str, str] | None, python: str | None
) -> Role:
    """The role with the tokens of its command and environment replaced; see `replaced`."""
    return replace(
        role,
        command=tuple(replaced(part, own_host, hosts, python) for part in role.command),
        environment={
            name: replaced(text, own_host, hosts, python) for name, text in role.environment.items()
        },
    )


@dataclass(frozen=True)
class Usage:
    """What a component has used since its start."""

    cpu_ns: int
    memory_bytes: int
    peak_memory_bytes: int

    def then(self, cpu_ns: int, memory_bytes: int, peak_memory_bytes: int) -> Usage:
        """The use after one more reading: what only grows never falls, whatever was read."""
        return Usage(
            cpu_ns=max(cpu_ns, self.cpu_ns),
            memory_bytes=memory_bytes,
            peak_memory_bytes=max(peak_memory_bytes, memory_bytes, self.peak_memory_bytes),
        )


@dataclass(frozen=True)
class Ending:
    """How a component ended: its exit code, and a reason only where it did not end by itself.

    reason: "" (exit 0), "memory" (killed for memory), "stopped" (it ended because stop() was
    called), "signal", "error" (exit code not 0). On other machines also "deadline", and those of
    LOST_PLACE and NO_PLACE. code: as a shell has it, 128 + n for signal n.
    """

    code: int
    reason: str
    tail: str = ""  # the last lines that it wrote to its log


@dataclass(frozen=True)
class Disturbance:
    """Something from outside that held up a run or slowed it down, and is over.

    what: "outage" (nobody answered), "throttled" (it was told to ask later), "restart" (a component
    was replaced), "lost" (the place of one, for good), "beside" (another coordinator's pods were on
    its nodes). since: when it began. text: of what, and why. waited: what waited for its end.
    """

    what: str
    since: Stamp
    seconds: float
    text: str
    waited: str


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

    def give(self, name: str) -> None:
        """A file of the run's folder, by its name relative to that, for the component to see.

        It is there before any later message arrives. "job.json" is given right after the start,
        and a component without the run's folder begins its command when it has come. Default:
        nothing to do, the folder is shared. Raises TrialwattError where it cannot be handed over.
        """

    def fetch(self, name: str) -> None:
        """Bring a file that the component has put under the run's folder into that of here.

        Also a file of a component that this one replaces (Role.component is the same), where the
        process had it kept (trialwatt.records.remote). Default: only looks whether it is there.
        Raises TrialwattError where it is not.
        """
        raise NotImplementedError

    @property
    @abstractmethod
    def alive(self) -> bool: ...


class Platform(ABC):
    """Made for one run. Everything that it starts carries the run id and is removed by it."""

    inbox: queue.SimpleQueue[Message]
    """Messages and endings of all components, in the order in which they came."""

    def expect(self, roles: list[Role]) -> None:
        """All roles of the run, before the first one is started and `machine` is read.

        To reserve room for them.
        """

    @abstractmethod
    def start(self, role: Role) -> Handle:
        """Start a role in its limits. Raises TrialwattError where that cannot be done.

        Of the user's environment it gets what platforms.environment lists. It also has
        TRIALWATT_RUN, TRIALWATT_COMPONENT and TRIALWATT_CPU_COUNTER (platforms.cpu_counter), and
        the numbers of threads.
        """

    @abstractmethod
    def host(self, component: str) -> str:
        """The address at which other components reach the ports of one that has been started.

        May wait until it is known. Raises TrialwattError where it was not started or is gone.
        """

    def seen(self, folder: str, data: str) -> tuple[str, str]:
        """The run's folder and the dataset, as the processes that it starts see them."""
        return folder, data

    @property
    def deploy_s(self) -> float:
        """So long it may take until all components of a run are there: far more than on a busy
        machine, and less than anybody waits for one that hangs."""
        return 600

    def disturbances(self) -> list[Disturbance]:
        """Those that were over since this was last asked."""
        return []

    def clock_offsets_ns(self) -> dict[str, int]:
        """Component → what is to be added to its monotonic stamps to be on the clock of here.

        As far as known at this moment, without waiting; a component that is left out has none.
        """
        return {}

    def clock_facts(self) -> dict:
        """For the manifest: how the offsets were measured, and how far they can be wrong.

        source; where clocks differ also uncertainty_ns and utc_offset_ns, both per component.
        """
        return {"source": "CLOCK_MONOTONIC"}

    @property
    def series_labels(self) -> dict[str, str]:
        """What tells the series of this run's containers from others' in a Prometheus."""
        return {}

    def machine(self) -> Machine:
        """What the sampler reads as the "machine" and the "harness"; default: this machine."""
        from trialwatt.meters.machine import Machine

        return Machine()

    def devices(self, role: Role) -> tuple[str, ...]:
        """The accelerators that a role holds, by the names of their power domains.

        Empty where it holds none, or where that is known only after its start. Raises
        TrialwattError where it should hold some and cannot.
        """
        return ()

    @property
    def environment(self) -> dict:
        """For the manifest: what of the user's environment reached the components.

        kept and left_out: name → value (null where it may be secret, or a place of a machine);
        set: component → the variables that it was given besides, in the same way.
        """
        return {}

    @abstractmethod
    def remove(self) -> None:
        """Remove all that this run has started; idempotent, never leaves anything behind."""

    @property
    @abstractmethod
    def facts(self) -> dict:
        """For the manifest: enforcement, kernel, limits as they are really set."""


@dataclass(frozen=True)
class Site:
    """Where the components of a remote platform run, for the record of a testbed.

    host: as a manifest has it of a machine. cores, memory_gb (2^30 bytes): what runs can have of
    it. facts: what else the record holds, by key. lacking: SUT → sentence, of those that cannot
    run there. suts: those that there are. installed: packages (versions by PyPI name) and
    code_sha256, of which it may not say one. modules: top-level names that can be imported there.
    more: what to do where one is missing.
    """

    host: dict
    cores: int
    memory_gb: float
    facts: dict
    lacking: dict[str, str]
    suts: frozenset[str]
    installed: dict
    modules: frozenset[str]
    more: str


NO_PLACE = frozenset({"image", "unschedulable", "quota", "unreachable"})
"""Reasons of an Ending that say nothing about the run's treatment: it never had its place."""
LOST_PLACE = frozenset({"evicted", "deleted", "node"})
"""Neither do these: its place was taken from outside ("node": its machine is lost)."""


class PlatformKind(ABC):
    """What can be asked of a platform before a run exists (class methods of Platform classes)."""

    remote: bool = False
    """Whether components share no host, files and programs with the coordinator (or each other)."""
    packages: tuple[str, ...] = ()
    """PyPI names of what it starts and watches components with: for their versions in run.json."""
    renewal: str = "have one state of code and packages for all processes"
    """What to do where its components have other versions than the coordinator."""

    @classmethod
    def testbed_problems(cls, testbed) -> list[tuple[str, str]]:
        """Keys of the testbed that make no sense on this platform, without asking it anything.

        (dotted key, with the number of a list's member as in meters.0; sentence) of each.
        """
        return []

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
    def reap(cls, testbed=None) -> list[str]:
        """Remove what runs of a coordinator that was killed have left; returns their run ids.

        testbed: where to look, for a platform that can be in several places.
        """

    @classmethod
    def examine(cls, testbed) -> list[Finding]:
        """What it needs to serve this testbed, and what dead runs have left; changes nothing."""
        return []

    @classmethod
    def site(cls, testbed) -> Site:
        """Of a remote platform: where its components run. Raises TrialwattError."""
        raise NotImplementedError

    @classmethod
    def share(cls, testbed, data: Path) -> dict[str, str]:
        """Of a remote platform: bring a dataset to where components of all runs can fetch it.

        Returns what there is to be noted of it, nothing secret. Raises TrialwattError.
        """
        raise NotImplementedError

    @classmethod
    def unshare(cls, testbed) -> list[str]:
        """Of a remote platform: remove what runs share; a sentence for each thing that was there.

        Raises TrialwattError where something is not gone in time.
        """
        raise NotImplementedError

    @classmethod
    def build_image(cls, project: Path, arguments: Sequence[str] = ()) -> None:
        """Of a remote platform: build what its components run from, of the project's folder.

        arguments: for the program that builds it. Raises TrialwattError.
        """
        raise NotImplementedError

    @classmethod
    @abstractmethod
    def open(cls, run_id: str, testbed, folder: Path) -> Platform: ...
