"""A server that has scraped a counter at 42 W once a second, and a testbed that asks it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.meters.promserver import PromServer, failing

PACKAGE = 'kepler_node_cpu_joules_total{zone="package"}'
WATTS = 42.0


class Scrapes:
    """Of a counter at 42 W, one each second: those that were due until they are asked for.

    No thread makes them, which a busy machine could hold up.
    """

    def __init__(self):
        self._first = int(time.time())

    def __iter__(self):
        for due in range(self._first, int(time.time()) + 1):
            yield float(due), 1000 + WATTS * (due % 10**6)


@contextmanager
def scraped() -> Iterator[PromServer]:
    server = PromServer()
    server.samples[PACKAGE] = [({"node_name": "a"}, Scrapes())]
    try:
        yield server
    finally:
        server.close()


def down_at_the_end(server) -> Callable:
    """For `server.always`: it answers while a run begins, and never again."""

    def down_later(handler):
        if "query_range" not in handler.path and not any("range" in a for a, *_ in server.asked):
            return False
        return failing(503)(handler)

    return down_later


def asking(server) -> dict:
    section = {"url": server.url, "preset": "kepler", "step_s": 1, "retries": 0, "timeout_s": 60}
    return {"meters": ["prometheus", "model"], "prometheus": section}
