"""From tests to verdicts: the same rule for both hypotheses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import stdtrit

from trialwatt.analysis import intervals
from trialwatt.analysis.answers import (
    ALL,
    DEMONSTRATION,
    EQUIVALENT,
    SUPPORTED,
    UNDECIDED,
    Answer,
    TestResult,
    text,
)
from trialwatt.analysis.convergence import REPETITIONS
from trialwatt.analysis.permutation import holm, least_p

ALPHA = 0.05
NO_RUNS = "all runs failed"
STRONG = 1.05
"""A ratio from which on we call an influence strong: the tolerance of the sweeps."""
ONE_SIDED = 1 - 2 * ALPHA
"""Of the interval that must lie on one side of STRONG: each of its ends is a test at ALPHA."""
MOST_BLOCKS = 200
"""More blocks than these nobody measures: no number is given then."""
OVER_BLOCKS = "95 %, bootstrap over blocks"
"""How most intervals are made."""


@dataclass(frozen=True)
class Ratio:
    """How large an influence is, as a ratio of energies of at least 1, with its 95 % interval
    low-high (`interval`: how it was made); at_least, at_most: the ends of that of ONE_SIDED.
    sd_log: standard deviation over blocks of its logarithm. NaN where nothing is known."""

    ratio: float = math.nan
    low: float = math.nan
    high: float = math.nan
    at_least: float = math.nan
    at_most: float = math.nan
    sd_log: float = math.nan
    interval: str = OVER_BLOCKS

    @classmethod
    def resampled(cls, ratio: float, sample: np.ndarray, blocks: int, sd_log: float) -> Ratio:
        """With the intervals of a bootstrap sample over so many blocks."""
        low, high = intervals.over_blocks(sample, blocks)
        return cls(ratio, low, high, *intervals.over_blocks(sample, blocks, ONE_SIDED), sd_log)

    def result(self, name: str, blocks: int, primary: bool = True) -> TestResult:
        """As an effect beside the tests."""
        nothing = (math.nan, math.nan, math.nan)
        found = (self.ratio, self.low, self.high)
        return TestResult(name, *nothing, *found, blocks, "ratio", self.interval, primary)


@dataclass(frozen=True)
class Outcome:
    """One outcome within a scope. undecided: why nothing can be said of it, or empty.

    test: the test whose p decides, of so many blocks, each a row in each of `places` (testbeds)
    that can be permuted in so many ways. size: of the influence. words: what was found, for the
    sentence. more: effects beside it.
    """

    name: str
    undecided: str = ""
    test: TestResult | None = None
    blocks: int = 0
    ways: int = 1
    places: int = 1
    size: Ratio = field(default=Ratio())
    words: str = ""
    more: tuple[TestResult, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """All that the data say within a scope. blocks: the fewest complete ones of any testbed."""

    scope: str
    primary: tuple[Outcome, ...]
    blocks: int
    secondary: tuple[Outcome, ...] = ()
    remarks: tuple[str, ...] = field(default=())


def judge(hypothesis: str, evidence: Sequence[Evidence]) -> list[Answer]:
    """An answer per scope, p-values corrected over all of them.

    An outcome supports the hypothesis where the adjusted p is below 5 % and the ratio's interval of
    ONE_SIDED lies at or above STRONG; it is equivalent where that lies below; anything else is
    undecided, with the blocks that would decide. A scope is supported by any of its primary
    outcomes, and equivalent where all are.
    """
    evidence = [replace(e, primary=_adjusted(e, evidence, "primary")) for e in evidence]
    evidence = [replace(e, secondary=_adjusted(e, evidence, "secondary")) for e in evidence]
    tests = sum(o.test is not None for e in evidence for o in e.primary)
    return [_answer(hypothesis, one, tests) for one in evidence]


def overall(hypothesis: str, answers: Sequence[Answer]) -> Answer:
    """The answer over all scopes: that of those that could be decided, where they agree."""
    by_outcome: dict[str, list[Answer]] = {}
    for answer in answers:
        by_outcome.setdefault(answer.outcome, []).append(answer)
    if not answers:
        verdict = f"{UNDECIDED}: no experiment has data for it"
        return Answer(hypothesis, ALL, verdict, f"{hypothesis}: {verdict}.")
    yes, no = by_outcome.get(SUPPORTED, []), by_outcome.get(EQUIVALENT, [])
    counts = ", ".join(
        f"{outcome} in {len(by_outcome[outcome])}"
        for outcome in (SUPPORTED, EQUIVALENT, UNDECIDED)
        if outcome in by_outcome
    )
    reasons = {a.verdict.removeprefix(f"{DEMONSTRATION}: ") for a in answers}
    if not yes and not no:
        verdict = reasons.pop() if len(reasons) == 1 else f"{UNDECIDED}: no scope can be decided"
    elif yes and no:
        verdict = f"{UNDECIDED}: the scopes disagree"
    elif 2 * len(yes or no) < len(answers):
        verdict = f"{UNDECIDED}: only {len(yes or no)} of {len(answers)} scopes can be decided"
    else:
        verdict = SUPPORTED if yes else EQUIVALENT
    if any(answer.demonstration for answer in answers):
        verdict = f"{DEMONSTRATION}: {verdict}"
    scopes = "scope" if len(answers) == 1 else "scopes"
    sentence = f"{hypothesis}: {verdict} ({len(answers)} {scopes}: {counts})."
    return Answer(hypothesis, ALL, verdict, sentence)


def _adjusted(one: Evidence, evidence: Sequence[Evidence], which: str) -> tuple[Outcome, ...]:
    every = [o for e in evidence for o in getattr(e, which)]
    adjusted = holm([o.test.p if o.test else math.nan for o in every])
    corrected = {id(o): p for o, p in zip(every, adjusted, strict=True)}
    return tuple(
        replace(o, test=replace(o.test, p_adjusted=float(corrected[id(o)]))) if o.test else o
        for o in getattr(one, which)
    )


def _answer(hypothesis: str, one: Evidence, tests: int) -> Answer:
    """tests: primary ones of the hypothesis."""
    decided = [_decide(outcome, tests) for outcome in one.primary]
    if SUPPORTED in decided:
        verdict = SUPPORTED
    elif all(word == EQUIVALENT for word in decided):
        verdict = EQUIVALENT
    else:
        verdict = next(word for word in decided if word != EQUIVALENT)
    if one.blocks < REPETITIONS:
        return _demonstration(hypothesis, one, verdict)
    findings = [_finding(outcome) for outcome in (*one.primary, *one.secondary)]
    sentence = " ".join(
        [f"{hypothesis} for {one.scope}: {verdict}.", *filter(None, findings), *one.remarks]
    )
    found = []
    for outcome in (*one.primary, *one.secondary):
        found += [outcome.test] if outcome.test else []
        found += outcome.more
    return Answer(hypothesis, one.scope, verdict, sentence, tuple(found))


def _demonstration(hypothesis: str, one: Evidence, verdict: str) -> Answer:
    """So few blocks carry no comparison: none is printed."""
    why = verdict.removeprefix(UNDECIDED).removeprefix(": ")
    if one.blocks and any(outcome.test for outcome in one.primary):
        why = f"{one.blocks} complete of {REPETITIONS} blocks that a comparison needs"
    verdict = f"{DEMONSTRATION}: {UNDECIDED}: {why}"
    sentence = " ".join([f"{hypothesis} for {one.scope}: {verdict}.", *one.remarks])
    return Answer(hypothesis, one.scope, verdict, sentence)


def _decide(outcome: Outcome, tests: int) -> str:
    if outcome.undecided or outcome.test is None:
        return f"{UNDECIDED}: {outcome.undecided}"
    needed = blocks_for_p(outcome.ways, tests, outcome.places)
    if outcome.blocks < needed:
        return f"{UNDECIDED}: needs {needed} blocks"
    if outcome.test.p_adjusted < ALPHA and outcome.size.at_least >= STRONG:
        return SUPPORTED
    if outcome.size.at_most <= STRONG:
        return EQUIVALENT
    return f"{UNDECIDED}: {_what_it_takes(outcome, tests)}"


def blocks_for_p(ways: int, tests: int = 1, places: int = 1) -> int:
    """The fewest blocks, of so many rows each, with which the smallest p of one of so many tests is
    below ALPHA."""
    return next(
        n for n in itertools.count(REPETITIONS) if least_p(n * places, ways) * tests < ALPHA
    )


def blocks_to_decide(outcome: Outcome, tests: int = 1) -> int | None:
    """With how many blocks the intervals would lie on one side of STRONG, if ratio and noise stay
    as they are; None where more than MOST_BLOCKS would be needed, or the noise is not known."""
    size = outcome.size
    away = abs(math.log(size.ratio)) - math.log(STRONG) if size.ratio > 0 else math.nan
    least = max(blocks_for_p(outcome.ways, tests, outcome.places), outcome.blocks + 1)
    n = np.arange(least, MOST_BLOCKS + 1)
    enough = stdtrit(n - 1, 1 - ALPHA) * size.sd_log / np.sqrt(n) <= abs(away)
    return int(n[enough.argmax()]) if enough.any() else None


def _what_it_takes(outcome: Outcome, tests: int) -> str:
    needed = blocks_to_decide(outcome, tests)
    about = f"about {needed} blocks" if needed else f"more than {MOST_BLOCKS} blocks, if any number"
    return f"{outcome.blocks} blocks leave it open, {about} would decide"


def _finding(outcome: Outcome) -> str:
    said = outcome.undecided
    if outcome.test:
        said = said or f"p = {text(outcome.test.p_adjusted)} after Holm, n = {outcome.test.n}"
    words = f" {outcome.words}" if outcome.words else ""
    return f"{outcome.name.capitalize()}: {said}.{words}" if said else ""
