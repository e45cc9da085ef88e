"""The process of a speaking role (a worker or a driver).

It takes messages from stdin and answers on stdout, one JSON object a line:

    {"do": "confirm", "component": "…"}        → {"done": "confirm …"}
    {"do": "setup"}                            → {"done": "setup"}
    {"do": "trials", "started": […], "lost": […]} → {"done": "trials"}
    {"do": "collect", "lost": […]}             → {"done": "collect", "best": {…} or null}
    {"do": "test", "phi": {…}, "weights": "…"} → {"done": "test", "scores": {…}}
    {"do": "end"}                              → the process ends

It says {"done": "deploy"} once it can take the first one, and {"failed": step, "error": text}
where a step fails, {"infeasible": reason} where the treatment cannot work, and {"lost": number}
when the framework tells it of a trial whose process died. It ends by itself when stdin closes:
the coordinator is gone.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import asdict

from trialwatt import suts
from trialwatt.lifecycle.jobs import read_job
from trialwatt.lifecycle.trials import RecordedTrials
from trialwatt.records.writer import EventWriter
from trialwatt.suts.base import Infeasible, Job, Sut


def main() -> None:
    say = _take_stdout()
    job, component = read_job(), os.environ["TRIALWATT_COMPONENT"]
    sut = suts.get(job.config.sut)()
    try:
        sut.prepare(job)
    except Infeasible as error:
        say({"infeasible": str(error)})
        return
    events = EventWriter(job.path(), job.run_id, component)
    say({"done": "deploy"})
    for line in sys.stdin:
        message = json.loads(line)
        step = message["do"]
        if step == "end":
            break
        try:
            say({"done": step} | (STEPS[step](sut, job, component, events, message) or {}))
        except Infeasible as error:
            say({"infeasible": str(error)})
        except Exception as error:  # the coordinator decides; the log has the traceback
            traceback.print_exc()
            say({"failed": step, "error": f"{type(error).__name__}: {error}"})
    events.close()


def _confirm(sut: Sut, job: Job, component: str, events, message) -> dict:
    sut.confirm(job, message["component"])
    return {"done": f"confirm {message['component']}"}


def _setup(sut: Sut, job: Job, component: str, events, message) -> None:
    sut.setup(job)


def _trials(sut: Sut, job: Job, component: str, events, message) -> None:
    if message["lost"]:
        sut.recover(job, message["lost"])
    index = int(os.environ["TRIALWATT_INDEX"])
    sut.work(job, index, RecordedTrials(job, component, events, message["started"]))


def _collect(sut: Sut, job: Job, component: str, events, message) -> dict:
    if message["lost"]:
        sut.recover(job, message["lost"])
    best = sut.best(job)
    return {"best": asdict(best) if best else None}


def _test(sut: Sut, job: Job, component: str, events, message) -> dict:
    from safetensors.torch import load_file

    from trialwatt.workload.trial import pin_threads, score_on_test

    pin_threads(job.threads)
    scores = score_on_test(job.workload, message["phi"], load_file(message["weights"]), job.data)
    events.write("test", scores=scores)
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
