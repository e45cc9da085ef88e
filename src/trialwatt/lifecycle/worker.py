"""The process of a speaking role (a worker or a driver).

It takes messages from stdin and answers on stdout, one JSON object a line:

    {"do": "confirm", "component": "…", "host": "…"} → {"done": "confirm …"}
    {"do": "setup"}                            → {"done": "setup"}
    {"do": "trials", "started": […], "lost": […]} → {"done": "trials"}
    {"do": "collect", "lost": […], "notes": […]} → {"done": "collect", "best": {…} or null,
                                                    "unended": […]}
    {"do": "test", "phi": {…}, "weights": "…"} → {"done": "test", "scores": {…}}
    {"do": "end"}                              → the process ends

It says {"done": "deploy", "here": {…}} once it can take the first one, with what is installed where
it is (trialwatt.records.installation), and {"failed": step, "error": text}
where a step fails, {"infeasible": reason} where the treatment cannot work,
{"lost": number, "at": stamp} when the framework tells it of a trial whose process died
(Trials.lost), and {"note": {…}} for the leading role to get with "collect" (Trials.note). The
weights are named relative to the run's folder. It ends by itself when stdin closes: the coordinator
is gone.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

from trialwatt import suts
from trialwatt.credentials import hide_in_tracebacks, redacted
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.jobs import read_job
from trialwatt.lifecycle.trials import RecordedTrials, best_score, task_of
from trialwatt.records.installation import here
from trialwatt.records.writer import EventWriter, progress
from trialwatt.suts.base import Infeasible, Job, Sut


@dataclass(frozen=True)
class _Process:
    """What every step needs to know."""

    sut: Sut
    job: Job
    component: str
    events: EventWriter
    say: Callable[[dict], None]


def main() -> None:
    hide_in_tracebacks()
    say = _take_stdout()
    job, component = read_job(), os.environ["TRIALWATT_COMPONENT"]
    sut = suts.get(job.config.sut)()
    try:
        sut.prepare(job)
    except Infeasible as error:
        say({"infeasible": str(error)})
        return
    except TrialwattError as error:  # says nothing about the treatment: a second start is no use
        say({"failed": "deploy", "error": str(error)})
        return
    process = _Process(sut, job, component, EventWriter(job.path(), job.run_id, component), say)
    say({"done": "deploy", "here": here(job.packages)})
    for line in sys.stdin:
        message = json.loads(line)
        step = message["do"]
        if step == "end":
            break
        try:
            say({"done": step} | (STEPS[step](process, message) or {}))
        except Infeasible as error:
            say({"infeasible": str(error)})
        except Exception as error:  # the coordinator decides; the log has the traceback
            print(redacted(traceback.format_exc()), file=sys.stderr, flush=True)
            say({"failed": step, "error": redacted(f"{type(error).__name__}: {error}")})
    process.events.close()


def _confirm(process: _Process, message: dict) -> dict:
    process.sut.confirm(process.job, message["component"], message["host"])
    return {"done": f"confirm {message['component']}"}


def _setup(process: _Process, message: dict) -> None:
    process.sut.setup(process.job)


def _trials(process: _Process, message: dict) -> None:
    sut, job = process.sut, process.job
    if message["lost"]:
        sut.recover(job, message["lost"])
    best = best_score(job, progress(job.path(), process.component))  # of those that it replaces
    trials = RecordedTrials(
        job, process.component, process.events, message["started"], process.say, best
    )
    sut.work(job, int(os.environ["TRIALWATT_INDEX"]), trials)


def _collect(process: _Process, message: dict) -> dict:
    if message["lost"]:
        process.sut.recover(process.job, message["lost"])
    process.sut.notes = message["notes"]
    lost = process.sut.lost(process.job)
    best = process.sut.best(process.job)
    if best is None:
        return {"best": None, "unended": lost}
    score = process.job.workload.goal.sign * best.score  # the goal's own again, as in the records
    return {"best": asdict(best) | {"score": score}, "unended": lost}


def _test(process: _Process, message: dict) -> dict:
    job = process.job
    scores = task_of(job).test(job.path(message["weights"]), message["phi"])
    process.events.write("test", scores=scores)
    return {"scores": scores}


STEPS = {
    "confirm": _confirm,
    "setup": _setup,
    "trials": _trials,
    "collect": _collect,
    "test": _test,
}


def _take_stdout():
    """Keep stdout for messages; what libraries print goes to stderr, into the log."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(message: dict) -> None:
        channel.write(json.dumps(message) + "\n")

    return say


if __name__ == "__main__":
    main()
