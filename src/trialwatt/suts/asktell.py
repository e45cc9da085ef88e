"""A SUT whose framework is asked for each φ and told its score, alone in a process of its own."""

from __future__ import annotations

import os
import secrets
import time
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from trialwatt.config.models import Workload
from trialwatt.config.space import Phi
from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import Role
from trialwatt.suts.asktell_link import reach
from trialwatt.suts.base import SPENT, Best, Job, Sut, Trials
from trialwatt.suts.services import free_blocks
from trialwatt.suts.strategies import installed, options_refused

ADDRESS = "TRIALWATT_SEARCH"
"""Environment variable of the workers: host:port of the framework's process."""
KEY = "TRIALWATT_SEARCH_KEY"
"""Environment variable, secret: what both ends prove to each other that they know."""
GONE_S = 10.0
"""Given to the coordinator to end the run with the last words of a framework that has died."""


class Later:
    """The kind of LATER."""


LATER: Final = Later()
"""What `ask` answers where it has no φ before it is told of a trial that runs."""


@dataclass(frozen=True)
class Segment:
    """What `ask` may answer under a strategy that `pauses`: a trial that is paused after epoch
    `until` (None: it runs to its end).

    resume: the number under which a trial was asked for that was paused: this one goes on from
    there. With the same φ it is that trial, with another one a trial of its own.
    """

    phi: Phi
    until: int | None = None
    resume: int | None = None


class Given(NamedTuple):
    """What a worker is given: the number to tell, that of the trial in the records, and what it is
    to train; resume: id of the paused segment."""

    number: int
    trial: int
    phi: Phi
    until: int | None
    resume: str | None


class Search(Protocol):
    """What AskTell.open returns: the framework's search. It is called by one worker at a time.

    A trial goes by its number, from 0 in the order in which they are asked for. Optional, beside
    what stands here: `report(number, epoch, score) -> bool`, called after each epoch of a job with
    a pruner, where True stops the trial (not with one that `pauses`: its segments are told
    instead); `best() -> int | None`, the number of the trial that the framework takes for the best
    (without it, that with the highest score told of those that ran all epochs).
    """

    def ask(self, number: int) -> Phi | Segment | Later | None:
        """The φ of this trial, or a segment of it; None where the framework has no more: with a
        strategy that pauses, it is asked until then, and begins no more trials than the budget."""

    def tell(self, number: int, score: float | None) -> None:
        """The score of a trial, higher is better; None where it failed, was stopped or lost."""


class AskTell(Sut):
    """A framework that is asked and told: `open` is all that it must say.

    It runs as a metered service of the job (the component `search`, in the limits of the testbed's
    `service`), which all workers ask over an authenticated connection. A worker that dies has its
    trials told as lost. An error of the framework, or its death, ends the run, which is done again.
    """

    imports: tuple[str, ...] = ()
    """Modules of the framework, imported as part of deploy."""

    @abstractmethod
    def open(self, job: Job) -> Search:
        """Part of setup, in the framework's process: its search over job.workload.space, for
        job.budget trials, by the strategies of job.workload.search, seeded by job.seed."""

    @classmethod
    def available(cls) -> str:
        needed = filter(None, (cls.package, *cls.needs))
        lacking = " ".join(name for name in needed if not installed(name))
        return f"needs a package: pip install {lacking}" if lacking else ""

    @classmethod
    def search_problems(cls, workload: Workload) -> list[tuple[str, str]]:
        """Options of strategies: a SUT whose `open` reads some answers this itself."""
        return options_refused(workload.search, f"the strategies of {cls.name} take no options")

    @classmethod
    def pauses(cls, job: Job) -> bool:
        """Whether a strategy of the search does."""
        search = job.workload.search
        chosen = (cls.samplers.get(search.sampler), cls.pruners.get(search.pruner))
        return any(strategy.pauses for strategy in chosen if strategy)

    @classmethod
    def reports(cls, job: Job) -> bool:
        """Whether the search is asked after each epoch."""
        return job.workload.search.prunes and not cls.pauses(job)

    def roles(self, job: Job) -> list[Role]:
        (port,) = free_blocks(1, 1)
        secret = {KEY: secrets.token_urlsafe(24)}
        search = Role(
            name="search",
            kind="service",
            command=("@python@", "-m", "trialwatt.lifecycle.search", "@host@", str(port)),
            cpu=job.service.cpu,
            memory_mb=job.service.memory_mb,
            speaks=False,
            secrets=secret,
        )
        where = {ADDRESS: f"@host:{search.component}@:{port}"}
        workers = super().roles(job)
        return [search, *(replace(each, environment=where, secrets=secret) for each in workers)]

    def prepare(self, job: Job) -> None:
        self._asked: Any = reach(os.environ[ADDRESS], os.environ[KEY])  # an Asked

    def setup(self, job: Job) -> None:
        self._call("open")

    def work(self, job: Job, index: int, trials: Trials) -> None:
        self._call("begin", index)
        while (given := self._call("ask", index)) is not None:
            number, trial, phi, until, resume = given
            report = partial(self._call, "report", number) if self.reports(job) else None
            result = trials.run(phi, trial, report, until=until, resume=resume)
            ended = result.outcome in ("completed", "paused")
            paused = result.trial if result.outcome == "paused" else None
            self._call("tell", number, result.score if ended else None, paused)
            if result.outcome == SPENT:
                return

    def lost(self, job: Job) -> list[int]:
        return self._call("lost")

    def best(self, job: Job) -> Best | None:
        found = self._call("best")
        return None if found is None else Best(*found)

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return getattr(self._asked, method)(*arguments)
        except (EOFError, OSError) as error:
            time.sleep(GONE_S)
            raise TrialwattError(
                f"the framework's process (component search) no longer answers: {error!r}"
            ) from error
