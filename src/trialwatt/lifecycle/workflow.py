"""What surrounds all runs of one workflow call: the results lock, signals, the closing list."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from trialwatt.config.files import rule_of
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.announce import Wanted, write_planned
from trialwatt.lifecycle.forecast import forecast_text
from trialwatt.lifecycle.locks import hold_results
from trialwatt.platforms.processes import WORKFLOW_PID


def asked_for(plan, named: list[str], arguments: list[str]) -> list[str]:
    """The experiments that a call is about: those that its targets name, where they name nothing
    else (`snakemake r_mem`), else all of the plan.

    named: the experiments among the arguments of Snakemake.
    """
    if named:
        from snakemake.cli import get_argument_parser

        known, _ = get_argument_parser().parse_known_args(arguments)
        if set(known.targets) == {rule_of(name) for name in named}:
            return named
    return list(plan.experiments)


def started(plan, asked: list[str]) -> None:
    """Called once before the first rule: lock the results, watch for signals, note the plan.

    asked: the experiments that the call is about; the runs of these are counted. Ends the process
    with a message if another workflow writes to the same results.
    """
    try:
        hold_results(plan.here.results)
    except TrialwattError as error:
        print(error, file=sys.stderr)
        os._exit(1)  # Snakemake would wrap an exception into its own traceback
    os.environ[WORKFLOW_PID] = str(os.getpid())
    logging.getLogger("snakemake.logging").addFilter(_tells_something)
    suts = {folder: one.sut for folder, one in plan.configurations.items()}
    write_planned(
        Path(plan.here.results),
        _wanted(plan, plan.experiments),
        _wanted(plan, asked),
        suts,
        plan.seed,
        plan.digest,
    )
    _hand_signals_on()


def _wanted(plan, experiments: Iterable[str]) -> Wanted:
    folders, sweeps = {}, []
    for name in experiments:
        folders |= dict.fromkeys(plan.fixed_repetitions(name))
        sweeps += [f"{name}/{sweep.id}" for sweep in plan.experiments[name].sweeps]
    return Wanted(list(folders), sweeps)


def foretell(plan, asked: list[str]) -> None:
    """In a dry run: print what will run of the experiments that the call is about. Snakemake's own
    list is as long as the plan."""
    if {"-n", "--dry-run", "--dryrun"} & set(sys.argv):
        print(forecast_text(plan, asked), file=sys.stderr)


def ended(results: str, targets: list[str], began: float, is_cut_off: bool = False) -> None:
    """Called at the end: name the figures, tables and reports that this call has written.

    is_cut_off: it failed, or was interrupted.
    """
    written = [path for path in targets if _written_since(path, began)]
    if written:
        print(f"\nWritten to {results}/:", file=sys.stderr)
        for path in written:
            print(f"  {path}", file=sys.stderr)
    if is_cut_off:
        print("\nWhat is finished stays; the same command goes on from there.", file=sys.stderr)


_TELLS_NOTHING = (
    "Select jobs to execute",
    "Execute ",
    "DAG of jobs will be updated",
    "Updating checkpoint dependencies",
)


_OF_A_SCRIPT = ("RuleException", "CalledProcessError", ".snakemake/scripts/")
"""In what Snakemake says of a script that has ended with an exit code."""


def _tells_something(record: logging.LogRecord) -> bool:
    """Leaves out Snakemake's lines per job and per move, as our own line per run says more; and
    its command of a script that has failed, as that has said why (script.user_errors)."""
    said = record.getMessage()
    if all(part in said for part in _OF_A_SCRIPT):
        return False
    return not said.startswith(_TELLS_NOTHING)


def _written_since(path: str, began: float) -> bool:
    return Path(path).exists() and Path(path).stat().st_mtime >= began


def _hand_signals_on() -> None:
    """Pass SIGTERM and SIGINT to the running scripts, so that they undeploy at once.

    Snakemake itself lets running jobs finish on SIGTERM; then it goes on as it would.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def handler(number, frame, before=before):
            for script in _running_scripts():
                script.send_signal(signal.SIGTERM)
            if callable(before):
                before(number, frame)

        signal.signal(number, handler)


def _running_scripts() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.Error:  # it has just ended
            continue
        if "python" in Path(command[0] if command else "").name and any(
            ".snakemake/scripts" in part for part in command[1:]
        ):
            found.append(process)
    return found


def began() -> float:
    """Now, for `ended`: files written later are this call's."""
    return time.time()
