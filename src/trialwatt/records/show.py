"""`trialwatt show`: a file of a run, from where it lies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TextIO

from trialwatt.errors import TrialwattError
from trialwatt.printable import printable, shown
from trialwatt.provenance.place import run_folder_of
from trialwatt.records.sealed import record_file


def show(path: Path, out: TextIO) -> None:
    """Print the file of this path in a run's folder, plain or sealed: byte by byte into a file or
    pipe, without what would steer a terminal into one.

    Raises TrialwattError where it is of no run, or there is no such file.
    """
    folder = run_folder_of(path)
    if folder is None:
        raise TrialwattError(f"{shown(path, 500)}: lies in no run's folder (there is no run.json)")
    file = record_file(folder, Path(os.path.relpath(path.absolute(), folder)).as_posix())
    if not file.is_file():
        raise TrialwattError(f"{shown(path, 500)}: there is no such file, plain or sealed")
    with file.open("rb") as data:
        if not out.isatty():
            shutil.copyfileobj(data, out.buffer)
            return
        for line in data:
            print(printable([line.decode("utf-8", "replace").rstrip("\n")]), file=out)
