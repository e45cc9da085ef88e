"""Ctrl-C and `kill`, turned into an exception that lets undeploy run."""

from __future__ import annotations

import signal
from contextlib import contextmanager


class Interrupted(BaseException):
    """The run was told to stop; like KeyboardInterrupt, no handler of errors may catch it."""

    def __init__(self, number: int):
        self.number = number
        super().__init__(f"interrupted by {signal.Signals(number).name}")


@contextmanager
def trapped(signals=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
    """Raise Interrupted on the first of these signals; the later ones do not disturb undeploy."""

    def handler(number, _frame):
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    before = {each: signal.signal(each, handler) for each in signals}
    try:
        yield
    finally:
        for each, old in before.items():
            signal.signal(each, old)
