"""What the workers of a run train on: looked at before it starts, made where it is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from trialwatt.config.models import Function, Workload
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256, whole
from trialwatt.workload.prepared import check, facts
from trialwatt.workload.split import validation_counts

EXAMINE_S = 300
"""For a user's module to be imported: it may bring large libraries."""


def identified(workload: Workload, path: Path) -> dict[str, str]:
    """Name and SHA-256 of the prepared dataset, or of the function and its source, for run.json.

    Raises TrialwattError where the file is not what it should be, or does not fit the workload.
    """
    if workload.trial is not None:
        if sha256(path) != workload.trial.sha256:
            raise TrialwattError(
                f"{path}: is not the module that was planned, it has changed; delete it, so that it"
                " is made anew"
            )
        return {"name": workload.trial.name, "sha256": workload.trial.sha256}
    known = facts(path)
    check(path)
    validation_counts(known.train_per_class, workload.validation_share)
    return {"name": known.name, "sha256": known.sha256}


def take_in(function: Function, source: Path, output: Path, *, imports: bool) -> None:
    """Copy the source of a function to `output`, once its module has been imported on its own.

    imports: not where the module's packages are in the image of another machine. Raises
    TrialwattError where it has changed since it was planned, or cannot be used.
    """
    with whole(output) as partial:
        partial.write_bytes(source.read_bytes())
        if sha256(partial) != function.sha256:
            raise TrialwattError(f"{source}: has changed while it was looked at; start again")
        if imports:
            _imported(function, partial)


def _imported(function: Function, source: Path) -> None:
    """In a process of its own: a user's module may do anything as it is imported."""
    command = [sys.executable, "-m", "trialwatt.workload.examined", str(source)]
    try:
        done = subprocess.run(
            [*command, function.model_dump_json()],
            capture_output=True,
            text=True,
            timeout=EXAMINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        name = function.name.partition(":")[0]
        raise TrialwattError(
            f"{name}.py: its import takes longer than {EXAMINE_S} s; what it does at its top level"
            " belongs into load()"
        ) from error
    if done.returncode:
        raise TrialwattError(done.stderr.strip() or f"{source}: cannot be imported")
