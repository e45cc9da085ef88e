"""`trialwatt measure -- python my_script.py`: what a program and all that it starts draw."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from trialwatt.files import write_whole
from trialwatt.measure.places import MeasureError
from trialwatt.measure.session import Measure

SIGNALLED = 128
"""Exit status of a program that a signal has ended, less its number: as a shell gives it."""


def measure_command(command: Sequence[str], json: Path | None, options: dict[str, Any]) -> int:
    """Run the program to its end, and say on stderr what it cost; returns its exit status.

    An interrupt reaches the program from the terminal, and a SIGTERM from here: what was measured
    till its end is said. json: a file for the result. Raises MeasureError where the program cannot
    be started.
    """
    if json is not None and not json.absolute().parent.is_dir():
        raise MeasureError(f"--json {json}: there is no folder {json.absolute().parent}")
    if shutil.which(command[0]) is None:
        raise MeasureError(f"{command[0]}: there is no such program")
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, _: FrameType | None) -> None:
        if child is not None:
            child.send_signal(number)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, forward),
    }
    try:
        with Measure(**options) as block:
            try:
                child = subprocess.Popen(command)
            except OSError as error:
                raise MeasureError(f"{command[0]}: cannot be run: {error.strerror}") from error
            status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if json is not None:
        write_whole(json, block.result.to_json())
    return SIGNALLED - status if status < 0 else status
