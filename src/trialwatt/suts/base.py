"""The seam between a run and an HPO framework. A SUT never learns the platform's name."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from trialwatt.clock import Stamp
from trialwatt.config.conditions import conditional
from trialwatt.config.models import Limits, RunConfig, Testbed, Workload
from trialwatt.config.space import Phi
from trialwatt.platforms.base import Role
from trialwatt.suts.strategies import Strategy

SPENT_FILE = "spent.json"
"""In the folder of the run, as each of its processes sees it: the search's budget is spent."""
SPEAKING = ("@python@", "-m", "trialwatt.lifecycle.worker")
"""The command of every role that speaks."""


@dataclass(frozen=True)
class Job:
    """One run as every process of it sees it."""

    run_id: str
    config: RunConfig
    repetition: int
    seed: int  # of this repetition: the same for every SUT and treatment
    folder: str  # where the run's files are, as this process sees it
    data: str  # the prepared dataset
    threads: int  # per worker
    worker_cpu: float  # physical cores
    service: Limits = field(default_factory=Limits)
    packages: tuple[str, ...] = ()  # PyPI names of what its components tell the versions of

    @property
    def workload(self) -> Workload:
        return self.config.workload

    @property
    def budget(self) -> int:
        """Number of trials: the search's budget, or pS; on a grid no more than that."""
        from trialwatt.config.space import most_trials

        budget = most_trials(self.workload)
        assert budget, "validated with the configuration"
        return budget

    def path(self, *parts: str) -> Path:
        return Path(self.folder, *parts)

    @property
    def is_spent(self) -> bool:
        """Whether the search's budget is spent: no further trial starts. One of trials alone is
        counted by the framework, and no file is looked for."""
        return self.workload.search.spends is not None and self.path(SPENT_FILE).exists()

    @property
    def stops_running(self) -> bool:
        """Whether it is spent, and trials that run are to stop after their epoch."""
        return self.is_spent and json.loads(self.path(SPENT_FILE).read_text())["running"] == "prune"


SPENT = "spent"
"""Outcome of a trial that was not run, as the search's budget is spent: none will be."""


class Pause:
    """The kind of PAUSE."""


PAUSE: Final = Pause()
"""What `report` answers where the trial is to pause after this epoch."""
Reports = Callable[[int, float], bool | Pause]
"""What Trials.run calls after each epoch, with (epoch, score)."""


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended, for the SUT to tell its framework."""

    trial: str  # our id, "worker-0/3"; empty where it was not run
    outcome: str  # "completed", "pruned", "paused", "failed"; SPENT where it was not run
    score: float | None
    """The goal's score on the validation split; higher is better whatever the goal's direction."""
    reason: str = ""


class Trials(Protocol):
    """What runs and records a trial; given to Sut.work.

    `number` is the framework's own number of the trial. `report(epoch, score)` is called after
    each epoch if given, and stops the trial (outcome "pruned") by returning True. Its score is as
    in TrialResult: one that is to be minimised comes negated. `dispatched` is the moment that the
    framework assigned the trial, where that is before this process ran.

    A trial may be run in segments, each a record of its own: after epoch `until`, or where `report`
    answers PAUSE, one that has epochs left is paused. `resume` (the id of a paused segment) goes on
    from there, with another φ if the framework wants that. Only for a strategy that `pauses`, and
    under it every process that runs trials reaches the states of all of them.
    """

    started: frozenset[int]
    """Numbers of the trials that this worker's predecessors, if it replaces one, had started."""

    here: Callable[[], Trials]
    """Makes the Trials of a process that a worker's daemon has started, when it is called there.

    A function that pickles by its name, for a driver to send along with its trials.
    """

    def run(
        self,
        phi: Phi,
        number: int,
        report: Reports | None = None,
        dispatched: Stamp | None = None,
        until: int | None = None,
        resume: str | None = None,
    ) -> TrialResult: ...

    def lost(self, number: int) -> None:
        """In a driver: the framework says that the process of this trial died.

        The coordinator then closes the trial as failed, for memory or as lost.
        """

    def note(self, note: dict[str, Any]) -> None:
        """In a role that speaks: hand Sut.best a JSON object, which the coordinator keeps."""


@dataclass(frozen=True)
class Best:
    """The best trial that the SUT itself names; its score as the SUT was told it (TrialResult)."""

    phi: Phi
    score: float
    number: int


class Infeasible(Exception):
    """Raised by a SUT where its infrastructure cannot work under this treatment, with the reason.

    The run then ends as infeasible: a valid observation, not an error.
    """


