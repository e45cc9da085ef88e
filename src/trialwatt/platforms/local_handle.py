"""One started role: its process, its threads for messages, how it ended, how it is ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import Ending, Handle, Message, Role, Usage, message_of, tail_of
from trialwatt.platforms.cgroups import tree
from trialwatt.platforms.cgroups.base import Group
from trialwatt.platforms.processes import signal_all

MAX_GRACE_S = 4.0
"""SIGTERM may be ignored for so long: with the kill below, gone within 10 s in any case."""

KILL_S = 5.0
DRAIN_S = 1.0
"""What a dead process had said is still in the pipe; its living children may hold that open."""

POLL_S = 0.02


class LocalHandle(Handle):
    """A process tree in its group. Exit codes are those of a shell: 128 + n for signal n.

    Three threads, all of them blocked until there is something to do: one reads messages, one
    writes them (so that `send` never waits), one waits for the end.
    """

    def __init__(
        self,
        role: Role,
        group: Group,
        inbox: queue.SimpleQueue[Message],
        log: Path,
        environment: dict[str, str],
        cores: frozenset[int],
    ):
        """log: of the component, in the folder logs of the run's folder. cores: that it may run
        on, of which its group may leave it fewer."""
        self.role = role
        self._group, self._inbox, self._log = group, inbox, log
        self._folder, self._cores = log.parents[1], cores
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._stopping = self._killed = self._removed = False
        self._stop_lock = threading.RLock()
        self._group_lock = threading.Lock()
        self._usage = Usage(0, 0, 0)
        self._oom_kills = 0
        self._process = self._launch(environment)
        self.limits = self._narrowed | group.limits()
        self._reader = self._thread(self._read) if role.speaks else None
        self._thread(self._write)
        self._waiter = self._thread(self._wait)

    # --- the seam -----------------------------------------------------------------------------

    def send(self, message: dict) -> None:
        self._outbox.put(json.dumps(message, allow_nan=False).encode() + b"\n")

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    def usage(self) -> Usage:
        with self._group_lock:
            self._observe()
            return self._usage

    def oom_kills(self) -> int:
        with self._group_lock:
            self._observe()
            return self._oom_kills

    def fetch(self, name: str) -> None:
        path = self._folder / name
        if not path.is_file():
            raise TrialwattError(f"{self.role.component} has left no file {path}")

    def terminate(self) -> None:
        """Ask it to end: close its stdin, SIGTERM to all its processes."""
        if not self._stopping:
            self._stopping = True
            self._outbox.put(None)
            signal_all(self._group.pids, signal.SIGTERM)

    def stop(self, grace_s: float = 5.0) -> Usage:
        """See Handle.stop. The grace is cut to 4 s, so that it is gone within 10 s.

        A stop that was interrupted by an exception can be called again.
        """
        with self._stop_lock:
            if self._removed:
                return self._usage
            self.terminate()
            if not self._gone_within(min(grace_s, MAX_GRACE_S)):
                self._kill()
            self._waiter.join(DRAIN_S + KILL_S)
            with self._group_lock:
                self._observe()
                self._group.remove()
                self._removed = True
            return self._usage

    # --- start --------------------------------------------------------------------------------

    def _launch(self, environment: dict[str, str]) -> subprocess.Popen:
        command = self._group.launcher(self.role.command)
        with self._log.open("ab") as log:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE if self.role.speaks else log,
                    stderr=log,
                    env=environment,
                    pass_fds=self._group.pass_fds,
                    start_new_session=True,
                )
            finally:
                for descriptor in self._group.pass_fds:
                    os.close(descriptor)
        try:
            self._settle(process.pid)
            process.stdin.write(b"\n")  # opens the gate
            process.stdin.flush()
        except BaseException as error:
            process.kill()
            process.communicate()
            if isinstance(error, TrialwattError | OSError):
                raise TrialwattError(
                    f"{self.role.component} cannot be started: {error}\n{self._tail()}"
                ) from error
            raise
        return process

    def _settle(self, pid: int) -> None:
        """Into its group, and free to run on all of its cores, wherever this thread is bound to."""
        if os.sched_getaffinity(pid) != self._cores:
            os.sched_setaffinity(pid, self._cores)
        self._group.admit(pid)
        left = os.sched_getaffinity(pid)
        self._narrowed = {"affinity": sorted(left)} if len(left) < (os.cpu_count() or 1) else {}

    def _thread(self, work) -> threading.Thread:
        name = f"{self.role.component}{work.__name__}"
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread

    # --- the threads --------------------------------------------------------------------------

    def _read(self) -> None:
        """Messages are the lines that hold a JSON object; anything else goes to the log."""
        with self._process.stdout as stdout:
            for line in stdout:
                body = message_of(line)
                if body is None:
                    with self._log.open("ab") as log:
                        log.write(line)
                elif not self._ended.is_set():  # else: a child that has outlived it
                    self._inbox.put(Message(self.role.component, body=body))

    def _write(self) -> None:
        stdin = self._process.stdin
        try:
            while (line := self._outbox.get()) is not None:
                stdin.write(line)
                stdin.flush()
            stdin.close()
        except BrokenPipeError:
            return  # it has closed its stdin or ended, and its Ending says how

    def _wait(self) -> None:
        pid = self._process.pid
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # a zombie can still be read
        try:
            with self._group_lock:
                if not self._removed:
                    self._group.main_exited(pid)
                    self._observe()
        finally:
            self._tell_ending()

    def _tell_ending(self) -> None:
        status = self._process.wait()
        if self._reader is not None:
            self._reader.join(DRAIN_S)
        self._outbox.put(None)
        code = status if status >= 0 else 128 - status
        ending = Ending(code, self._reason(code), self._tail())
        self._ended.set()
        self._inbox.put(Message(self.role.component, ending=ending))

    def _reason(self, code: int) -> str:
        killed = code == 128 + signal.SIGKILL
        if code == 0:
            return ""
        if killed and self._oom_kills and not self._killed:
            return "memory"
        if self._stopping:
            return "stopped"
        return "signal" if code > 128 else "error"

    def _tail(self) -> str:
        return "\n".join(tail_of(self._log))

    # --- its group ----------------------------------------------------------------------------

    def _observe(self) -> None:
        """Read the counters; what was read last stays when the group is gone."""
        if self._removed:
            return
        try:
            cpu_ns, memory = self._group.cpu_ns(), self._group.memory_bytes()
            peak, oom_kills = self._group.peak_bytes(), self._group.oom_kills()
        except OSError as error:
            if tree.is_gone(error):
                return  # systemd has removed the scope
            raise
        self._usage = self._usage.then(cpu_ns, memory, peak)
        self._oom_kills = max(oom_kills, self._oom_kills)

    def _gone_within(self, seconds: float) -> bool:
        deadline, pause = time.monotonic() + seconds, 0.001
        while self._group.pids():
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, POLL_S)
        return True

    def _kill(self) -> None:
        self._killed = True
        deadline = time.monotonic() + KILL_S
        while processes := self._group.pids():
            if time.monotonic() >= deadline:
                raise TrialwattError(
                    f"{self.role.component}: processes {processes} do not die of SIGKILL "
                    "(state D: they wait for a device or a file system)"
                )
            self._group.kill()
            time.sleep(POLL_S)
