"""A lock that one process of a machine holds at a time, whoever it is, and who that is.

It is an abstract Unix socket, and so no file: nobody's rights, umask, TMPDIR or private /tmp have
a part in it, nobody can remove it or keep it after death, and it is the kernel that says whose
process holds it. All processes that share the machine's network share it; a container with a
network of its own has locks of its own.
"""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time
from contextlib import suppress

import psutil

from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.private import user_name

ANSWER_S = 1.0
"""A holder answers at once, if it is one of ours."""
_QUEUE, _MOST_BYTES = 4096, 1000
"""Callers that wait while a holder is stopped; bytes of its answer."""
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class MachineLock:
    """One lock, of this process and for as long as it lives once it is taken."""

    def __init__(self, name: str, purpose: str):
        """purpose: what it is held for; told to whoever asks."""
        self._address, self._purpose = f"\0trialwatt-{name}", purpose
        self._held: socket.socket | None = None

    def take(self) -> bool:
        """Whether it is ours now. Raises TrialwattError where this machine allows no such lock."""
        try:
            self._held = self._bound()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise TrialwattError(
                f"the lock @{self._address[1:]} (an abstract Unix socket) is not allowed here "
                f"({error.strerror}): have the rules of this container or of AppArmor allow it"
            ) from error
        told = f"{self._purpose}, since {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}"
        self._answers = threading.Thread(
            target=_answer, args=(self._held, told.encode()), name="lock", daemon=True
        )
        self._answers.start()
        return True

    def give_back(self) -> None:
        """Idempotent."""
        if self._held is not None:
            self._held.shutdown(socket.SHUT_RDWR)  # wakes the thread that answers
            self._answers.join()
            self._held.close()
            self._held = None

    def holder(self) -> str:
        """Who has it: "user …, process …: what for, since …"; the first two are the kernel's word,
        the last is that of the process itself, or its command where it does not answer. The empty
        text where it is free by now."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.settimeout(ANSWER_S)
            try:
                caller.connect(self._address)
            except OSError:  # it does not listen, or has just given the lock back
                return self._silent_holder()
            peer = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
            pid, uid, _ = struct.unpack("iII", peer)
            return f"user {user_name(uid)}, {_process(pid)}: {_told(caller) or _command(pid)}"

    def _bound(self) -> socket.socket:
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            held.bind(self._address)
            held.listen(_QUEUE)
        except OSError:
            held.close()
            raise
        return held

    def _silent_holder(self) -> str:
        address = f"@{self._address[1:]}"
        try:
            found = [c.pid for c in psutil.net_connections("unix") if c.laddr == address]
        except (OSError, psutil.Error):  # not every container shows them
            found = [None]
        if not found:
            return ""
        if pid := next(filter(None, found), None):  # root can see it, and its own user
            return f"{_process(pid)}: {_command(pid)}"
        return f"a process that does not say whose it is (as root: ss -xp | grep {address})"


def _answer(held: socket.socket, told: bytes) -> None:
    """Tell each caller, until the lock is given back. Whoever does not listen is not waited for."""
    while True:
        try:
            caller, _ = held.accept()
        except OSError as error:
            if error.errno not in _NO_ROOM:
                return  # it was given back
            time.sleep(ANSWER_S)
            continue
        with caller, suppress(BrokenPipeError, BlockingIOError):  # it is gone already
            caller.send(told, socket.MSG_DONTWAIT)


def _told(caller: socket.socket) -> str:
    try:
        return shown(caller.recv(_MOST_BYTES).decode(errors="replace"), 300)
    except OSError:
        return ""


def _process(pid: int) -> str:
    return f"process {pid}" if pid else "a process of another container"


def _command(pid: int) -> str:
    try:
        process = psutil.Process(pid) if pid else None
        words = process.cmdline() if process else []
        began = process.create_time() if process else 0.0
    except psutil.Error:
        return "it does not say what for"
    if not words:
        return "it does not say what for"
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(began))
    return f"{shown(' '.join(words), 200)}, a process since {when}"
