"""Clean up after a coordinator that was killed: processes, groups and half-written folders."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from trialwatt import platforms, suts
from trialwatt.config.models import Testbed
from trialwatt.config.plan import Plan
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.jobs import JOB_FILE, job_of
from trialwatt.lifecycle.locks import measuring
from trialwatt.printable import shown
from trialwatt.private import is_owned, remove_private, user_of

PARTIAL = ".partial"
"""Folder in the results where a run lives until it is whole."""


def reap_plan(plan: Plan, all_hosts: bool = False, purpose: str = "trialwatt reap") -> list[str]:
    """`reap` where a plan's runs happen, with the measuring lock, for whose turn it waits."""
    with measuring(purpose) as beside:
        if beside:
            raise TrialwattError(f"{beside}: what is half-written may be its own; nothing was done")
        results = Path(plan.here.results)
        said = reap(results, plan.testbed.platform, plan.testbed, all_hosts)
    return said or ["nothing was left behind"]


def reap(
    results: Path, platform: str, testbed: Testbed | None = None, all_hosts: bool = False
) -> list[str]:
    """Remove what dead runs have left; returns a sentence for each. Call with the measuring lock.

    testbed: where the platform is to look, if it can be in several places. Runs that are alive on
    this machine (another user's, say) are not touched. all_hosts: on a remote platform, also what
    coordinators of other machines have left, dead or alive; raises TrialwattError on another.
    """
    kind = platforms.get(platform)
    if all_hosts and not kind.remote:
        raise TrialwattError(f"the platform {platform} has a single host: leave --all-hosts out")
    reaped = kind.reap(testbed, all_hosts=True) if all_hosts else kind.reap(testbed)
    said = [f"removed the processes of run {run}, which was cut off" for run in reaped]
    partial = results / PARTIAL
    if partial.is_symlink():
        return [*said, shown(f"left alone: {partial}: it is a link, and was not made by a run")]
    for folder in sorted(partial.glob("*")):
        said += _removed(folder)
    return said


def _removed(folder: Path) -> list[str]:
    """Remove what one run of ours has left; a sentence for each thing that was done, or not."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return [shown(f"left alone: {folder}: no folder, and so not made by a run")]
    if not is_owned(found):  # what it says of itself is that user's word
        return [shown(f"left alone: {folder}: of a run of {user_of(found.st_uid)}")]
    said = _clean(folder)
    try:
        remove_private(folder, in_link=False)
    except TrialwattError as error:
        return [*said, f"what run {folder.name} has left stays: {error}"]
    return [*said, shown(f"removed the half-written records of run {folder.name}")]


def _clean(folder: Path) -> list[str]:
    """Let the SUT remove what a run left outside its folder; says where that was not possible."""
    try:
        job = job_of(folder / JOB_FILE)
    except (FileNotFoundError, json.JSONDecodeError):
        return []  # the run was cut off before it had a whole job file
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        return [shown(f"run {folder.name} may have left something: its {JOB_FILE}: {first}", 500)]
    if job.run_id != folder.name:
        return [shown(f"the {JOB_FILE} in {folder} is of another run, {job.run_id}: left alone")]
    if job.config.sut not in suts.names():
        return []
    try:
        suts.get(job.config.sut)().clean(job)
    except (TrialwattError, OSError) as error:  # a SUT of another package may raise that
        return [shown(f"run {folder.name} may have left something: {error}")]
    return []
