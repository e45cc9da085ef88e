"""Control groups version 2 that the user's systemd makes for us: one scope per component."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from trialwatt.platforms.cgroups.base import (
    PERIOD_US,
    EnforcementError,
    Groups,
    Host,
    quota_us,
)
from trialwatt.platforms.cgroups.counters import Counters
from trialwatt.platforms.cgroups.tree import v2_hierarchy, v2_path
from trialwatt.platforms.cgroups.v2 import V2Group
from trialwatt.platforms.processes import signal_all

HOLDER = "trialwatt-holder"

SCOPE_GATE = """\
( trap "" TERM HUP INT; read -r _ <"/proc/self/fd/$1" ) </dev/null >/dev/null 2>&1 &
path=$(sed -n 's/^0:://p' "$2/self/cgroup")
TRIALWATT_CPU_COUNTER="cpustat:$3$path/cpu.stat"; export TRIALWATT_CPU_COUNTER
shift 3
read -r _ || exit 125; exec "$@"
"""
"""Launcher inside a scope: a holder, the name of the counter, then the gate.

systemd removes a scope with its last process, and the counters with it. So a small process
(the holder, a waiting shell) stays in it until the coordinator closes its end of a pipe, be it
because the last reading is taken or because it died.
"""

START_S, VANISH_S = 10.0, 3.0


class SystemdGroups(Groups):
    kind = "systemd"

    def __init__(self, run_id: str, host: Host):
        hierarchy = v2_hierarchy(host.proc)
        if hierarchy is None:
            raise EnforcementError("no version 2 hierarchy is mounted")
        if shutil.which(host.systemd_run) is None:
            raise EnforcementError("systemd-run is not installed")
        self._run_id, self._host, self._mount = run_id, host, hierarchy.mount

    def trace(self, component: str) -> list[dict]:
        return [{"unit": self._unit(component)}]

    def make(self, component: str, cpu: float, memory_mb: int) -> Scope:
        quota_us(cpu)  # the same limits, and the same message
        return Scope(self._unit(component), cpu, memory_mb, self._host, self._mount)

    def _unit(self, component: str) -> str:
        return f"trialwatt-{self._run_id}-{component}.scope"


class Scope(V2Group):
    """A group that exists from the start of its launcher on."""

    def __init__(self, unit: str, cpu: float, memory_mb: int, host: Host, mount: Path):
        super().__init__(mount / unit)  # the true folder is known when systemd has made it
        self._unit, self._cpu, self._memory_mb = unit, cpu, memory_mb
        self._host, self._mount = host, mount
        held, self._hold = os.pipe()
        self.pass_fds = (held,)
        self._main = 0
        self.cpu_counter = ""  # the launcher says it: it is not known before

    def launcher(self, command: tuple[str, ...]) -> list[str]:
        properties = {
            "CPUQuota": f"{self._cpu * 100:.1f}%",
            "CPUQuotaPeriodSec": f"{PERIOD_US}us",
            "MemoryMax": str(self._memory_mb << 20),
            "MemorySwapMax": "0",
        }
        options = [word for key, value in properties.items() for word in ("-p", f"{key}={value}")]
        return [
            *(self._host.systemd_run, "--user", "--scope", "--quiet", "--collect"),
            *(f"--unit={self._unit}", *options, "--"),
            *("sh", "-c", SCOPE_GATE, HOLDER),
            *(str(self.pass_fds[0]), str(self._host.proc), str(self._mount)),
            *command,
        ]

    def admit(self, pid: int) -> None:
        """Wait until systemd has moved the launcher, which is waiting at its gate by then."""
        deadline = time.monotonic() + START_S
        while (path := self._path_of(pid)) is None or not path.endswith("/" + self._unit):
            gone = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if gone or time.monotonic() > deadline:
                raise EnforcementError(
                    f"systemd-run --user --scope {'failed' if gone else 'did not answer'}: "
                    "it needs a user session with a D-Bus (`loginctl enable-linger`)"
                )
            time.sleep(0.01)
        self._main = pid
        self._folder = self._mount / path.lstrip("/")
        self.counters = Counters(self._folder)
        missing = [name for name in ("cpu.max", "memory.max") if not (self._folder / name).exists()]
        if missing:
            raise EnforcementError(
                f"systemd does not hand down the controllers for {', '.join(missing)}: "
                "add `Delegate=cpu memory pids` to user@.service and log in again"
            )

    def _path_of(self, pid: int) -> str | None:
        try:
            return v2_path(self._host.proc, pid)
        except FileNotFoundError:
            return None

    def pids(self) -> list[int]:
        return [pid for pid in super().pids() if self._counts(pid)]

    def _counts(self, pid: int) -> bool:
        """Whether a process is alive and not the holder: the launcher's fork, which looks like
        the launcher itself before the gate."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return False
        return pid == self._main or words[3:4] != [HOLDER.encode()]

    def kill(self) -> None:
        signal_all(self.pids, signal.SIGKILL)  # not the holder: the last reading is to come

    def remove(self) -> None:
        if self._hold is None:
            return
        os.close(self._hold)
        self._hold = None
        self.counters.close()
        super().kill()
        deadline = time.monotonic() + VANISH_S
        while self._folder.exists():
            if time.monotonic() > deadline:
                stop_unit(self._unit, self._host)
                return
            time.sleep(0.01)


def stop_unit(unit: str, host: Host) -> None:
    """Kill a scope that was left behind; one that is gone already is no error."""
    for command in (["kill", "--signal=SIGKILL"], ["stop"], ["reset-failed"]):
        with contextlib.suppress(FileNotFoundError):  # no systemctl: then there is no scope
            subprocess.run(
                [host.systemctl, "--user", *command, unit],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=10,
            )