class Sut(ABC):
    """An HPO framework under test: a handful of answers."""

    name: str
    package: str = ""
    """PyPI name of the framework, for its version; empty where there is none."""
    needs: tuple[str, ...] = ()
    """PyPI names of what every run of it uses beside the framework."""
    samplers: dict[str, Strategy]
    pruners: dict[str, Strategy] = {"none": Strategy(make=lambda: None)}
    stand_in: str = "random"
    """Which of its samplers searches the points of a grid where it has no `grid`."""
    is_control: bool = False
    """Whether it is what the others are compared with: then it also runs their stand-ins."""
    notes: Sequence[dict[str, Any]] = ()
    """In the leading role, for `best`: what the workers noted (Trials.note), as it came."""

    @classmethod
    def available(cls) -> str:
        """Empty if it can run here, else what is missing and how to get it."""
        return ""

    @classmethod
    def packages(cls, config: RunConfig) -> list[str]:
        """PyPI names of all that this run uses of it, strategies included: for their versions."""
        search = config.workload.search
        strategies = (cls.samplers.get(search.sampler), cls.pruners.get(search.pruner))
        own = [cls.package] if cls.package else []
        return [*own, *cls.needs, *(name for each in strategies if each for name in each.needs)]

    @classmethod
    def search_problems(cls, workload: Workload) -> list[tuple[str, str]]:
        """What is wrong with a search by strategies that the SUT has, before anything starts.

        (dotted key of the workload, sentence) of each fault that only the SUT can know: options
        that the framework refuses, a space that a sampler cannot search.
        """
        return []

    @classmethod
    def condition_problems(cls, workload: Workload) -> dict[str, str]:
        """Why it cannot search a space with conditions, before anything starts.

        Hyperparameter → sentence, of each whose condition (`when`) cannot be put to the framework;
        only asked where there are conditions. A SUT that says nothing puts none.
        """
        return dict.fromkeys(conditional(workload.space), "it searches no space with conditions")

    @classmethod
    def testbed_problems(cls, testbed: Testbed) -> list[tuple[str, str]]:
        """What it cannot do with on this testbed, before anything starts.

        (dotted key of the testbed, sentence) of each, as services without enough memory.
        """
        return []

    def roles(self, job: Job) -> list[Role]:
        """What the platform must start, in this order. Default: wn speaking workers, no service.

        Asked in the coordinator, which may share no host, files or programs with the roles: what
        differs there stands as a token (platforms.base.Role), and the folder and the dataset of
        `job` are those that the roles see.
        """
        return [self.worker(job, index) for index in range(job.workload.workers.count)]

    def planned_roles(self, config: RunConfig) -> list[Role]:
        """The roles of a run that does not exist yet, to ask whether a platform can serve them."""
        return self.roles(
            Job(
                run_id="plan",
                config=config,
                repetition=1,
                seed=0,
                folder="",
                data="",
                threads=config.threads,
                worker_cpu=config.worker_cpu,
                service=config.testbed.service,
            )
        )

    def worker(self, job: Job, index: int) -> Role:
        """A worker that runs trialwatt.lifecycle.worker, in the worker's limits."""
        return Role(
            name="worker",
            kind="worker",
            index=index,
            command=SPEAKING,
            cpu=job.worker_cpu,
            memory_mb=job.workload.workers.memory_mb,
        )

    def prepare(self, job: Job) -> None:
        """In every speaking role, as part of deploy: import the framework, reach its services.

        Roles may share no folder: what one writes, another reads by the framework's own means, by
        Trials.note, or not at all.
        """

    def confirm(self, job: Job, component: str, host: str) -> None:
        """In the leading role: return when this component has joined (roles with `confirmed`).

        host: the address at which its ports are reached.
        """

    def setup(self, job: Job) -> None:
        """In the leading role: hand over the search space; after it the search can start."""

    @abstractmethod
    def work(self, job: Job, index: int, trials: Trials) -> None:
        """In a worker (in the driver, where the SUT has one): until the budget is spent."""

    def recover(self, job: Job, lost: list[int]) -> None:
        """In the leading role: tell the framework of trials whose worker died (their numbers)."""

    def lost(self, job: Job) -> list[int]:
        """In the leading role, after the last trial: numbers of trials that the framework assigned
        and that failed or never ended. Of those that never began nobody else knows."""
        return []

    @abstractmethod
    def best(self, job: Job) -> Best | None:
        """In the leading role, after the last trial: the best that the framework knows."""

    def clean(self, job: Job) -> None:
        """In the coordinator, at undeploy: remove what the run has left outside its folder.

        Also called for a run whose coordinator was killed. What the platform has started is
        removed by the platform.
        """
