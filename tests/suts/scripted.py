"""Drive a SUT in this process, with trials that only pretend: their scores follow a script."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from trialwatt.config.models import RunConfig, Testbed, Workload
from trialwatt.suts.base import Job, TrialResult

Score = Callable[[dict, int], float]  # φ and epoch (from 1)


def job_of(folder: Path, sut: str, space: dict, search: dict, seed: int = 7, **keys) -> Job:
    """A job in `folder`; `testbed` and keys of the workload as keywords."""
    bed = Testbed.model_validate({"meters": ["model"]} | keys.pop("testbed", {}))
    load = {"dataset": "digits", "space": space, "search": search, "workers": {"count": 1}}
    config = RunConfig(
        sut=sut,
        workload=Workload.model_validate(load | keys),
        testbed_name="test",
        testbed=bed,
        seed=1,
    )
    return Job(
        run_id=f"run-{seed}",
        config=config,
        repetition=1,
        seed=seed,
        folder=str(folder),
        data="",
        threads=1,
        worker_cpu=1.0,
    )


class ScriptedTrials:
    """The Trials of one worker; keeps (φ, number, outcome, epochs) of every trial."""

    def __init__(self, job: Job, score: Score, started=(), pause_s: float = 0.0):
        self.started = frozenset(started)
        self.ran: list[tuple[dict, int, str, int]] = []
        self.notes: list[dict] = []
        self._epochs, self._score, self._pause_s = job.workload.epochs, score, pause_s

    def run(
        self, phi, number, report=None, dispatched=None, until=None, resume=None
    ) -> TrialResult:
        time.sleep(self._pause_s)
        outcome, after = "completed", int(resume.rpartition("/")[2]) if resume else 0
        for epoch in range(after + 1, self._epochs + 1):
            score = self._score(phi, epoch)
            if epoch == until and epoch < self._epochs:
                outcome = "paused"
                break
            if report is not None and report(epoch, score) and epoch < self._epochs:
                outcome = "pruned"
                break
        self.ran.append((phi, number, outcome, epoch))
        return TrialResult(f"worker-{number}/{epoch}", outcome, score)

    def note(self, note: dict) -> None:
        self.notes.append(note)


def search(sut, job: Job, score: Score, workers: int = 1, pause_s: float = 0.0) -> list[tuple]:
    """Run a whole search, its workers as threads; the trials by their numbers.

    `sut` then has what they noted, as the leading role's.
    """
    sut.prepare(job)
    sut.setup(job)
    trials = [ScriptedTrials(job, score, pause_s=pause_s) for _ in range(workers)]
    errors: list[BaseException] = []

    def work(index: int) -> None:
        try:
            type(sut)().work(job, index, trials[index])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()
    if errors:
        raise errors[0]
    sut.notes = [note for each in trials for note in each.notes]
    return sorted((trial for each in trials for trial in each.ran), key=lambda trial: trial[1])
