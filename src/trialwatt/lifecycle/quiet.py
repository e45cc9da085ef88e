"""Before anything is measured: wait until others leave the machine quiet, or refuse to start."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import psutil

from trialwatt import platforms
from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.script import workflow_is_gone
from trialwatt.meters.machine import MOST_FOREIGN, Machine
from trialwatt.printable import shown

WINDOW_S = 2.0
"""Over which CPU time is looked at."""
ASK_S = 60.0
"""How often who waits says again for whom."""
NAMED = 5
"""So many processes are named, if they take LEAST of a core."""
LEAST = 0.02
_NS = 1e9


def wait_until_quiet(testbed: Testbed, testbed_name: str, beside: bool = False) -> str:
    """Return once at most MOST_FOREIGN of the machine's CPU time is foreign.

    What this process and its children use is not. Says on stderr for whom it waits. Returns an
    empty text; or, where the time is over and the testbed allows a busy machine, or the user wants
    to measure `beside` another run, what is to be put on record. Raises TrialwattError where it
    does not, or the workflow has ended meanwhile. Does not look where the run's machines are other
    ones, and where a busy one is allowed and no time is to be spent.
    """
    allowed = testbed.allow_busy_machine or beside
    if platforms.get(testbed.platform).remote or (allowed and not testbed.quiet_wait_s):
        return ""
    over_at, ask_at, said = time.monotonic() + testbed.quiet_wait_s, 0.0, set[int]()
    while (found := foreign_now()).share > MOST_FOREIGN:
        if workflow_is_gone():
            raise TrialwattError("the workflow was killed; nothing was started")
        if (moment := time.monotonic()) >= over_at:
            return _over(found, testbed, testbed_name, allowed)
        pids = {each.pid for each in found.busiest}
        if moment >= ask_at or pids - said:
            ask_at, said = moment + ASK_S, said | pids
            left = f"{over_at - moment:.0f} s at most"
            print(f"waiting ({left}) for a quiet machine: {found}", file=sys.stderr, flush=True)
    return ""


def _over(found: Foreign, testbed: Testbed, name: str, allowed: bool) -> str:
    waited = f"waited {testbed.quiet_wait_s:g} s"
    if allowed:
        print(
            f"warning: {waited}; now measures beside others: {found}", file=sys.stderr, flush=True
        )
        # It names nobody, for records are published.
        return f"started on a busy machine (foreign CPU time {found.share:.0%}), as was allowed"
    raise TrialwattError(
        f"the machine is busy: {found}. This run has {waited} for at most {MOST_FOREIGN:.0%}; "
        "nothing was started. End these processes or have their users do so; or, in "
        f"config/testbeds/{name}.yaml, raise quiet_wait_s, or set allow_busy_machine: true, which "
        "results tell: runs with more foreign CPU time are flagged."
    )


# --- one look ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Busy:
    """A process of somebody else; cores: how many it kept busy."""

    pid: int
    name: str
    user: str
    cores: float

    def __str__(self) -> str:
        who = f"process {self.pid} of user {shown(self.user, 40)}"
        return f"{shown(self.name, 40)} ({who}, {self.cores:.0%} of a core)"


@dataclass(frozen=True)
class Foreign:
    """share: foreign CPU time ÷ what the machine can give; stolen: the part that was stolen."""

    share: float
    stolen: float
    busiest: tuple[_Busy, ...]

    def __str__(self) -> str:
        said = [str(each) for each in self.busiest]
        if self.stolen > LEAST:
            said.append(f"the hypervisor, which gives {self.stolen:.0%} to other machines")
        who = ", ".join(said) or "none of the processes that can be seen from here is busy"
        return f"others take {self.share:.0%} of its CPU time: {who}"


def foreign_now() -> Foreign:
    """What others used within WINDOW_S, from now on."""
    machine = Machine()
    try:
        before, others = _counters(machine), _others()
        time.sleep(WINDOW_S)
        after, later = _counters(machine), _others()
    finally:
        machine.close()
    elapsed, busy, stolen, own = (y - x for x, y in zip(before, after, strict=True))
    whole = machine.cores * elapsed
    used = [
        _Busy(pid, name, user, (cpu - others.get(key, (0.0,))[0]) / (elapsed / _NS))
        for key, (cpu, pid, name, user) in later.items()
    ]
    busiest = sorted((one for one in used if one.cores > LEAST), key=lambda one: -one.cores)
    share = max(0.0, busy - own) + stolen
    return Foreign(share / whole, stolen / whole, tuple(busiest[:NAMED]))


def _counters(machine: Machine) -> tuple[float, float, float, float]:
    """Now: the clock, and CPU time of the machine, stolen, and of our own processes, in ns."""
    own = psutil.Process()
    used = sum(own.cpu_times()[:4])  # of children that have ended, too
    for child in own.children(recursive=True):
        try:
            used += sum(child.cpu_times()[:4])
        except psutil.NoSuchProcess:  # it ends, and is one of those
            continue
    return time.monotonic_ns(), machine.busy_ns(), machine.stolen_ns(), used * _NS


def _others() -> dict[tuple[int, float], tuple[float, int, str, str]]:
    """Processes that are not ours: CPU time in s, pid, name, user; by pid and when they began."""
    own = psutil.Process()
    ours = {own.pid, *(child.pid for child in own.children(recursive=True))}
    asked = ["pid", "name", "username", "cpu_times", "create_time"]
    found = {}
    for process in psutil.process_iter(asked):
        told = process.info
        if told["pid"] not in ours and told["cpu_times"] is not None:
            cpu = told["cpu_times"].user + told["cpu_times"].system
            who = told["pid"], told["name"] or "?", told["username"] or "?"
            found[told["pid"], told["create_time"]] = (cpu, *who)
    return found
