"""Runs trials inside a worker and records them, so that a SUT only asks and tells."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any

from trialwatt.clock import Stamp, now
from trialwatt.config.identity import trial_seed
from trialwatt.config.space import Phi, contains
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.jobs import read_job
from trialwatt.platforms.cgroups.container import read_cpu_ns
from trialwatt.records.installation import INSTALLED, here
from trialwatt.records.remote import drop, keep
from trialwatt.records.writer import EventWriter, Progress, progress
from trialwatt.suts.base import PAUSE, SPENT, Job, Reports, TrialResult
from trialwatt.workload.opening import open_task
from trialwatt.workload.task import Part, Task, Trained, run_trial

CPU_BASE = "TRIALWATT_CPU_BASE_NS"
"""Environment variable: CPU time of the processes that this one replaces."""
WEIGHTS = "weights"
"""Folder, in that of the run, of what the workers keep of their best trials."""
STATES = "states"
"""Folder, in that of the run, of what trials that were paused need to go on."""


class RecordedTrials:
    """The Trials of one worker process. Every moment carries the worker's CPU counter."""

    def __init__(
        self,
        job: Job,
        component: str,
        events: EventWriter,
        started: list[int],
        say: Callable[[dict], None] | None = None,
        best: float | None = None,
    ):
        """started, best: numbers of the trials and best score of the processes before this one, as
        best_score has it.

        say: sends a message to the coordinator, in a speaking role.
        """
        self._job, self._component, self._events = job, component, events
        self._say = say
        self.started = frozenset(started)
        self.here = trials_here
        self._count = len(started)
        self._best = best
        self._task: Task | None = None

    def lost(self, number: int) -> None:
        """The framework says that the process of this trial died; see trialwatt.suts.base."""
        if self._say is None:
            raise RuntimeError("only the leading role can say that a trial was lost")
        self._say({"lost": number, "at": now()})

    def note(self, note: dict) -> None:
        """Hand this to Sut.best, in the leading role; see trialwatt.suts.base."""
        if self._say is None:
            raise RuntimeError("only a role that speaks can note something")
        self._say({"note": note})

    def run(
        self,
        phi: Phi,
        number: int,
        report: Reports | None = None,
        dispatched: Stamp | None = None,
        until: int | None = None,
        resume: str | None = None,
    ) -> TrialResult:
        """Run one φ to its end, whatever that is; see trialwatt.suts.base.Trials.

        Raises TrialwattError where the state of the trial to resume is not here.
        """
        if self._job.is_spent:
            return TrialResult("", SPENT, None, "budget")
        part = Part(until or self._job.workload.epochs)
        if resume:
            part = _resumed(self._job, resume, part.until)
        trial, seed = f"{self._component}/{self._count}", trial_seed(self._job.seed, phi)
        self._count += 1
        first = "load" if self._task else "import"
        start = {"status": "start", "step": first, "phi": phi, "number": number, "seed": seed}
        if resume:
            start |= {"resumes": resume, "from_epoch": part.after}
        self._write(trial, at=dispatched, **start)
        watch = _Watch(self._job, self._events, trial, first, report, part)
        try:
            task = self._task = self._task or task_of(self._job)
        except TrialwattError as error:  # no trial of this process can do better
            self._end(trial, "failed", "error", str(error)[:500], {}, 0)
            raise
        try:
            if not contains(self._job.workload.space, phi):
                raise ValueError(f"φ is not in the search space: {phi}")
            trained = run_trial(task, phi, seed, watch, part)
            if watch.outcome == "paused":
                self._pause(trial, task, trained, watch.epochs)
            elif task.keeps and watch.outcome == "completed":
                self._keep(trial, task, trained)
        except Exception as error:  # whatever a trial dies of, the job goes on and the record says
            reason = getattr(error, "reason", None) or _reason(error)
            if reason == "error":
                traceback.print_exc()
            places = "".join(f"{place}: " for place in getattr(error, "__notes__", ()))
            detail = f"{places}{type(error).__name__}: {error}"[:500]
            self._end(trial, "failed", reason, detail, {}, watch.epochs)
            return TrialResult(trial, "failed", None, reason)
        self._end(trial, watch.outcome, watch.reason, "", trained.scores, watch.epochs)
        score = told(self._job, trained.scores) if trained.scores else None
        return TrialResult(trial, watch.outcome, score, watch.reason)

    def _pause(self, trial: str, task: Task, trained: Trained, epoch: int) -> None:
        self._job.path(STATES).mkdir(exist_ok=True)
        task.pause(trained.state, self._job.path(STATES, f"{_file_name(trial)}.{epoch}"))

    def _keep(self, trial: str, task: Task, trained: Trained) -> None:
        """Keep the model if this is the worker's best so far (or as good as it)."""
        score = told(self._job, trained.scores)
        if self._best is not None and score < self._best:
            return
        folder = self._job.path(WEIGHTS)
        folder.mkdir(exist_ok=True)
        stale = [] if score == self._best else list(folder.glob(f"{self._component}_*"))
        self._best = score
        task.save(trained.model, self._job.path(weights_name(self._job, trial)))
        keep(self._job.path(), weights_name(self._job, trial))
        for path in stale:
            path.unlink()
            drop(f"{WEIGHTS}/{path.name}")

    def _end(self, trial, outcome, reason, detail, scores, epochs) -> None:
        self._write(
            trial,
            status="end",
            outcome=outcome,
            reason=reason,
            detail=detail,
            scores=scores,
            epochs=epochs,
        )

    def _write(self, trial: str, at: Stamp | None = None, **keys) -> None:
        # What the counter said at an earlier moment, nobody knows; the usage samples tell it.
        counter = {} if at else {"cpu_ns": _cpu_ns()}
        self._events.write("trial", at=at, trial=trial, **counter, **keys)


