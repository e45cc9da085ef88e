"""The one definition of convergence of a sweep (docs/analysis.md, "Convergence").

Pure functions: the checkpoint loop asks what to run next, the figures ask what came out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from trialwatt.analysis.answers import DEMONSTRATION
from trialwatt.analysis.intervals import Summary, summary

TOLERANCE = 0.05
PATIENCE = 2
REPETITIONS = 5
MOST_REPETITIONS = 10
"""Fewer than REPETITIONS is a demonstration; more than MOST_REPETITIONS are never made."""

_ROUNDING = 1e-9

State = Literal["continue", "converged", "not converged", "undecided", "infeasible"]

Status = Literal["completed", "infeasible", "failed"]


@dataclass(frozen=True)
class Step:
    """One treatment of a sweep, with the JCT (ms) of its repetitions.

    status "infeasible": a valid observation without a JCT. status "failed": a hole, because its
    runs failed for another reason. Both keep their place, but neither counts for the sweep's end.
    """

    value: float
    jct_ms: tuple[float, ...] = ()
    status: Status = "completed"

    @property
    def counts(self) -> bool:
        return self.status == "completed" and any(map(math.isfinite, self.jct_ms))

    @property
    def repetitions(self) -> int:
        return sum(map(math.isfinite, self.jct_ms))


@dataclass(frozen=True)
class Verdict:
    """What a sweep says so far.

    converged_value: the converged step's treatment, if the state is "converged". best_value: the
    treatment with the smallest median JCT, if any is known. demonstration: a step that counts has
    fewer than five repetitions.
    """

    state: State
    converged_value: float | None
    best_value: float | None
    reason: str
    demonstration: bool = False


def told(state: str, reason: str, demonstration: bool) -> str:
    """How a sweep ended, and why, in words."""
    return (
        f"{f'{DEMONSTRATION}: ' if demonstration else ''}{state}{f': {reason}' if reason else ''}"
    )


def half_width(jct_ms: Iterable[float]) -> float:
    """Half of the interval's width ÷ median; NaN without a value, 0 for a single one.

    The interval is that of `intervals.summary`: the bootstrap's from six values on, below the
    range (which holds the median of five with a probability of 94 %).
    """
    return _relative(summary(jct_ms))


def needs_more_repetitions(
    jct_ms: Sequence[float],
    tolerance: float = TOLERANCE,
    minimum: int = REPETITIONS,
    maximum: int = MOST_REPETITIONS,
) -> bool:
    """Whether one more repetition is to be made: until half_width is within tolerance.

    A repetition without a finite JCT counts as made, but tells nothing.
    """
    _check_tolerance(tolerance)
    if len(jct_ms) >= max(minimum, maximum):
        return False
    if len(jct_ms) < minimum:
        return True
    return not half_width(jct_ms) <= tolerance + _ROUNDING


def assess(
    steps: Sequence[Step],
    *,
    baseline: Step | None = None,
    tolerance: float = TOLERANCE,
    patience: int = PATIENCE,
    maximum_reached: bool = False,
) -> Verdict:
    """Whether the sweep goes on, and if not, how it ended.

    steps: those run so far, by rising treatment. baseline: the Baseline's step, which has its
    place among them; beyond the last step it uses up no patience, but while it is better than
    all steps by the tolerance or more, the sweep goes on. maximum_reached: there is no further
    treatment. Raises ValueError for steps out of order, or a tolerance outside (0, 1).
    """
    _check_tolerance(tolerance)
    if patience < 1:
        raise ValueError(f"patience must be at least 1 (got {patience})")
    if any(b.value <= a.value for a, b in itertools.pairwise(steps)):
        raise ValueError("the treatments of a sweep must rise from step to step")
    ahead, passed = _place(steps, baseline)
    points = [_Point(step.value, summary(step.jct_ms)) for step in passed if step.counts]
    known = [*points, *(_Point(s.value, summary(s.jct_ms)) for s in ahead if s.counts)]
    demonstration = any(s.repetitions < REPETITIONS for s in (*passed, *ahead) if s.counts)
    holes = sum(s.status != "infeasible" and not s.counts for s in steps)
    suffix = f"; {holes} failed {_plural('step', holes)} not known" if holes else ""

    def verdict(state: State, reason: str, converged: float | None = None) -> Verdict:
        best = _best(known).value if known else None
        return Verdict(state, converged, best, reason + suffix, demonstration)

    if not known:
        if not maximum_reached:
            return verdict("continue", "no treatment was feasible yet")
        if steps and not holes:
            return verdict("infeasible", "no treatment of the sweep was feasible")
        return verdict("undecided", "no step could be measured")

    best = _best(known)
    judged = [_improvement(point, points[:i], tolerance) for i, point in enumerate(points)]
    idle = sum(1 for _ in itertools.takewhile(lambda one: not one.improved, reversed(judged)))
    better_ahead = bool(points) and any(
        _gain(_best(points).median, point.median) >= tolerance - _ROUNDING
        for point in known[len(points) :]
    )
    stopped = idle >= patience and not better_ahead
    if not stopped and not maximum_reached:
        more = f"{idle} of {patience} steps without an improvement of {tolerance:.0%}"
        if better_ahead and idle >= patience:
            more = f"the Baseline ({known[-1].value:g}) further on is better by {tolerance:.0%}"
        return verdict("continue", more)

    unclear = [one.value for one in judged[-patience:] if one.unclear]
    if unclear:
        words = ", ".join(f"{value:g}" for value in unclear)
        return verdict("undecided", f"too noisy to say whether there was an improvement at {words}")
    if not stopped:
        if not points:
            return verdict("not converged", "maximum reached; only the Baseline was feasible")
        return verdict("not converged", "maximum reached while it may still improve")
    if _relative(best.jct) > tolerance + _ROUNDING:
        return verdict(
            "undecided",
            f"the interval of the best step ({best.value:g}) is wider than ±{tolerance:.0%}",
        )
    near = [p for p in known if p.median <= best.median * (1 + tolerance + _ROUNDING)]
    smallest = min(near, key=lambda point: point.value)
    return verdict(
        "converged",
        f"{smallest.value:g} is the smallest feasible treatment within {tolerance:.0%} of the "
        f"best ({best.value:g})",
        smallest.value,
    )


@dataclass(frozen=True)
class _Point:
    value: float
    jct: Summary

    @property
    def median(self) -> float:
        return self.jct.median


@dataclass(frozen=True)
class _Judged:
    """unclear: noise leaves open whether the step improved."""

    value: float
    improved: bool
    unclear: bool


def _place(steps: Sequence[Step], baseline: Step | None) -> tuple[list[Step], list[Step]]:
    """The Baseline where it lies beyond the last step; the steps, else with it at its place."""
    if baseline is None or any(step.value == baseline.value for step in steps):
        return [], list(steps)
    if not steps or baseline.value > steps[-1].value:
        return [baseline], list(steps)
    return [], sorted([*steps, baseline], key=lambda step: step.value)


def _improvement(point: _Point, before: list[_Point], tolerance: float) -> _Judged:
    if not before:
        return _Judged(point.value, True, False)
    best = _best(before)
    improved = _gain(best.median, point.median) >= tolerance - _ROUNDING
    noisy = _relative(point.jct) > tolerance + _ROUNDING
    line = best.median * (1 - tolerance)
    return _Judged(point.value, improved, noisy and point.jct.low <= line <= point.jct.high)


def _gain(old: float, new: float) -> float:
    return (old - new) / old if old > 0 else 0.0


def _best(points: Sequence[_Point]) -> _Point:
    """The smallest median; of equal ones the smallest treatment."""
    return min(points, key=lambda point: (point.median, point.value))


def _relative(jct: Summary) -> float:
    if jct.kind == "none":
        return math.nan
    if jct.median <= 0:
        return math.inf if jct.high > jct.low else 0.0
    return (jct.high - jct.low) / 2 / jct.median


def _check_tolerance(tolerance: float) -> None:
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must lie between 0 and 1 (got {tolerance})")


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
