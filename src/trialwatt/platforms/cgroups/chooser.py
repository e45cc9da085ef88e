"""Which kind of enforcement this machine offers, found by trying, the best first."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from trialwatt.platforms.cgroups.base import EnforcementError, Group, Groups, Host, cause
from trialwatt.platforms.cgroups.soft import SoftGroups
from trialwatt.platforms.cgroups.systemd import SystemdGroups
from trialwatt.platforms.cgroups.v1 import V1Groups
from trialwatt.platforms.cgroups.v2 import V2Groups
from trialwatt.platforms.liveness import PROBE, LiveRun

KINDS: dict[str, Callable[[str, Host], Groups]] = {
    kind.kind: kind for kind in (V2Groups, SystemdGroups, V1Groups, SoftGroups)
}
"""In the order of preference."""

PROBE_CPU, PROBE_MEMORY_MB = 0.5, 64

_numbers = itertools.count()


class Choice(NamedTuple):
    kind: str
    passed_over: dict[str, str]  # better kinds → why this machine does not have them


def choose(wanted: str, runtime: Path, host: Host | None = None) -> Choice:
    """The wanted kind, or for "auto" the best that works. Raises EnforcementError."""
    host = host or Host()
    if wanted != "auto":
        try:
            probe(wanted, runtime, host)
        except EnforcementError as error:
            raise EnforcementError(
                f"testbed.enforcement: {wanted} cannot be had on this machine: {error}. "
                "Mend that, or set it to auto."
            ) from error
        return Choice(wanted, {})
    passed_over = {}
    for kind in KINDS:
        try:
            probe(kind, runtime, host)
        except EnforcementError as error:
            passed_over[kind] = str(error)
        else:
            return Choice(kind, passed_over)
    raise EnforcementError("; ".join(f"{kind}: {reason}" for kind, reason in passed_over.items()))


def probe(kind: str, runtime: Path, host: Host) -> None:
    """Really make a group, run a process in it, compare the limits. Raises EnforcementError,
    whatever part of that this machine refuses."""
    run_id = f"probe-{os.getpid()}-{next(_numbers)}"
    with _refusals():
        groups = KINDS[kind](run_id, host)
    live = LiveRun.take(run_id, runtime)
    live.note(*groups.traces(), *groups.trace("probe"), PROBE)
    try:
        with _refusals():
            _try(groups)
    finally:
        with _refusals():
            groups.remove()
        live.release()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnforcementError(f"its files cannot be used ({cause(error)})") from error


def _try(groups: Groups) -> None:
    group = groups.make("probe", PROBE_CPU, PROBE_MEMORY_MB)
    try:
        _run(group)
        if groups.kind != SoftGroups.kind:
            _compare(group.limits())
        _ = group.cpu_ns(), group.memory_bytes(), group.peak_bytes(), group.oom_kills()
    finally:
        group.remove()


def _run(group: Group) -> None:
    """A process that ends at once, through the same door as every component."""
    process = subprocess.Popen(
        group.launcher(("true",)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=group.pass_fds,
        start_new_session=True,
    )
    for descriptor in group.pass_fds:
        os.close(descriptor)
    try:
        group.admit(process.pid)
        if process.pid not in group.pids():
            raise EnforcementError("a process that was put into a group is not in it")
        _, errors = process.communicate(b"\n", timeout=10)
    except (EnforcementError, subprocess.TimeoutExpired) as error:
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        said = errors.decode(errors="replace").strip()
        raise EnforcementError(f"{error} ({said})" if said else str(error)) from error
    if process.returncode != 0:
        raise EnforcementError(f"a process in a group failed: {errors.decode(errors='replace')}")


def _compare(limits: dict) -> None:
    asked = {"cpu": PROBE_CPU, "memory_mb": PROBE_MEMORY_MB}
    read = {name: limits[name] for name in asked}
    if read != asked:
        raise EnforcementError(f"limits are not kept: {asked} became {read}")
