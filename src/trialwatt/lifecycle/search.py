"""The process of the role `search`, which is asked and told (trialwatt.suts.asktell).

Called as `python -m trialwatt.lifecycle.search HOST PORT`, with the run's key in the environment.
Ends when stdin closes: the coordinator is gone.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module

from trialwatt import suts
from trialwatt.credentials import hide_in_tracebacks, remember
from trialwatt.lifecycle.jobs import read_job
from trialwatt.suts.asked import METHODS, Asked
from trialwatt.suts.asktell import KEY, AskTell
from trialwatt.suts.asktell_link import serve


def main() -> None:
    hide_in_tracebacks()
    host, port = sys.argv[1:]
    key = os.environ.pop(KEY)
    remember(key)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    job = read_job()
    sut = suts.get(job.config.sut)()
    assert isinstance(sut, AskTell), "its roles have this process"
    for module in sut.imports:
        import_module(module)
    serve(Asked(sut, job), METHODS, host, int(port), key)


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
