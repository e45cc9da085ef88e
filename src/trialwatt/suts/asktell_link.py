"""Between the workers and the process that they ask: calls of one object's methods.

The connection is multiprocessing's: both ends prove with a key that they belong to the run before
anything else is read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from multiprocessing.managers import BaseManager
from typing import Any, NoReturn

from trialwatt.address import parted

POLL_S = 0.05


def serve(served: Any, methods: Sequence[str], host: str, port: int, key: str) -> NoReturn:
    """Have these methods called, for as long as the process lives."""
    manager = _manager(host, port, key, served, methods)
    manager.get_server().serve_forever()
    raise AssertionError("the server ends with the process")


def reach(address: str, key: str) -> Any:
    """What is served at host:port, once it is: its methods, which raise what they raise there.

    Where it never is, its process has ended, and the coordinator ends the run.
    """
    manager = _manager(*parted(address), key)
    while True:
        try:
            manager.connect()
            return manager.served()  # type: ignore[attr-defined]
        except OSError:  # it imports the framework; on another machine, its address is not known
            time.sleep(POLL_S)


def _manager(
    host: str, port: int, key: str, served: Any = None, methods: Sequence[str] = ()
) -> BaseManager:
    class Manager(BaseManager):
        pass

    Manager.register("served", callable=lambda: served, exposed=methods)
    return Manager((host, port), key.encode())
