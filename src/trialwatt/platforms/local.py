"""This machine as a platform: process trees with their vCPU and memory limited by groups."""

from __future__ import annotations

import os
import platform
import queue
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import psutil

from trialwatt.config.models import BoardPower
from trialwatt.errors import TrialwattError
from trialwatt.finding import Finding, note, ok, problem
from trialwatt.platforms.accelerators import HIDDEN, Seat, seat_of, seats
from trialwatt.platforms.base import (
    Handle,
    Message,
    Platform,
    PlatformKind,
    Role,
    resolved,
)
from trialwatt.platforms.cgroups import container
from trialwatt.platforms.cgroups.base import Groups, Host
from trialwatt.platforms.cgroups.chooser import KINDS, choose
from trialwatt.platforms.cgroups.soft import SoftGroups
from trialwatt.platforms.cores import cores
from trialwatt.platforms.environment import Inherited, is_of_threads, thread_environment, told
from trialwatt.platforms.leftovers import left
from trialwatt.platforms.liveness import LiveRun, runtime_folder
from trialwatt.platforms.local_handle import MAX_GRACE_S, LocalHandle
from trialwatt.platforms.processes import COMPONENT_VARIABLE, RUN_VARIABLE
from trialwatt.platforms.reaping import clear, kill_processes_of, reap_dead
from trialwatt.platforms.reserve import Reserve
from trialwatt.workload.devices import device_problem

HOST = "127.0.0.1"
"""This machine, for itself alone: nobody on the network reaches what listens there."""


class LocalPlatform(Platform, PlatformKind):
    """One run on this machine. Use `open`."""

    def __init__(
        self,
        run_id: str,
        folder: Path,
        groups: Groups,
        live: LiveRun,
        passed_over: dict[str, str],
        boards: BoardPower | None = None,
        variables: Iterable[str] = (),
    ):
        self.inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._run_id, self._groups, self._live = run_id, groups, live
        self._passed_over, self._boards = passed_over, boards
        self._inherited = Inherited.of(os.environ, variables)
        self._set: dict[str, dict] = {}  # component → what it was given besides
        self._seats: dict[str, list[Seat]] = {}  # by accelerator type, once they were looked for
        self._logs = folder / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._handles: dict[str, LocalHandle] = {}
        self._limits: dict[str, dict] = {}
        self._removed, self._reserve = False, Reserve()

    # --- what can be asked before a run exists ------------------------------------------------

    @classmethod
    def testbed_problems(cls, testbed) -> list[tuple[str, str]]:
        found = []
        for index, name in enumerate(testbed.environment):
            if is_of_threads(name):
                message = "threads follow from a component's cores: take it out"
                found.append((f"environment.{index}", f"{name}: {message}"))
            elif name not in os.environ:
                message = "it is not set here: set it, or take it out"
                found.append((f"environment.{index}", f"{name}: {message}"))
        return found

    @classmethod
    def problems(cls, testbed, roles: list[Role]) -> list[str]:
        found = []
        if testbed.enforcement != "auto":
            try:
                choose(testbed.enforcement, runtime_folder())
            except TrialwattError as error:
                found.append(str(error))
        if not testbed.allow_oversubscription:
            found += _shortages(roles, len(cores()), psutil.virtual_memory().total)
        return found

    @classmethod
    def accelerator_problem(cls, testbed, accelerator: str) -> str:
        problem = device_problem(accelerator)
        if problem or accelerator == "cpu":
            return problem
        try:
            seats(accelerator, testbed.accelerator_board_w)
        except TrialwattError as error:
            return str(error)
        return ""

    @classmethod
    def reap(cls, testbed=None) -> list[str]:
        return reap_dead(runtime_folder(), Host())

    @classmethod
    def examine(cls, testbed) -> list[Finding]:
        """See PlatformKind.examine: its enforcement, and what its records of runs name."""
        runtime, host = runtime_folder(), Host()
        return [_enforcement(testbed.enforcement, runtime, host), *left(runtime, host)]

    @classmethod
    def open(cls, run_id: str, testbed, folder: Path, host: Host | None = None) -> LocalPlatform:
        """A platform for one run. Raises RunIsLive, EnforcementError.

        folder: the run's working folder; logs go to folder/logs/<component>.log.
        host: for tests, a machine that looks otherwise.
        """
        if not re.fullmatch(r"[a-z0-9-]+", run_id):
            raise TrialwattError(f"run id {run_id!r}: only a-z, 0-9 and - can be in its name")
        host, runtime = host or Host(), runtime_folder()
        choice = choose(testbed.enforcement, runtime, host)
        groups = KINDS[choice.kind](run_id, host)
        live = LiveRun.take(run_id, runtime)
        if live.traces():  # a dead run had this id
            clear(live, host)
        live.note({"kind": groups.kind}, *groups.traces())
        boards, variables = testbed.accelerator_board_w, testbed.environment
        return cls(run_id, Path(folder), groups, live, choice.passed_over, boards, variables)

    # --- the run ------------------------------------------------------------------------------

    def start(self, role: Role) -> Handle:
        component = role.component
        if self._removed:
            raise TrialwattError(f"{component} cannot be started: the run has been removed")
        before = self._handles.get(component)
        if before is not None:
            if before.alive:
                raise TrialwattError(f"{component} is running already")
            before.stop(0)
        role = resolved(role, HOST, dict.fromkeys(self._handles, HOST), sys.executable)
        environment = self._environment(role)
        if shutil.which(role.command[0], path=environment.get("PATH")) is None:
            raise TrialwattError(f"{component}: there is no program {role.command[0]}")
        self._live.note(*self._groups.trace(component))
        group = self._groups.make(component, role.cpu, role.memory_mb)
        if group.cpu_counter:
            environment[container.VARIABLE] = group.cpu_counter
        log = self._logs / f"{component}.log"
        try:
            handle = LocalHandle(role, group, self.inbox, log, environment, cores())
        except BaseException:
            group.kill()
            group.remove()
            raise
        self._handles[component] = handle
        devices = self.devices(role)
        self._limits[component] = handle.limits | ({"devices": list(devices)} if devices else {})
        return handle

    def host(self, component: str) -> str:
        """See Platform.host: all components are on this machine."""
        if component not in self._handles:
            raise TrialwattError(f"{component} has not been started: it has no address")
        return HOST

    def devices(self, role: Role) -> tuple[str, ...]:
        """See Platform.devices. Which one it is depends on the worker's index alone."""
        seat = self._seat(role) if role.kind == "worker" else None
        return () if seat is None else (seat.device,)

    def _seat(self, role: Role) -> Seat | None:
        """What a role sees: a worker its own; a driver, which may score the best model, that of
        the first worker, in whose name it then computes; other services none."""
        kind = role.accelerator
        if kind == "cpu" or (role.kind != "worker" and not role.speaks):
            return None
        if kind not in self._seats:
            self._seats[kind] = seats(kind, self._boards)
        return seat_of(kind, self._seats[kind], role.index if role.kind == "worker" else 0)

    def remove(self) -> None:
        """See Platform.remove. All components end side by side; what is left is then killed."""
        if self._removed:
            return
        self._reserve.release()
        deadline, handles = time.monotonic() + MAX_GRACE_S, self._handles.values()

        def stop(handle: LocalHandle) -> None:
            handle.stop(max(0.0, deadline - time.monotonic()))

        problems = []
        steps: list[Callable[[], object]] = [handle.terminate for handle in handles]
        steps += [partial(stop, handle) for handle in handles]
        for step in (*steps, self._groups.remove, partial(kill_processes_of, self._run_id)):
            try:
                step()
            except (TrialwattError, OSError) as error:  # the others must still go
                problems.append(str(error))
        if problems:
            raise TrialwattError("\n".join(problems))
        self._removed = True
        self._live.release()

    @property
    def facts(self) -> dict:
        """For the manifest: kind of enforcement; passed_over: better kinds, and why not those;
        components: the limits of each, as read back (cpu in cores, memory_mb, swap), and the
        devices that it sees no other of."""
        return {
            "kind": self._groups.kind,
            "passed_over": dict(self._passed_over),
            "kernel": platform.release(),
            "components": {name: dict(limits) for name, limits in self._limits.items()},
        }

    @property
    def environment(self) -> dict:
        """See Platform.environment."""
        return self._inherited.facts | {"set": self._set}

    def _environment(self, role: Role) -> dict[str, str]:
        seat = self._seat(role)
        ours = (
            thread_environment(role.cpu)
            | role.environment
            | role.secrets
            | (HIDDEN if seat is None else dict(seat.variables))
            | {RUN_VARIABLE: self._run_id, COMPONENT_VARIABLE: role.component}
        )
        self._set[role.component] = told(ours)
        return self._inherited.kept | ours


