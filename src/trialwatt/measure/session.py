"""A block of the user's script that is measured, and the trials in it."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from trialwatt.measure.account import Span, account
from trialwatt.measure.limits import Limits
from trialwatt.measure.outcome import result_of
from trialwatt.measure.places import MeasureError, Place, caller, warn
from trialwatt.measure.result import Result
from trialwatt.measure.sampling import Sampling
from trialwatt.measure.settings import METERS, Settings
from trialwatt.measure.sources import sources_of
from trialwatt.measure.tree import Tree
from trialwatt.meters.choose import Chosen, open_available
from trialwatt.platforms.cgroups.container import OwnGroup
from trialwatt.platforms.cores import cores as usable_cores

P = ParamSpec("P")
R = TypeVar("R")

_running: list[Measure] = []
"""Those of this process, the innermost last."""


def current() -> Measure | None:
    """The innermost block that is being measured by this process; None outside of any."""
    return next((one for one in reversed(_running) if one.is_own), None)


class Trial:
    """One trial, while it runs: `with m.trial(phi) as trial:`.

    phi, score, outcome ("completed", "pruned" or "failed") may be set until it ends; one that
    raises is "failed" unless it says otherwise.
    """

    def __init__(self, measure: Measure, phi: Any, place: Place):
        self.phi, self.place = phi, place
        self.score: float | None = None
        self.outcome: str | None = None
        self.ended = False
        self.span: Span | None = None
        self.clock: int | None = None
        self.thread = 0
        self._measure = measure

    def __enter__(self) -> Trial:
        self._measure._begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.outcome = self.outcome or ("completed" if kind is None else "failed")
        self.ended = True
        self._measure._end(self)


class Measure:
    """Measures a block: `with trialwatt.measure(region="DE") as m:`; or, as a decorator, each call
    of a function.

    region: where the electricity comes from (an entry of the carbon table, or its two letters).
    prices, power_model: entries of the other tables. pue: of the data centre. hz: samples per
    second. cores: how many of the machine's the script is charged for (static energy, cost); by
    default all that it may use. accelerator: the entry of the price set that its devices cost.
    meters: which may be used, the first that works here first. tables: a folder with power.yaml,
    prices.yaml and carbon.yaml instead of the package's. budget: what the block may spend, as
    {"kwh": 0.01, "seconds": 600, "trials": 50} (gco2eq, cost): the callbacks end a search by it,
    `spent` tells anyone. line: whether the end says on stderr what it cost. Raises MeasureError
    where an option is wrong.
    """

    def __init__(
        self,
        *,
        region: str = "world",
        prices: str = "gcp-n2",
        power_model: str = "gcp-median",
        pue: float = 1.0,
        hz: float = 5.0,
        cores: float | None = None,
        accelerator: str | None = None,
        meters: Sequence[str] = METERS,
        tables: str | Path | None = None,
        budget: Mapping[str, float] | None = None,
        line: bool = True,
    ):
        self._options: dict[str, Any] = {
            "region": region,
            "prices": prices,
            "power_model": power_model,
            "pue": pue,
            "hz": hz,
            "cores": cores,
            "accelerator": accelerator,
            "meters": meters,
            "tables": tables,
        }
        self._settings = Settings.of(**self._options)
        self._budget, self._limits = budget, Limits(budget)
        self._line = line
        self._place = caller()
        self._lock = threading.RLock()
        self._trials: list[Trial] = []
        self._open: list[Trial] = []
        self._knots: list[tuple[int, int]] = []
        self._notes: list[str] = []
        self._pid = 0
        self._result: Result | None = None

    # --- the block ----------------------------------------------------------------------------

    def __enter__(self) -> Measure:
        if self._pid:
            raise MeasureError(
                f"{caller()}: this measure was begun at {self._place}: each block needs its own"
            )
        self._place = caller()
        outer = _running[-1] if _running else None
        self._tree = Tree()
        self._before = frozenset(self._tree.living())
        testbed = self._settings.testbed
        self._chosen: Chosen = open_available(testbed, self._settings.power, accelerators=True)
        self._sources = sources_of(self._chosen)
        self._sampling = Sampling(self._sources, testbed.sample_hz, self._tree.cpu_ns)
        self._pid = os.getpid()
        if outer is not None:
            self._say(
                f"this block lies within the one that {outer._place} measures, which holds its "
                "energy too: do not add them up",
                self._place,
            )
        self._start_ns = time.monotonic_ns()
        self._sampling.start()
        _running.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not self.is_own:
            warn(
                f"a forked child has left the block that process {self._pid} measures: it is "
                "measured there as long as that block lasts, and has no result of its own",
                caller(),
            )
            return
        _running.remove(self)
        self._sampling.stop()
        self._end_ns = time.monotonic_ns()
        begun = [one for one in self._tree.living() if one not in self._before]
        if begun:
            self._say(
                f"{', '.join(begun)} goes on after the block: what it draws from now on is not "
                "measured",
                caller(),
            )
        with self._lock:
            for trial in self._open:
                self._say("the trial that begins here had not ended with the block", trial.place)
        try:
            self._result = self._so_far(self._end_ns)
        finally:
            self._chosen.close()
        if self._line:
            print(self._result, file=sys.stderr, flush=True)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, each call of it measured; `.result` is that of the last call."""

        @functools.wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            block = Measure(**self._options, budget=self._budget, line=self._line)
            try:
                with block:
                    return function(*args, **kwargs)
            finally:
                measured.result = block.result  # type: ignore[attr-defined]

        return measured

    @property
    def is_own(self) -> bool:
        """Whether this process measures it: a forked child of it does not."""
        return self._pid == os.getpid()

    @property
    def result(self) -> Result:
        """Of the whole block; while it lasts, of what has passed.

        Raises MeasureError before the block has begun.
        """
        if self._result is not None:
            return self._result
        if not self.is_own:
            raise MeasureError(
                f"{caller()}: there is no result: the block has not begun, or belongs to the "
                "process that this one was forked from"
            )
        self._sampling.tick()
        return self._so_far(time.monotonic_ns())

    @property
    def spent(self) -> str:
        """What of the budget is spent, as "0.0101 of 0.01 kWh"; empty where some is left."""
        return self._limits.spent(lambda: self.result)

    # --- its trials ---------------------------------------------------------------------------

    def trial(self, phi: Any = None, place: Place | None = None) -> Trial:
        """A trial of these hyperparameters: `with m.trial(phi) as trial:`.

        place: what messages about it name, instead of this line.
        """
        return Trial(self, phi, place or caller())

    def add_trial(
        self,
        phi: Any,
        start_ns: int,
        end_ns: int,
        outcome: str = "completed",
        score: float | None = None,
        place: Place | None = None,
    ) -> None:
        """A trial that has passed, for frameworks that tell only afterwards.

        start_ns, end_ns: UTC in ns. Its CPU time is as exact as the samples are close.
        """
        trial = Trial(self, phi, place or caller())
        if not self._takes(trial):
            return
        ahead_ns = time.time_ns() - time.monotonic_ns()
        trial.outcome, trial.score, trial.ended = outcome, score, True
        trial.span = Span(start_ns - ahead_ns, max(start_ns, end_ns) - ahead_ns)
        with self._lock:
            self._trials.append(trial)

    def _begin(self, trial: Trial) -> None:
        if not self._takes(trial):
            return
        trial.thread = threading.get_ident()
        trial.clock = time.pthread_getcpuclockid(trial.thread)
        with self._lock:
            at_ns = self._knot()
            for other in self._open:
                if other.thread == trial.thread:
                    self._say(
                        f"a trial begins here while its thread is in the one of {other.place}: "
                        "what both use is divided evenly",
                        trial.place,
                    )
                    for one in (trial, other):
                        one.clock = None
                    if other.span is not None:
                        other.span.thread_ns.clear()
            trial.span = Span(at_ns, at_ns)
            self._trials.append(trial)
            self._open.append(trial)
            self._look_at(trial, at_ns)

    def _takes(self, trial: Trial) -> bool:
        """Whether the block lasts, in this process; a warning where not."""
        if self.is_own and self._result is None:
            return True
        why = "in a forked child" if self._pid and not self.is_own else "outside of its block"
        self._say(f"a trial {why} is not measured as one", trial.place)
        return False

    def _end(self, trial: Trial) -> None:
        if trial.span is None or not self.is_own or self._result is not None:
            return
        with self._lock:
            trial.span.end_ns = self._knot()
            self._open.remove(trial)

    def _knot(self) -> int:
        """The edge of a trial: the moment, with the CPU time of script and of threads."""
        at_ns, cpu_ns = self._sampling.knot()
        self._knots.append((at_ns, cpu_ns))
        for trial in self._open:
            self._look_at(trial, at_ns)
        return at_ns

    def _look_at(self, trial: Trial, at_ns: int) -> None:
        if trial.clock is not None and trial.span is not None:
            with suppress(OSError):  # its thread has ended before the trial
                trial.span.thread_ns.append((at_ns, time.clock_gettime_ns(trial.clock)))

    def _say(self, text: str, place: Place) -> None:
        """A warning, and a note of the result; each once."""
        if (note := f"{place}: {text}") not in self._notes:
            self._notes.append(note)
            warn(text, place)

    # --- the result ---------------------------------------------------------------------------

    def _so_far(self, end_ns: int) -> Result:
        with self._lock:
            trials, knots = list(self._trials), list(self._knots)
            spans = [self._span(trial, end_ns) for trial in trials]
        readings = self._sampling.readings
        cores = self._settings.cores or _usable(readings.cores)
        found = account(
            readings,
            (self._start_ns, end_ns),
            knots,
            spans,
            [
                supplied
                for source in self._sources
                for supplied in source.supplied(readings.cores, readings.memory_gb)
            ],
            min(1.0, cores / readings.cores),
            self._settings.testbed.sample_hz,
        )
        return result_of(
            found,
            trials,
            spans,
            (self._start_ns, end_ns),
            self._settings,
            self._sources,
            cores,
            readings.memory_gb * min(1.0, cores / readings.cores),
            [*self._notes, *self._sampling.errors],
            self._place,
        )

    def _span(self, trial: Trial, end_ns: int) -> Span:
        span = trial.span or Span(end_ns, end_ns)
        return span if trial.ended else Span(span.start_ns, end_ns, list(span.thread_ns))


def _usable(cores: int) -> float:
    """Cores that this process may use: its affinity, and the quota of its control group."""
    quota = None
    with suppress(OSError):  # no control group, so no quota
        quota = OwnGroup().limits()["cpu"]
    return min(len(usable_cores()), cores, quota or cores)
