"""A wall clock of a command's own that can be set: the machine's is not touched.

All its processes are given a library (clock.c) that adds what stands in a file to the wall clock;
the monotonic clock goes on, as it does where a real clock is set, and files have the times of the
real one. libfaketime, of which one thinks first, breaks the sleep of Python 3.11 (version 0.9.10).
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")
FILE = "TRIALWATT_FAULT_CLOCK"
"""Environment variable: the file, a number of seconds as eight bytes."""
VARIABLES = ("LD_PRELOAD", FILE)


def environment(file: Path) -> dict[str, str]:
    """The variables of processes whose clock is set by that file; it is right at first."""
    library = file.with_suffix(".so")
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"]
    subprocess.run(command, check=True)
    file.write_bytes(bytes(8))
    return dict(zip(VARIABLES, (str(library), str(file)), strict=True))


def put(file: Path, seconds: int) -> None:
    """The clock is off by so much from now on."""
    with file.open("r+b") as opened:
        opened.write(struct.pack("q", seconds))


def missing() -> str:
    return "" if shutil.which("cc") else "a clock that jumps needs a C compiler (cc)"
