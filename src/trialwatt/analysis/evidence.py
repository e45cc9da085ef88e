"""From tests to verdicts: the same rule for both hypotheses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from trialwatt.analysis.answers import (
    DEMONSTRATION,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    Answer,
    TestResult,
    text,
)
from trialwatt.analysis.convergence import REPETITIONS
from trialwatt.analysis.permutation import holm

ALPHA = 0.05
NO_RUNS = "all runs failed"
STRONG = 1.05
"""A ratio from which on we call an influence strong: the tolerance of the sweeps."""


@dataclass(frozen=True)
class Outcome:
    """One outcome within a scope. undecided: why nothing can be said of it, or empty.

    test: the test whose p decides. ratio, low, high: how large the influence is, as a ratio of
    energies of at least 1. words: what was found, for the sentence. more: effects beside it.
    """

    name: str
    undecided: str = ""
    test: TestResult | None = None
    ratio: float = math.nan
    low: float = math.nan
    high: float = math.nan
    words: str = ""
    more: tuple[TestResult, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """All that the data say within a scope. repetitions: the fewest of any cell."""

    scope: str
    primary: tuple[Outcome, ...]
    repetitions: int
    secondary: tuple[Outcome, ...] = ()
    remarks: tuple[str, ...] = field(default=())


def judge(hypothesis: str, evidence: Sequence[Evidence]) -> list[Answer]:
    """An answer per scope, p-values corrected over all of them.

    An outcome supports the hypothesis where the adjusted p is below 5 % and the ratio's interval
    lies at or above STRONG; it does not where p is not below, or the interval lies below STRONG.
    A scope is supported by any of its primary outcomes.
    """
    evidence = [replace(e, primary=_adjusted(e, evidence, "primary")) for e in evidence]
    evidence = [replace(e, secondary=_adjusted(e, evidence, "secondary")) for e in evidence]
    return [_answer(hypothesis, one) for one in evidence]


def overall(hypothesis: str, answers: Sequence[Answer]) -> Answer:
    """The answer over all scopes: supported (or not) where those that could be decided agree."""
    by_outcome: dict[str, list[Answer]] = {}
    for answer in answers:
        by_outcome.setdefault(answer.outcome, []).append(answer)
    if not answers:
        verdict = f"{UNDECIDED}: no experiment has data for it"
        return Answer(hypothesis, "all", verdict, f"{hypothesis}: {verdict}.")
    yes, no = by_outcome.get(SUPPORTED, []), by_outcome.get(NOT_SUPPORTED, [])
    counts = ", ".join(f"{outcome} in {len(those)}" for outcome, those in by_outcome.items())
    reasons = {a.verdict.removeprefix(f"{DEMONSTRATION}: ") for a in answers}
    if not yes and not no:
        verdict = reasons.pop() if len(reasons) == 1 else f"{UNDECIDED}: no scope can be decided"
    elif yes and no:
        verdict = f"{UNDECIDED}: the scopes disagree"
    elif 2 * len(yes or no) < len(answers):
        verdict = f"{UNDECIDED}: only {len(yes or no)} of {len(answers)} scopes can be decided"
    else:
        verdict = SUPPORTED if yes else NOT_SUPPORTED
    if any(answer.demonstration for answer in answers):
        verdict = f"{DEMONSTRATION}: {verdict}"
    scopes = "scope" if len(answers) == 1 else "scopes"
    sentence = f"{hypothesis}: {verdict} ({len(answers)} {scopes}: {counts})."
    return Answer(hypothesis, "all", verdict, sentence)


def _adjusted(one: Evidence, evidence: Sequence[Evidence], which: str) -> tuple[Outcome, ...]:
    every = [o for e in evidence for o in getattr(e, which)]
    adjusted = holm([o.test.p if o.test else math.nan for o in every])
    corrected = {id(o): p for o, p in zip(every, adjusted, strict=True)}
    return tuple(
        replace(o, test=replace(o.test, p_adjusted=float(corrected[id(o)]))) if o.test else o
        for o in getattr(one, which)
    )


def _answer(hypothesis: str, one: Evidence) -> Answer:
    decided = [_decide(outcome) for outcome in one.primary]
    if SUPPORTED in decided:
        verdict = SUPPORTED
    elif all(word == NOT_SUPPORTED for word in decided):
        verdict = NOT_SUPPORTED
    else:
        verdict = next(word for word in decided if word != NOT_SUPPORTED)
    if one.repetitions < REPETITIONS:
        verdict = f"{DEMONSTRATION}: {verdict}"
    findings = [_finding(outcome, word) for outcome, word in zip(one.primary, decided, strict=True)]
    findings += [_p_words(outcome, outcome.test) for outcome in one.secondary if outcome.test]
    sentence = " ".join(
        [f"{hypothesis} for {one.scope}: {verdict}.", *filter(None, findings), *one.remarks]
    )
    tests = []
    for outcome in (*one.primary, *one.secondary):
        tests += [outcome.test] if outcome.test else []
        tests += outcome.more
    return Answer(hypothesis, one.scope, verdict, sentence, tuple(tests))


def _decide(outcome: Outcome) -> str:
    if outcome.undecided or outcome.test is None:
        return f"{UNDECIDED}: {outcome.undecided}"
    if not outcome.test.p_adjusted < ALPHA:
        return NOT_SUPPORTED
    if outcome.low >= STRONG:
        return SUPPORTED
    if outcome.high < STRONG:
        return NOT_SUPPORTED
    return f"{UNDECIDED}: an influence, but whether it reaches {STRONG - 1:.0%} is not sure"


def _finding(outcome: Outcome, word: str) -> str:
    if outcome.undecided or outcome.test is None:
        return f"{outcome.name.capitalize()}: {outcome.undecided}.{_spaced(outcome.words)}"
    weak = word == NOT_SUPPORTED and outcome.test.p_adjusted < ALPHA
    size = f" There is an influence, but below {STRONG - 1:.0%}." if weak else ""
    return _p_words(outcome, outcome.test) + size


def _p_words(outcome: Outcome, test: TestResult) -> str:
    p = f"p = {text(test.p_adjusted)} after Holm, n = {test.n}"
    return f"{outcome.name.capitalize()}: {p}.{_spaced(outcome.words)}"


def _spaced(words: str) -> str:
    return f" {words}" if words else ""