def _enforcement(wanted: str, runtime: Path, host: Host) -> Finding:
    try:
        choice = choose(wanted, runtime, host)
    except TrialwattError as error:
        return problem("control groups", str(error), "see the README on control groups")
    why = "; ".join(f"{kind}: {reason}" for kind, reason in choice.passed_over.items())
    said = f"{choice.kind}{f' ({why})' if why else ''}"
    if choice.kind == SoftGroups.kind:
        todo = "results say that limits were watched, not kept; mend one of these for better"
        return note("control groups", said, todo)
    return ok("control groups", said)


def _shortages(roles: list[Role], cores: int, memory_bytes: int) -> list[str]:
    """Where all roles together ask for more than the machine has."""
    found = []
    cpu, memory_mb = sum(role.cpu for role in roles), sum(role.memory_mb for role in roles)
    parts = f"{len(roles)} components: {', '.join(role.component for role in roles)}"
    if cpu > cores * (1 + 1e-9):
        found.append(
            f"{cpu:g} cores are needed ({parts}) and this machine has {cores}: lower the "
            "testbed's cpu_per_vcpu, workers.cpu or workers.count, or set the testbed's "
            "allow_oversubscription (it is put on the record)"
        )
    have_mb = memory_bytes >> 20
    if memory_mb > have_mb:
        found.append(
            f"{memory_mb} MB of memory are needed ({parts}) and this machine has {have_mb} MB: "
            "lower workers.memory_mb or workers.count, or set the testbed's "
            "allow_oversubscription (it is put on the record)"
        )
    return found
