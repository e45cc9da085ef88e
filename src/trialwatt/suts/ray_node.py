"""The process of a head or a worker's raylet: Ray's own `ray start --block`, within a run.

Called as `python -m trialwatt.suts.ray_node RUN_ID OWN HEAD ARGUMENTS…`: OWN is the host:port of
its raylet, HEAD that of the head ("" for the head itself), ARGUMENTS are those of `ray start`. Ends
when stdin closes: the coordinator is gone.

The run's scratch folder on this machine has Ray's sockets and logs, and in the driver Tune's state:
it is not in the run's own, since Tune writes pickles, which records must not hold.

A raylet is started when the head answers, and the ones of a machine one after another: the next
when the port of the last one is open. What comes before and after that they do side by side.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from trialwatt.address import parted
from trialwatt.errors import TrialwattError
from trialwatt.filelock import PLAIN, flocked
from trialwatt.platforms.base import tail_of
from trialwatt.private import made_private
from trialwatt.suts.services import scratch, when_stdin_closes

SUT = "ray"
POLL_S = 0.1
WATCHED = ("raylet", "gcs_server")
WATCH_S = 5.0
LOG_LINES = 200
MESSAGE = re.compile(r"\[\d{4}-\d\d-\d\d ")
"""How a message of Ray's begins: what comes after a fatal one are its details, and the stack."""


def main() -> None:
    run_id, own, head, *arguments = sys.argv[1:]
    when_stdin_closes(lambda: os.kill(os.getpid(), signal.SIGTERM))
    folder = scratch(SUT, run_id)
    try:
        made_private(folder)  # Ray lets everyone into the folder inside it
        from ray.scripts.scripts import main as ray

        threading.Thread(target=_watch, args=(folder / "ray",), daemon=True).start()
        keep_address()
        if head:
            _wait_for(head)
            _take_turn(folder / "turn", own)
    except TrialwattError as error:
        sys.exit(str(error))
    sys.argv = ["ray", "start", *arguments, "--temp-dir", str(folder / "ray")]
    ray()


def _watch(session: Path) -> None:
    """End this process where one of Ray's that it has started is dead and Ray does not see it.

    `ray start` sees that only when it has started all: before, it waits for the dead one to answer,
    for as long as the run may last.
    """
    known: dict[int, tuple[str, psutil.Process]] = {}
    before: set[int] = set()
    while True:
        time.sleep(WATCH_S)
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if child.pid not in known and (name := child.name()) in WATCHED:
                    known[child.pid] = name, child
        dead = {pid for pid, (_, child) in known.items() if not _lives(child)}
        if found := dead & before:  # Ray looks each second, where it looks
            name, _ = known[found.pop()]
            print(f"Ray's {name} has ended: {_last_words(session, name)}", file=sys.stderr)
            sys.stderr.flush()
            os._exit(1)
        before = dead


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _last_words(session: Path, name: str) -> str:
    for log in (session / "session_latest" / "logs" / f"{name}.{kind}" for kind in ("err", "out")):
        with suppress(OSError):
            if words := [line for line in tail_of(log, LOG_LINES) if line.strip()]:
                return [*words, *filter(MESSAGE.match, words)][-1].strip()
    return "it has written nothing"


def keep_address() -> None:
    """Have Ray take the address of this node in this process as it is given.

    Ray turns 127.0.0.1 into the machine's outer address, and at every other one than 127.0.0.1 its
    servers listen on all interfaces: that is theirs to choose, and no option of theirs says other.
    """
    from ray._private import services

    services.resolve_ip_for_localhost = lambda host: host


def _take_turn(lock: Path, own: str) -> None:
    """Wait until no other raylet is being started; the turn ends when this one can be reached."""
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | PLAIN, 0o600)
    flocked(fd, lock, wait=True)

    def end() -> None:
        _wait_for(own)
        os.close(fd)

    threading.Thread(target=end, daemon=True).start()


def is_open(address: str) -> bool:
    """Whether someone listens at this host:port."""
    try:
        socket.create_connection(parted(address), timeout=1).close()
    except OSError:
        return False
    return True


def _wait_for(address: str) -> None:
    while not is_open(address):
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
