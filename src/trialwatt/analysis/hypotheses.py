"""H1 and H2: their answers, over a range of power models where energy is modelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import pandas as pd

from trialwatt.analysis import platform_effect, search_effect
from trialwatt.analysis.answers import DEMONSTRATION, RECORDED, REPLAYED, UNDECIDED, Answer
from trialwatt.analysis.columns import by_experiment, is_modelled, varied
from trialwatt.analysis.evidence import Evidence, judge, overall
from trialwatt.config.factors import hypotheses
from trialwatt.metrics.processes import mapped

RESAMPLES = 4999
_BY_MODEL = f"{UNDECIDED}: depends on the power model"

Tables: TypeAlias = pd.DataFrame | Mapping[str, pd.DataFrame]


def h1(
    tables: Tables,
    *,
    platforms: Mapping[str, str] | None = None,
    resamples: int = RESAMPLES,
    processes: int = 1,
) -> list[Answer]:
    """H1: the platform strongly influences which scaling is best in energy efficiency.

    tables: the runs table of one or several experiments, or one per power model
    (`recompute.tables_under`). platforms: testbed → machine, for testbeds that are scalings of
    the same one. processes: over which the models are spread. An answer per SUT and resource
    experiment, then the one over "all".
    """
    return _answers(
        "H1",
        tables,
        partial(platform_effect.evidence, platforms=platforms or {}, resamples=resamples),
        processes,
    )


def h2(
    tables: Tables,
    *,
    replayed: Tables | None = None,
    resamples: int = RESAMPLES,
    processes: int = 1,
) -> list[Answer]:
    """H2: space, sampling and pruning strongly influence waste and so energy efficiency.

    An answer per SUT, search experiment and testbed, then the one over "all". See `h1`. replayed:
    what was replayed of search experiments (analysis.replayed.per_seed); where there is any, the
    answer over "all" comes from it, and the live runs' are its check.
    """
    evidence = partial(search_effect.evidence, resamples=resamples)
    live = _answers("H2", tables, evidence, processes)
    if replayed is None:
        return live
    *scopes, whole = _answers("H2", replayed, evidence, processes)
    *checks, check = live
    verdict = whole.verdict.removeprefix(f"{DEMONSTRATION}: ")
    outcome, _, why = verdict.partition(": ")
    mark = f"{DEMONSTRATION}: " if whole.demonstration else ""
    said = whole.sentence.removeprefix("H2: ").removeprefix(mark)
    sentence = f"H2, replayed: {mark}{said} Live searches, as its check: {check.words}."
    verdict = ": ".join(filter(None, [outcome, REPLAYED, why]))
    return [*scopes, *checks, replace(whole, verdict=f"{mark}{verdict}", sentence=sentence)]


def concerned(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of the runs table that either hypothesis is about."""
    return runs[_concerns("H1", runs) | _concerns("H2", runs)].reset_index(drop=True)


def answers(
    tables: Tables,
    *,
    replayed: Tables | None = None,
    platforms: Mapping[str, str] | None = None,
    resamples: int = RESAMPLES,
    processes: int = 1,
) -> list[Answer]:
    """The answers to both hypotheses."""
    found = h1(tables, platforms=platforms, resamples=resamples, processes=processes)
    return found + h2(tables, replayed=replayed, resamples=resamples, processes=processes)


def _concerns(hypothesis: str, runs: pd.DataFrame) -> pd.Series:
    found = pd.Series(False, runs.index)
    for _, rows in by_experiment(runs):
        found[rows.index] = hypothesis in hypotheses(varied(rows))
    return found


def _answers(
    hypothesis: str,
    tables: Tables,
    evidence: Callable[[pd.DataFrame], list[Evidence]],
    processes: int,
) -> list[Answer]:
    if isinstance(tables, pd.DataFrame):
        tables = {RECORDED: tables}
    if not tables:
        raise ValueError("no table of runs was given")
    tables = {name: table.reset_index(drop=True) for name, table in tables.items()}
    first, *others = tables
    modelled = is_modelled(tables[first][_concerns(hypothesis, tables[first])])
    names = [first, *others] if modelled else [first]
    each = mapped(evidence, [tables[name] for name in names], processes, chunk=1)
    by_name = {name: judge(hypothesis, one) for name, one in zip(names, each, strict=True)}
    found = [
        _agreed(answer, {name: _of(by_name[name], answer.scope) for name in names}, modelled)
        for answer in by_name[first]
    ]
    return [*found, overall(hypothesis, found)]


def _of(answers: list[Answer], scope: str) -> Answer | None:
    return next((answer for answer in answers if answer.scope == scope), None)


def _agreed(answer: Answer, under: Mapping[str, Answer | None], modelled: bool) -> Answer:
    """The answer if it is the same under all power models."""
    tests = tuple(t for name, other in under.items() if other for t in other.under(name))
    if not modelled:
        return replace(answer, tests=tests)
    outcomes = {name: other.outcome if other else "no data" for name, other in under.items()}
    if len(set(outcomes.values())) == 1:
        models = "one power model only" if len(under) == 1 else f"each of {len(under)} power models"
        sentence = f"{answer.sentence} Energy is modelled; the same holds under {models}."
        return replace(answer, tests=tests, sentence=sentence)
    mark = f"{DEMONSTRATION}: " if answer.demonstration else ""
    verdict = f"{mark}{_BY_MODEL}"
    each = "; ".join(
        f"{outcome} under {', '.join(f'“{n}”' for n, o in outcomes.items() if o == outcome)}"
        for outcome in dict.fromkeys(outcomes.values())
    )
    sentence = f"{answer.hypothesis} for {answer.scope}: {verdict} ({each})."
    return replace(answer, verdict=verdict, sentence=sentence, tests=tests)
