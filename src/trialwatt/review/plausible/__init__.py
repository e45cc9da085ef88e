"""Could these records be of real runs? What contradicts itself, its configuration, or hardware.

A forger who makes every checksum anew, and all that follows from the records, still has to make
the records agree with each other. That they are genuine is said nowhere: nothing can tell that.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping

from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.provenance import crate
from trialwatt.provenance.foreign import read_json
from trialwatt.records.manifest import MANIFEST
from trialwatt.review.plausible import cpu, manifest, meters, power, times, trials
from trialwatt.review.plausible.run import Fault, Run, at, read
from trialwatt.review.structure import Problem
from trialwatt.review.tree import RESULTS, Tree, run_folders

_CHECKS: tuple[Callable[[Run], Iterator[Fault]], ...] = (
    manifest.identity_faults,
    manifest.host_faults,
    meters.methods_faults,
    manifest.workers_faults,
    meters.sampling_faults,
    power.modelled_faults,
    power.faults,
    cpu.faults,
    trials.faults,
    trials.scores_faults,
)
_NO_RESULT = "failed"
_SENTENCE = 400
_FILE = re.compile(r"(run\.json|(?:records|samples|collected-[\w.-]+)/[\w.-]+): (.*)", re.DOTALL)


def check_plausible(tree: Tree, now_ns: int | None = None) -> Iterator[Problem]:
    """Every run of the plan; a problem names the file, and in it the line or the key.

    now_ns: this moment, UTC (default: by this machine's clock). A run that failed is no result,
    and is not looked at.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    actions, runs = _actions(tree), []
    for folder in sorted({one for own in run_folders(tree).values() for one in own}):
        place = tree.results / folder
        try:
            run = read(
                place,
                testbed=_testbed(tree, folder),
                power=tree.plan.power,
                action=actions.get(f"{RESULTS}/{folder}", {}),
            )
        except TrialwattError as error:
            yield _unreadable(folder, str(error).replace(f"{place}/", ""))
            continue
        if run.manifest.get("status") == _NO_RESULT:
            continue
        runs.append(run)
        yield from (_problem(folder, fault) for fault in faults_of(run, now_ns))
    for run, fault in manifest.together_faults(runs):
        yield _problem(run.folder.relative_to(tree.results).as_posix(), fault)


def faults_of(run: Run, now_ns: int) -> Iterator[Fault]:
    """What cannot be in the records of one run."""
    for check in (*_CHECKS, lambda one: times.faults(one, now_ns)):
        yield from _guarded(check, run)


def _guarded(check: Callable[[Run], Iterator[Fault]], run: Run) -> Iterator[Fault]:
    """What a check finds; where it stumbles over a stranger's values, that is what it found."""
    try:
        yield from check(run)
    except TrialwattError as error:
        yield Fault(MANIFEST, str(error))
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        kind = type(error).__name__
        yield Fault(MANIFEST, f"or its records hold a value that no run writes ({kind}: {error})")


def _problem(folder: str, fault: Fault) -> Problem:
    return Problem(f"{RESULTS}/{folder}/{fault.file}", shown(fault.said, _SENTENCE))


def _unreadable(folder: str, said: str) -> Problem:
    named = _FILE.match(said)
    file, text = named.groups() if named else (MANIFEST, said)
    return _problem(folder, Fault(file, text))


def _testbed(tree: Tree, folder: str) -> Mapping:
    """The record of the testbed that a run's folder names; empty where there is none."""
    parts = folder.split("/")
    name = parts[1] if len(parts) > 1 else ""
    try:
        found = read_json(tree.results / "testbeds" / f"{name}.json")
    except TrialwattError:
        return {}  # whether it is there is asked elsewhere
    return found if isinstance(found, dict) else {}


def _actions(tree: Tree) -> dict[str, dict]:
    """Run's folder in the archive → when it was, by the archive's RO-Crate, and its own date."""
    if not tree.is_archive:
        return {}
    try:
        entities = at(read_json(tree.root / crate.NAME), "@graph")
    except TrialwattError:
        return {}  # told where the listing is checked
    known = [one for one in entities if isinstance(one, dict)] if isinstance(entities, list) else []
    dates = [one.get("datePublished") for one in known if one.get("@id") == "./"]
    published = {"datePublished": dates[0]} if dates else {}
    return {
        str(one.get("@id")).removeprefix("#"): one | published
        for one in known
        if str(one.get("@id")).startswith(f"#{RESULTS}/")
    }
