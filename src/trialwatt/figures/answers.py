"""The answers to the hypotheses as files, from the tables of all experiments.

| file | path in the results folder |
|---|---|
| verdicts and sentences | `tables/answers.csv`, `.md`, `.tex`, sidecar `.json` |
| every test behind them | `tables/answers-tests.csv`, `.md`, `.tex`, sidecar `.json` |
| best treatment per SUT by energy, all experiments | `tables/answers-best.csv`, … |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from trialwatt.analysis.answers import (
    ALL,
    TESTS_NOTE,
    Answer,
    answers_table,
    evidence_table,
    readable_answers,
    readable_tests,
)
from trialwatt.analysis.hypotheses import answers, concerned
from trialwatt.analysis.platforms import platforms_of
from trialwatt.analysis.recompute import PROCESSES, tables_under
from trialwatt.errors import TrialwattError
from trialwatt.figures.best import overall
from trialwatt.figures.make import Source, chain_of_all
from trialwatt.figures.notes import caveat
from trialwatt.figures.products import ANSWERS
from trialwatt.figures.replay_answers import files_of_replay, replay_tables
from trialwatt.figures.tablefiles import Table, write_table
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.power_range import models
from trialwatt.metrics.tables import read_runs

STEM, TESTS, _BEST = ANSWERS
TITLE = "Answers to the hypotheses"
NOTE = (
    "Computed from the runs of all experiments; the rule of a verdict stands in docs/analysis.md. "
    "Where energy is modelled, a verdict holds under every power model of the range or is "
    "undecided."
)


def write_answers(
    sources: Sequence[Source],
    context: MetricsContext,
    sets: Mapping[str, PowerParameters],
    replays: Sequence[str] = (),
    processes: int = PROCESSES,
) -> list[Path]:
    """Write the answers of these experiments, their tests and the best treatments; returns files.

    sources: of experiments that have their metrics tables, all below one results folder. context:
    the one that those were made with. sets: name → coefficients of a power model; modelled energies
    are taken anew under those that lie outside of our range of models, and under its corners.
    replays: the experiments that are replayed, below the same folder.
    """
    runs = _runs(sources)
    results = sources[0].results
    tables = tables_under(concerned(runs), results, context, models(sets), processes)
    replayed = replay_tables(results, replays) if replays else None
    platforms = platforms_of(runs, results)
    found = answers(tables, replayed=replayed, platforms=platforms, processes=processes)
    flagged = caveat(concerned(runs).drop_duplicates("folder"))
    found = [_with(flagged, answer) for answer in found]
    best = overall({one.experiment: runs[runs["experiment"] == one.experiment] for one in sources})
    made_of = [one.tables[0] for one in sources]
    made_of += [file for name in replays for file in files_of_replay(results, name)]
    provenance = chain_of_all("", sources, runs, made_of)
    tables = (
        Table(TITLE, answers_table(found), readable_answers(found), f"{flagged} {NOTE}".lstrip()),
        Table(
            f"{TITLE}, tests",
            evidence_table(found),
            readable_tests(evidence_table(found)),
            TESTS_NOTE,
        ),
        best,
    )
    written = []
    for name, table in zip(ANSWERS, tables, strict=True):
        own = provenance | {"kind": f"table/{name}"}
        written += write_table(results / "tables" / name, table, own)
    return written


def _with(flagged: str, answer: Answer) -> Answer:
    """The one over all scopes says in its sentence of how many flagged runs it is made."""
    if not flagged or answer.scope != ALL:
        return answer
    return replace(answer, sentence=f"{answer.sentence} {flagged}")


def _runs(sources: Sequence[Source]) -> pd.DataFrame:
    missing = [str(one.tables[0]) for one in sources if not one.tables[0].is_file()]
    if missing or not sources:
        raise TrialwattError(
            f"{', '.join(missing) or 'no experiment was given'}: missing; make the metrics first"
        )
    tables = [read_runs(one.tables[0]) for one in sources]
    some = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(some, ignore_index=True)
