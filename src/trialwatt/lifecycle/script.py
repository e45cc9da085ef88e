"""How a rule's script ends: with a message for the user and an exit code, not a traceback."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.signals import Interrupted


@contextmanager
def user_errors(log: str):
    """Print errors that are meant for the user and end the script with exit code 1.

    An interrupted script ends with 128 + the signal's number. Other exceptions are faults of
    ours and keep their traceback. The traceback of any of them is in `log`, empty otherwise.
    """
    Path(log).write_text("")
    try:
        yield
    except BaseException as error:
        Path(log).write_text(traceback.format_exc())
        said, code = _said(error)
        if not said:
            raise
        print(f"\n{said}\n", file=sys.stderr, flush=True)
        sys.exit(code)


def _said(error: BaseException) -> tuple[str, int]:
    if isinstance(error, TrialwattError):
        return str(error), 1
    if isinstance(error, OSError):
        return f"{error.filename or ''}: {error.strerror or error}", 1
    if isinstance(error, Interrupted):
        return f"{error}; its workers are gone, nothing of it is kept", 128 + error.number
    return "", 1
