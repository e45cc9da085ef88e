"""The command: everything that is looked at, in order, and how it is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from trialwatt import platforms
from trialwatt.config.files import plan_of_files
from trialwatt.config.plan import Plan
from trialwatt.errors import ConfigError, TrialwattError
from trialwatt.finding import Finding, note, ok, problem
from trialwatt.lifecycle.doctor.machine import machine, room
from trialwatt.lifecycle.doctor.results import results
from trialwatt.lifecycle.doctor.software import software
from trialwatt.lifecycle.reap import reap_plan
from trialwatt.platforms.liveness import living_and_dead, runtime_folder
from trialwatt.printable import shown
from trialwatt.suts.services import scratch_left

_MOST = 1000
"""Characters of a finding: some are of a stranger's files."""


def doctor_command(
    configfiles: list[Path], testbed: str | None, fix: bool, say: Callable[[str], object]
) -> int:
    """Says each finding as it is found; returns the exit code. Raises TrialwattError with `fix`
    where nothing could be removed."""
    found = []
    for finding in examined(configfiles, testbed, fix):
        found.append(finding)
        say(said(finding))
    problems, notes = (sum(one.state == state for one in found) for state in ("problem", "note"))
    say(f"{problems or 'no'} problem{'' if problems == 1 else 's'}, {notes} to note")
    return 1 if problems else 0


def said(finding: Finding) -> str:
    """A line, and what to do below it."""
    line = f"{finding.state:<8} {finding.subject}: {shown(finding.said, _MOST)}"
    return f"{line}\n{'':<8} → {shown(finding.todo, _MOST)}" if finding.todo else line


def examined(configfiles: list[Path], testbed: str | None, fix: bool) -> Iterator[Finding]:
    """All findings. One part that cannot be looked at does not stop the others."""
    plan, wrong = _plan(configfiles, testbed)
    yield from wrong
    if plan is None:
        yield from software(Path.cwd(), ())
        return
    if fix:
        yield from (
            ok("reap", sentence) for sentence in reap_plan(plan, purpose="trialwatt doctor")
        )
    suts = dict.fromkeys(one.sut for one in plan.configurations.values())
    kind = platforms.get(plan.testbed.platform)
    here: Iterable[Finding] = machine(plan.testbed, plan.power_model, Path(plan.here.results))
    if kind.remote:
        here = room(Path(plan.here.results))
    yield from software(Path.cwd(), () if kind.remote else suts)
    yield from here
    yield from chain(_platform(plan), _scratch(), results(plan))


def _plan(files: list[Path], testbed: str | None) -> tuple[Plan | None, list[Finding]]:
    """The plan, also where this machine could not run it; None where it is wrong on any."""
    try:
        plan = plan_of_files(files, testbed=testbed)
    except ConfigError as error:
        wrong = [problem("configuration", str(each), "correct it") for each in error.problems]
        try:
            return plan_of_files(files, testbed=testbed, ask_platform=False), wrong
        except ConfigError:
            return None, wrong
    return plan, [ok("configuration", f"{len(plan.configurations)} can be run here")]


def _platform(plan: Plan) -> Iterator[Finding]:
    try:
        yield from platforms.get(plan.testbed.platform).examine(plan.testbed)
    except TrialwattError as error:
        yield problem(plan.testbed.platform, str(error), "mend that, and call this again")


def _scratch() -> Iterator[Finding]:
    living, _ = living_and_dead(runtime_folder())
    for folder in scratch_left(living):
        todo = (
            f"`trialwatt reap` removes it with its run's records; if they are gone: rm -r {folder}"
        )
        yield note("left over", f"{folder}, of a run that is not on record here", todo)
