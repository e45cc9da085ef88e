"""Answers to the hypotheses: verdict, sentence, the tests behind them, and how to print them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

SUPPORTED, EQUIVALENT, UNDECIDED = "supported", "equivalent", "undecided"
DEMONSTRATION = "demonstration only"
RECORDED = "as recorded"
REPLAYED = "replayed"
"""Of a verdict that comes from replayed searches: its first reason."""
ALL = "all"
"""The scope of the answer over all scopes."""
STATEMENTS = {
    "H1": "The deployment platform strongly influences the scaling configuration (memory, "
    "processors, accelerators, number of workers) that is best in energy efficiency.",
    "H2": "Search space, sampling strategy and pruning strategy strongly influence the waste, and "
    "so the overall energy efficiency, of a search.",
}
"""Hypothesis → what it says."""


@dataclass(frozen=True)
class TestResult:
    """One test or effect. p is NaN for what is an effect only.

    p_adjusted: after Holm's correction over all tests of the hypothesis (of the primary outcomes,
    or of the secondary ones). effect with its interval low-high is what effect_name says.
    n: blocks. coefficients: the power model under which energy was taken.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    name: str
    statistic: float
    p: float
    p_adjusted: float
    effect: float
    low: float
    high: float
    n: int
    effect_name: str = ""
    interval: str = ""
    primary: bool = True
    coefficients: str = RECORDED


@dataclass(frozen=True)
class Answer:
    """What the data say to a hypothesis within a scope ("all" or a SUT within an experiment).

    verdict: "supported", "equivalent" or "undecided: why", after "demonstration only: " where
    there were fewer than five blocks.
    """

    hypothesis: str
    scope: str
    verdict: str
    sentence: str
    tests: tuple[TestResult, ...] = ()

    @property
    def outcome(self) -> str:
        """The verdict without the mark of a demonstration and without the reason."""
        return self.verdict.removeprefix(f"{DEMONSTRATION}: ").split(":")[0]

    @property
    def demonstration(self) -> bool:
        return self.verdict.startswith(DEMONSTRATION)

    @property
    def words(self) -> str:
        """The verdict within a sentence: "undecided (one platform; demonstration only)"."""
        outcome, _, why = self.verdict.removeprefix(f"{DEMONSTRATION}: ").partition(": ")
        reasons = [why] * bool(why) + [DEMONSTRATION] * self.demonstration
        return f"{outcome} ({'; '.join(reasons)})" if reasons else outcome

    def under(self, coefficients: str) -> tuple[TestResult, ...]:
        """Its tests, marked with the power model that they were made under."""
        return tuple(replace(test, coefficients=coefficients) for test in self.tests)


_ANSWER_COLUMNS = ["hypothesis", "scope", "verdict", "sentence"]
_TEST_COLUMNS = [
    "hypothesis",
    "scope",
    "coefficients",
    "test",
    "primary",
    "statistic",
    "p",
    "p_adjusted",
    "effect_name",
    "effect",
    "low",
    "high",
    "interval",
    "n",
]


def answers_table(answers: Sequence[Answer]) -> pd.DataFrame:
    """A row per answer: hypothesis, scope, verdict, sentence."""
    rows = [[getattr(a, name) for name in _ANSWER_COLUMNS] for a in answers]
    return pd.DataFrame(rows, columns=_ANSWER_COLUMNS)


def evidence_table(answers: Sequence[Answer]) -> pd.DataFrame:
    """A row per test behind the answers, unrounded."""
    rows = [
        {"hypothesis": a.hypothesis, "scope": a.scope, "test": test.name, **asdict(test)}
        for a in answers
        for test in a.tests
    ]
    return pd.DataFrame(rows, columns=_TEST_COLUMNS)


def readable_answers(answers: Sequence[Answer]) -> pd.DataFrame:
    """The answers for people: a plain sentence each, the one over all scopes of each first."""
    table = answers_table(answers)[["hypothesis", "scope", "sentence"]]
    table = table.rename(columns={"sentence": "answer"})
    last = table["scope"] != "all"
    return table.iloc[last.argsort(kind="stable")].reset_index(drop=True)


TESTS_NOTE = (
    "p: permutation within blocks; adjusted after Holm over the primary (or the secondary) tests "
    "of the hypothesis. Effects with their 95 % interval from a bootstrap over blocks. n: blocks."
)


def readable_tests(tests: pd.DataFrame) -> pd.DataFrame:
    """The tests of `evidence_table` for people, three significant digits."""
    shown = tests[["hypothesis", "scope", "coefficients", "test"]].copy()
    for name in ("statistic", "p", "p_adjusted"):
        shown[name.replace("_", " ")] = [text(value) for value in tests[name]]
    shown["effect"] = [
        f"{row.effect_name} {text(row.effect)} ({text(row.low)}–{text(row.high)}; {row.interval})"
        if row.effect_name
        else "–"
        for row in tests.itertuples()
    ]
    shown["n"] = tests["n"]
    return shown


def text(value: float) -> str:
    """A number for people: three significant digits."""
    if math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else f"{value:.3g}"
