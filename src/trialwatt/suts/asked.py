"""The framework of an ask-and-tell SUT, as its workers see it: checked, and one call at a time."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from threading import Condition
from types import CodeType
from typing import Any, cast

from trialwatt.config.space import Phi, contains
from trialwatt.errors import TrialwattError
from trialwatt.suts.asktell import LATER, AskTell, Given, Search, Segment
from trialwatt.suts.base import Job

METHODS = ("open", "begin", "ask", "tell", "report", "lost", "best")
"""Of Asked, that the workers call."""


class Asked:
    """The framework's search as the workers see it: one call at a time, each trial told once."""

    def __init__(self, sut: AskTell, job: Job):
        self._sut, self._job = sut, job
        self._search: Search | None = None
        self._changed = Condition()
        self._given: list[Given] = []  # by number
        self._scores: dict[int, float] = {}  # of those that ran all epochs
        self._paused: dict[int, str] = {}  # number → id
        self._open: dict[int, int] = {}  # number → worker, of trials that were not told of
        self._lost: list[int] = []
        self._has_no_more = False

    def open(self) -> None:
        """Make the search. Raises TrialwattError where it lacks a method."""
        with self._changed:
            search = self._guarded(self._sut.open, self._job)
            needed = [
                "ask",
                "tell",
                *(["report"] if self._sut.reports(self._job) else []),
            ]
            if lacking := [name for name in needed if not callable(getattr(search, name, None))]:
                raise TrialwattError(
                    f"{type(self._sut).__name__}.open returned {type(search).__name__}, which has "
                    f"no method {', '.join(lacking)}; see docs/add-a-sut.md"
                )
            self._search = search

    def begin(self, worker: int) -> None:
        """A worker begins; one that it replaces has lost the trials that it held."""
        with self._changed:
            for number in [number for number, whose in self._open.items() if whose == worker]:
                self._lost.append(self._given[number].trial)
                self._told(number, None)

    def ask(self, worker: int) -> Given | None:
        """The next trial of a worker; None where there is none: the budget is spent, or the
        framework has no more."""
        with self._changed:
            while not self._has_no_more and (self._pauses or self._begun < self._job.budget):
                number = len(self._given)
                answer = self._guarded(self._own.ask, number)
                if answer is None:
                    self._has_no_more = True
                elif answer is LATER:
                    if not self._open:
                        raise self._fault("ask", f"ask({number}) said LATER, but no trial runs")
                    self._changed.wait()
                else:
                    self._given.append(self._checked(number, answer))
                    self._open[number] = worker
                    return self._given[number]
            self._changed.notify_all()  # who waits has nothing to wait for
            return None

    def tell(self, number: int, score: float | None, paused: str | None = None) -> None:
        """paused: id of its segment, if it was."""
        with self._changed:
            if number in self._open:
                if paused:
                    self._paused[number] = paused
                elif score is not None:
                    self._scores[number] = score
                self._told(number, score)

    def report(self, number: int, epoch: int, score: float) -> bool:
        with self._changed:
            return bool(self._guarded(cast(Any, self._own).report, number, epoch, score))

    def lost(self) -> list[int]:
        """Of the trials that were lost with their workers: their numbers in the records."""
        with self._changed:
            return [*self._lost]

    def best(self) -> tuple[Phi, float, int] | None:
        """φ, score and number of the best trial, as Best has them."""
        with self._changed:
            if callable(own := getattr(self._own, "best", None)):
                number = self._guarded(own)
                if number is not None and number not in self._scores:
                    raise self._fault("best", f"best() named {number!r}, which did not complete")
            else:
                number = max(self._scores, key=self._rank, default=None)
            if number is None:
                return None
            given = self._given[number]
            return given.phi, self._scores[number], given.trial

    def _rank(self, number: int) -> tuple[float, int]:
        return self._scores[number], -number

    @property
    def _begun(self) -> int:
        """How many trials have begun: segments that go on are none."""
        return sum(given.number == given.trial for given in self._given)

    @property
    def _pauses(self) -> bool:
        return self._sut.pauses(self._job)

    @property
    def _own(self) -> Search:
        assert self._search is not None, "setup comes first"
        return self._search

    def _told(self, number: int, score: float | None) -> None:
        del self._open[number]
        self._guarded(self._own.tell, number, score)
        self._changed.notify_all()

    def _checked(self, number: int, answer: Any) -> Given:
        """What is asked for. Raises TrialwattError where it is not in the search space, or does not
        go on from what was paused."""
        segment = answer if isinstance(answer, Segment) else Segment(answer)
        phi, until, before = self._phi(number, segment.phi), segment.until, segment.resume
        if segment is answer and not self._pauses:
            raise self._fault("ask", f"ask({number}): no strategy of this search pauses trials")
        if before is not None and before not in self._paused:
            raise self._fault("ask", f"ask({number}): trial {before} was not paused")
        earlier = None if before is None else self._given[before]
        reached = (earlier and earlier.until) or 0
        if until is not None and not reached < until <= self._job.workload.epochs:
            raise self._fault("ask", f"ask({number}): epoch {until} does not lie ahead")
        trial = earlier.trial if earlier and earlier.phi == phi else number
        if trial == number and self._begun == self._job.budget:
            raise self._fault("ask", f"ask({number}): the {self._begun} trials of the budget ran")
        return Given(number, trial, phi, until, None if before is None else self._paused[before])

    def _phi(self, number: int, phi: Any) -> Phi:
        """φ in Python's own types. Raises TrialwattError where it is not in the search space."""
        if not isinstance(phi, dict):
            raise self._fault("ask", f"ask({number}) returned no dict: {phi!r}")
        plain = {name: _plain(value) for name, value in phi.items()}
        if not contains(self._job.workload.space, plain):
            raise self._fault("ask", f"ask({number}) returned φ outside the search space: {plain}")
        return plain

    def _fault(self, method: str, said: str) -> TrialwattError:
        """What is wrong with an answer of the framework, with the place of the method."""
        code = _code(getattr(self._own, method))
        place = f"{code.co_filename}:{code.co_firstlineno}" if code else type(self._own).__name__
        return TrialwattError(f"{place}: {said}")

    def _guarded(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call the framework; what it raises comes as TrialwattError, with file and line."""
        try:
            return call(*arguments)
        except Exception as error:
            traceback.print_exc()  # the component's log has all of it
            given = ", ".join(repr(each) for each in arguments if not isinstance(each, Job))
            name = getattr(call, "__name__", repr(call))
            raise TrialwattError(
                f"{_where(error, call)}: {name}({given}): {type(error).__name__}: {error}"
            ) from None


def _plain(value: Any) -> Any:
    """A number or text of numpy's as Python's own."""
    return value.item() if getattr(value, "shape", None) == () else value


def _code(call: Callable[..., Any]) -> CodeType | None:
    """The code of a Python function or method; None of what is not written in Python."""
    return getattr(inspect.unwrap(call), "__code__", None)


def _where(error: Exception, call: Callable[..., Any]) -> str:
    """File and line of an error: the last ones in the file of what was called."""
    code, frames = _code(call), traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if code and frame.filename == code.co_filename]
    last = (own or frames)[-1]
    return f"{last.filename}:{last.lineno}"
