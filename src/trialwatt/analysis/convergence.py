"""The one definition of convergence of a sweep: its knee (docs/analysis.md, "Convergence").

Pure functions: the checkpoint loop asks where to go on, the figures ask what came out.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialwatt.analysis.answers import DEMONSTRATION

TOLERANCE = 0.05
REPETITIONS = 5
"""Fewer blocks are a demonstration."""
COVERAGE = 0.9
RESAMPLES = 1000
ALLOWANCE = 0.65
"""Standard errors beyond the tolerance at which a step is still chosen: the lowest of noisy means
lies below the truth, and without it a flat curve would look as if more helped."""
MOST_STEPS = 2
"""Of the interval of a sweep that has converged."""
_MORE_BLOCKS = (*range(5, 11), 12, 15, 20, 30, 50, 100)
_ROUNDING = 1e-9
SEED = 1

State = Literal["continue", "converged", "not converged", "undecided", "infeasible"]
"""continue: only in the moves of earlier versions."""
Status = Literal["completed", "infeasible", "failed"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One treatment of a sweep, with the JCT (ms) of its runs by the number of their block.

    status "infeasible": a valid observation without a JCT. status "failed": a hole, because its
    runs failed for another reason.
    """

    value: float
    jct_ms: Mapping[int, float] = field(default_factory=dict)
    status: Status = "completed"

    @property
    def counts(self) -> bool:
        return self.status == "completed" and bool(self.known)

    @property
    def known(self) -> dict[int, float]:
        return {n: ms for n, ms in self.jct_ms.items() if math.isfinite(ms) and ms > 0}


@dataclass(frozen=True)
class Verdict:
    """What a sweep says.

    converged_value: the chosen step's treatment, if the state is "converged". best_value: the
    treatment with the smallest JCT, if any is known. knee: the step that is chosen by what is known
    so far; low, high: the treatments between which it lies. demonstration: there are fewer than
    five blocks, and no interval is called 90 %.
    blocks_to_decide: how many blocks would, where it is undecided and that can be told.
    """

    state: State
    converged_value: float | None
    best_value: float | None
    reason: str
    demonstration: bool = False
    knee: float | None = None
    low: float | None = None
    high: float | None = None
    blocks_to_decide: int | None = None


class Knee(NamedTuple):
    """Places among the steps: the chosen one, the ends of the interval, the smallest mean."""

    chosen: int
    low: int
    high: int
    best: int


def told(state: str, reason: str, demonstration: bool) -> str:
    """How a sweep ended, and why, in words."""
    return (
        f"{f'{DEMONSTRATION}: ' if demonstration else ''}{state}{f': {reason}' if reason else ''}"
    )


def knee(
    log_jct: Floats, tolerance: float = TOLERANCE, resamples: int = RESAMPLES, blocks: int = 0
) -> Knee:
    """The smallest step within the tolerance of the best that more can give.

    log_jct: (blocks, steps), NaN where a run is missing; each row and column holds some number.
    The estimate is an isotonic (falling) regression of the means of the block-adjusted values, the
    interval the bootstrap over blocks. blocks: how many are drawn, where not as many as there are:
    what the interval would be with so many.
    """
    adjusted, known = _within_blocks(log_jct), np.isfinite(log_jct)
    each = known.sum(axis=0)
    means = np.nansum(adjusted, axis=0) / each
    # Resampled values vary less than new ones would, by this factor.
    spread = np.sqrt(each / np.maximum(each - 1, 1))
    values = np.where(known, means + (adjusted - means) * spread, 0.0)
    drawn = _drawn(len(log_jct), blocks or len(log_jct), resamples)
    weights = drawn @ known.astype(float) + _ROUNDING  # one that was not drawn keeps its mean
    gaps = _gaps((drawn @ values + _ROUNDING * means) / weights, weights)
    limit = math.log1p(tolerance) + _ROUNDING
    allowed = limit + ALLOWANCE * gaps.std(axis=0)
    chosen = int((_gaps(means[None], each[None].astype(float))[0] <= allowed).argmax())
    ends = np.sort((gaps <= limit).argmax(axis=1))
    outside = int((1 - COVERAGE) / 2 * resamples)
    low, high = int(ends[outside]), int(ends[-1 - outside])
    return Knee(chosen, min(low, chosen), max(high, chosen), int(means.argmin()))


def falling(values: Floats, weights: Floats) -> Floats:
    """Isotonic (non-increasing) regression of each row: that of scipy, for many rows at once."""
    count = values.shape[1]
    sums = np.cumsum(np.pad(weights * values, ((0, 0), (1, 0))), axis=1)
    masses = np.cumsum(np.pad(weights, ((0, 0), (1, 0))), axis=1)
    fitted = np.full(values.shape, np.inf)
    for first in range(count):
        means = (sums[:, first + 1 :] - sums[:, [first]]) / (
            masses[:, first + 1 :] - masses[:, [first]]
        )
        highest = np.maximum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        fitted[:, first:] = np.minimum(fitted[:, first:], highest)
    return fitted


def flat_from(jct_ms: Sequence[float], tolerance: float) -> int:
    """Place of the first of single runs after which nothing improves by more than the tolerance.

    jct_ms: by rising treatment, NaN where one did not complete; at least one did.
    """
    there = [place for place, one in enumerate(jct_ms) if math.isfinite(one) and one > 0]
    logs = np.log([[jct_ms[place] for place in there]])
    return there[int((_gaps(logs, np.ones_like(logs))[0] <= math.log1p(tolerance)).argmax())]


