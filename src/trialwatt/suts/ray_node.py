"""The process of a head or a worker's raylet: Ray's own `ray start --block`, within a run.

Called as `python -m trialwatt.suts.ray_node SCRATCH HEAD ARGUMENTS…`, where HEAD is the host:port
that must answer first ("" for the head itself) and ARGUMENTS are those of `ray start`. Ends when
stdin closes: the coordinator is gone.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

POLL_S = 0.1


def main() -> None:
    scratch, head, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    Path(scratch).mkdir(mode=0o700, exist_ok=True)  # Ray lets everyone into the folder inside it
    if head:
        _wait_for(head)
    from ray.scripts.scripts import main as ray

    sys.argv = ["ray", "start", *arguments]
    ray()


def _end_with_stdin() -> None:
    # Not sys.stdin: a thread that is in it would hold its lock when the interpreter ends.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _wait_for(address: str) -> None:
    host, port = address.split(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            time.sleep(POLL_S)


if __name__ == "__main__":
    main()
