"""Where a SUT puts what a run needs beside its own folder, on whatever machine it asks."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def scratch(sut: str, run_id: str) -> Path:
    """A folder of this run and SUT, the same for all its processes on a machine; not made here.

    Its path is short, and in a place that every user can enter: a socket's path has 107 bytes at
    most, of which Ray needs 64, and PostgreSQL may have to run as another user.
    """
    base = Path("/tmp")
    if not os.access(base, os.W_OK):
        base = Path(tempfile.gettempdir())
    return base / f"tw-{sut}-{hashlib.sha256(run_id.encode()).hexdigest()[:10]}"
