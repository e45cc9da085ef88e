"""The end of an experiment: what failed for good is said, with what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.records.outcome import FAILED, outcome


def write_summary(folders: Iterable[Path], path: Path) -> None:
    """Write {"runs": n, "failed": 0}. Raises TrialwattError naming the runs that failed."""
    folders = sorted(folders)
    failed = {folder: one for folder in folders if (one := outcome(folder)).status == FAILED}
    if failed:
        each = "\n".join(f"  {folder}: {one.reason}" for folder, one in failed.items())
        raise TrialwattError(
            f"{len(failed)} of {len(folders)} runs failed twice; tables and figures show the "
            f"holes:\n{each}\nRemove a folder to try its run again."
        )
    write_whole(path, json.dumps({"runs": len(folders), "failed": 0}) + "\n")