def trials_here() -> RecordedTrials:
    """The Trials of a process that a worker's daemon has started to run a trial, or a few.

    Such processes follow one another in one component: this one finds its job in the environment
    that it has inherited, and what its predecessors did in the component's records.
    """
    job, component = read_job(), os.environ["TRIALWATT_COMPONENT"]
    events = EventWriter(job.path(), job.run_id, component)
    before = progress(job.path(), component)
    numbers = [start["number"] for start in before.started]
    if not numbers:
        events.write(INSTALLED, **here(job.packages))
    return RecordedTrials(job, component, events, numbers, best=best_score(job, before))


def best_score(job: Job, before: Progress) -> float | None:
    """The best of a component's completed trials, as its score is told: its weights are kept."""
    scores = [told(job, end["scores"]) for end in before.ended if end["outcome"] == "completed"]
    return max(scores, default=None)


def told(job: Job, scores: dict[str, float]) -> float:
    """The goal's score as a framework is told it: higher is better, whatever the direction."""
    goal = job.workload.goal
    return goal.sign * scores[goal.score]


class _Watch:
    """Writes a trial's steps and epochs, and passes its scores to the SUT's pruner.

    epochs: completed so far, known even where the trial then fails. outcome: if it does not;
    reason: "budget" where not the pruner wanted it.
    """

    def __init__(self, job: Job, events: EventWriter, trial: str, step: str, report, part: Part):
        self._job, self._events, self._trial = job, events, trial
        self._step, self._report, self._until = step, report, part.until
        self.each_epoch = report is not None or job.workload.validate_each_epoch
        self.epochs, self.outcome, self.reason = part.after, "completed", ""

    def step(self, name: str) -> None:
        if name != self._step:
            self._step = name
            self._events.write(
                "trial", trial=self._trial, status="step", step=name, cpu_ns=_cpu_ns()
            )

    def __call__(self, epoch: int, scores: dict[str, float] | None = None) -> bool:
        self.epochs = epoch
        stop: Any = False
        if scores is not None:
            own = {"epoch": epoch, "scores": scores, "cpu_ns": _cpu_ns()}
            self._events.write("epoch", trial=self._trial, **own)
            stop = self._report is not None and self._report(epoch, told(self._job, scores))
        if epoch == self._job.workload.epochs:
            return False
        if self._job.stops_running and (not stop or stop is PAUSE):
            stop, self.reason = True, "budget"
        if stop is PAUSE or epoch == self._until:
            self.outcome = "paused"
        if stop and stop is not PAUSE:
            self.outcome = "pruned"
        return bool(stop)


def _cpu_ns() -> int:
    """CPU time of this component so far, that of the processes that it replaces included."""
    return read_cpu_ns() + int(os.environ.get(CPU_BASE, "0"))


def weights_name(job: Job, trial: str) -> str:
    """The file in the run's folder with the model of a trial (worker-0_3.safetensors)."""
    return f"{WEIGHTS}/{_file_name(trial)}{job.workload.model_suffix}"


def _file_name(trial: str) -> str:
    return trial.replace("/", "_")


def _resumed(job: Job, trial: str, until: int) -> Part:
    """The epochs of a trial after those of a segment, whose state's name tells their number."""
    states = list(job.path(STATES).glob(f"{_file_name(trial)}.*"))
    if not states:
        raise TrialwattError(f"there is no state of {trial} to go on from: it was not paused")
    return Part(until, int(states[0].suffix[1:]), states[0])


def task_of(job: Job) -> Task:
    """What this process trains."""
    return open_task(job.workload, job.data, job.seed, job.threads)


def _reason(error: Exception) -> str:
    """ "memory" where torch or Python could not allocate, else "error"."""
    if isinstance(error, MemoryError) or "not enough memory" in str(error):
        return "memory"
    return "memory" if type(error).__name__ == "OutOfMemoryError" else "error"
