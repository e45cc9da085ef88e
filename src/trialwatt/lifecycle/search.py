"""The process of the role `search`, which is asked and told (trialwatt.suts.asktell).

Called as `python -m trialwatt.lifecycle.search HOST PORT`, with the run's key in the environment.
Ends when stdin closes: the coordinator is gone.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from trialwatt import suts
from trialwatt.credentials import hide_in_tracebacks, remember
from trialwatt.lifecycle.jobs import read_job
from trialwatt.records.installation import INSTALLED, here
from trialwatt.records.writer import EventWriter
from trialwatt.suts.asked import METHODS, Asked
from trialwatt.suts.asktell import KEY, AskTell
from trialwatt.suts.asktell_link import serve
from trialwatt.suts.services import when_stdin_closes


def main() -> None:
    hide_in_tracebacks()
    host, port = sys.argv[1:]
    key = os.environ.pop(KEY)
    remember(key)
    when_stdin_closes(lambda: os._exit(0))
    job = read_job()
    sut = suts.get(job.config.sut)()
    assert isinstance(sut, AskTell), "its roles have this process"
    for module in sut.imports:
        import_module(module)
    events = EventWriter(job.path(), job.run_id, os.environ["TRIALWATT_COMPONENT"])
    events.write(INSTALLED, **here(job.packages))
    events.close()
    serve(Asked(sut, job), METHODS, host, int(port), key)


if __name__ == "__main__":
    main()