def assess(steps: Sequence[Step], values: Sequence[float], tolerance: float = TOLERANCE) -> Verdict:
    """How a sweep ended, or would if it ended now.

    steps: those that were tried, by rising treatment; values: all treatments that there are,
    rising. Raises ValueError for steps out of order, or a tolerance outside (0, 1).
    """
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must lie between 0 and 1 (got {tolerance})")
    if any(b.value <= a.value for a, b in itertools.pairwise(steps)):
        raise ValueError("the treatments of a sweep must rise from step to step")
    sweep = _Sweep(steps, values, tolerance)
    holes = sum(step.status != "infeasible" and not step.counts for step in steps)
    if not sweep.known:
        if steps and not holes:
            return Verdict("infeasible", None, None, "no treatment of the sweep was feasible")
        said = sweep.verdict("undecided", "no step could be measured")
    else:
        said = sweep.judged()
    more = f"; {holes} failed step{'' if holes == 1 else 's'} not known"
    return replace(said, reason=said.reason + more) if holes else said


class _Sweep:
    """What is known of the steps that were tried, in blocks."""

    def __init__(self, steps: Sequence[Step], values: Sequence[float], tolerance: float):
        self.known = [step for step in steps if step.counts]
        self._tried = {one.value for one in steps if one.counts or one.status == "infeasible"}
        self._values, self._tolerance = values, tolerance
        self._blocks = sorted({number for step in self.known for number in step.known})
        rows = [[step.known.get(n, math.nan) for step in self.known] for n in self._blocks]
        self._log_jct = np.log(np.array(rows, dtype=float))

    def judged(self) -> Verdict:
        found = knee(self._log_jct, self._tolerance)
        low, high = self._between(found)
        chosen = self.known[found.chosen].value
        inside = {"knee": chosen, "low": low, "high": high}
        inside["best_value"] = self.known[found.best].value
        where = f"the knee lies between {low:g} and {high:g}"
        if self._touches(found):
            return self.verdict(
                "not converged", f"{where}, the maximum: more may still help", **inside
            )
        if self._decides(found):
            reason = (
                f"{chosen:g} is the smallest feasible treatment within {self._tolerance:.0%} of "
                "the best that more can give"
            )
            return self.verdict("converged", reason, converged_value=chosen, **inside)
        needed, more = self._to_decide(low, high)
        reason = f"{where}; {more}"
        return self.verdict("undecided", reason, blocks_to_decide=needed, **inside)

    def verdict(self, state: State, reason: str, **more: Any) -> Verdict:
        count = len(self._blocks)
        blocks = f"{count} block{'' if count == 1 else 's'}"
        few = count < REPETITIONS
        if self.known:
            reason += f" ({blocks})" if few else f" ({COVERAGE:.0%} interval, {blocks})"
        known = {"converged_value": None, "best_value": None} | more
        return Verdict(state, reason=reason, demonstration=few, **known)

    def _touches(self, found: Knee) -> bool:
        return found.high == len(self.known) - 1

    def _between(self, found: Knee) -> tuple[float, float]:
        """The knee may be any treatment after the last one that was tried and is below it."""
        lowest = self.known[found.low].value
        before = max((value for value in self._tried if value < lowest), default=-math.inf)
        return min(v for v in self._values if v > before), self.known[found.high].value

    def _decides(self, found: Knee) -> bool:
        low, high = self._between(found)
        return sum(low <= value <= high for value in self._values) <= MOST_STEPS

    def _to_decide(self, low: float, high: float) -> tuple[int | None, str]:
        """How many blocks would decide, where that can be told, and what to do in words."""
        if not self._tried.issuperset(one for one in self._values if low <= one <= high):
            return None, "further blocks hold the steps between"
        place = bisect_left(_MORE_BLOCKS, True, key=self._would_decide)
        if place == len(_MORE_BLOCKS):
            return None, f"{_MORE_BLOCKS[-1]} blocks would not decide"
        return _MORE_BLOCKS[place], f"{_MORE_BLOCKS[place]} blocks would decide"

    def _would_decide(self, blocks: int) -> bool:
        if blocks <= len(self._blocks):
            return False
        found = knee(self._log_jct, self._tolerance, blocks=blocks)
        return self._decides(found) and not self._touches(found)


def _within_blocks(log_jct: Floats) -> Floats:
    """Without the effects of blocks: where no run is missing, deviations from each block's mean;
    else by least squares, so that what a block lacks does not shift its others."""
    block, step = np.nonzero(np.isfinite(log_jct))
    blocks, steps = log_jct.shape
    design = np.hstack([np.eye(blocks)[block], np.eye(steps)[step]])
    effects = np.linalg.lstsq(design, log_jct[block, step])[0]
    adjusted: Floats = log_jct - effects[:blocks, None]
    return adjusted


@lru_cache(maxsize=64)
def _drawn(there: int, drawn: int, resamples: int) -> Floats:
    """(resamples, there) how often each block is drawn."""
    draws = np.random.default_rng(SEED).multinomial(drawn, np.full(there, 1 / there), resamples)
    return draws.astype(float)


def _gaps(means: Floats, weights: Floats) -> Floats:
    """(rows, steps) by how much, in logs, the best that more can give is below each step."""
    fitted = falling(means, weights)
    gaps: Floats = fitted - fitted[:, -1:]
    return gaps
