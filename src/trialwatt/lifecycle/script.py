"""How a rule's script is told to end, and how it ends: with a message, not a traceback."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from trialwatt.credentials import hide_in_tracebacks, redacted
from trialwatt.errors import TrialwattError
from trialwatt.platforms.processes import WORKFLOW_PID


@contextmanager
def user_errors(log: str):
    """Print errors that are meant for the user and end the script with exit code 1.

    An interrupted script ends with 128 + the signal's number. Other exceptions are faults of
    ours and keep their traceback. The traceback of any of them is in `log`, empty otherwise; where
    the log cannot be written (a full disk), what went wrong is said all the same.
    """
    hide_in_tracebacks()
    _write(log, "")
    try:
        yield
    except BaseException as error:
        _write(log, redacted(traceback.format_exc()))
        said, code = _said(error)
        if not said:
            raise
        print(f"\n{said}\n", file=sys.stderr, flush=True)
        sys.exit(code)


def _write(log: str, text: str) -> None:
    with suppress(OSError):
        Path(log).write_text(text)


def _said(error: BaseException) -> tuple[str, int]:
    if isinstance(error, TrialwattError):
        return "\n".join([str(error), *getattr(error, "__notes__", ())]), 1
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{error.filename}: "
        return f"{where}{error.strerror or error}", 1
    if isinstance(error, Interrupted):
        return f"{error}; its workers are gone, nothing of it is kept", 128 + error.number
    return "", 1


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


def workflow_is_gone() -> bool:
    """In a rule's script: whether the workflow that started it was killed."""
    pid = os.environ.get(WORKFLOW_PID)
    if pid is None:
        return False
    try:
        return psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
