"""What replay's answers hang on: the same searches, fewer of them, under other assumptions.

A strategy decides the same whatever a watt is: under another power model its trials are those that
were decided once, at other prices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from trialwatt.analysis.answers import RECORDED
from trialwatt.analysis.recompute import tables_under
from trialwatt.analysis.sensitivity import AS_IT_IS, COST, KIND, LENGTH, POWER, VALUE, WORKERS
from trialwatt.config.models import RunConfig
from trialwatt.config.space import most_trials
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.metrics.columns import Column, schema, validate
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.power_range import models
from trialwatt.metrics.processes import PROCESSES, mapped
from trialwatt.metrics.tables import read_runs
from trialwatt.provenance.embed import write_sidecar
from trialwatt.replay.columns import EXPERIMENT, REPLAYED
from trialwatt.replay.experiment import FOLDER, read_said, replayed
from trialwatt.replay.laws import Laws
from trialwatt.replay.measured import table_of
from trialwatt.replay.progress import Progress
from trialwatt.replay.results import read_table
from trialwatt.replay.run import Replay
from trialwatt.replay.table import TrialTable, load, write_parquet
from trialwatt.replay.trials import lengthened
from trialwatt.replay.workflow import TABLE, Asked, Described, chain_of, in_common, replay_of

NAME = "sensitivity.parquet"
COUNTS = (1, 4, 16, 64)
"""Numbers of virtual workers; those above a search's budget are left out."""
LENGTHS = (0.1, 10.0, 100.0)
"""By which the seconds and joules of epochs are multiplied."""
EACH = 200
"""Searches of each strategy under each assumption."""
_CHUNK = 10
"""Searches that a process does at once."""


@dataclass(frozen=True)
class Assumption:
    """What searches are replayed with. kind, value: what is changed (analysis.sensitivity).

    workers: how many, if not as they were. length: factor on the epochs of trials.
    """

    kind: str
    value: str
    table: TrialTable
    laws: Laws | None
    workers: int | None = None
    length: float = 1.0

    def applies(self, run: RunConfig) -> bool:
        """Whether it is a change for this strategy, and there are no more workers than trials."""
        if self.workers is None:
            return True
        budget = most_trials(run.workload)
        is_other = self.workers != run.workload.workers.count
        return is_other and (budget is None or self.workers <= budget)

    def of(self, run: RunConfig) -> RunConfig:
        """The run that would be live under it."""
        if self.workers is None:
            return run
        workers = run.workload.workers.model_copy(update={"count": self.workers})
        workload = run.workload.model_copy(update={"workers": workers})
        return run.model_copy(update={"workload": workload})


def assumptions(
    tables: Mapping[str, TrialTable], laws: Mapping[str, Laws] | None
) -> list[Assumption]:
    """As it is, and then all that change one thing.

    tables, laws: the trial table and what frameworks cost, as recorded and under each other power
    model; laws None where that cost is not counted.
    """

    def law(model: str) -> Laws | None:
        return None if laws is None else laws[model]

    table, own = tables[RECORDED], law(RECORDED)
    found = [Assumption(AS_IT_IS, RECORDED, table, own)]
    found += [Assumption(POWER, n, each, law(n)) for n, each in tables.items() if n != RECORDED]
    found += [Assumption(WORKERS, f"{count}", table, own, workers=count) for count in COUNTS]
    found += [Assumption(LENGTH, f"× {by:g}", table, own, length=by) for by in LENGTHS]
    return [*found, *([Assumption(COST, "left out", table, None)] if own is not None else [])]


COLUMNS = [
    Column(KIND, "text", "", "what is changed", REPLAYED),
    Column(VALUE, "text", "", "to what", REPLAYED),
    *EXPERIMENT["searches"],
]
"""Of the table of these searches."""


def make_sensitivity(
    replay: Asked,
    described: Described,
    results: Path,
    output: Path,
    sets: Mapping[str, PowerParameters],
    context: MetricsContext,
    processes: int = PROCESSES,
) -> None:
    """The searches of every strategy that was replayed, under every assumption, with the sidecar.

    sets, context: as figures.answers takes them. The power model is only varied where energy is
    modelled, and where the records of what frameworks cost are those of this plan.
    """
    table = load(results / TABLE)
    corners = _models(replay, table, sets)
    folders = [results / one.folder for one in table.facts.sources]
    stated = table.facts.context
    tables = {RECORDED: table} | {
        name: table_of(folders, stated, processes, power) for name, power in corners.items()
    }
    every = assumptions(tables, _laws(replay, table, results, corners, context, processes))
    said = read_said(output.parent)
    wanted = {(one["hash"], one["treatment"]): n for n, one in enumerate(said["strategies"])}
    each = [
        (place, row, run)
        for row, run in zip(replay.rows, replay.runs(), strict=True)
        if (place := wanted.get((row.hash, row.treatment))) is not None
    ]
    count = min(EACH, replay.searches)
    jobs = sum(one.applies(run) for _, _, run in each for one in every)
    progress = Progress(jobs * count, f"{described.experiment}, sensitivity")
    parts = []
    for place, row, run in each:
        for one, found in searched_under(every, run, count, processes, progress):
            known = in_common(row, one.of(run), table)
            told = {KIND: one.kind, VALUE: one.value}
            parts.append(found.assign(**told, strategy=place, **known))
    frame = pd.concat(parts, ignore_index=True)
    rows = pa.Table.from_pandas(frame, schema(COLUMNS), preserve_index=False)
    validate(rows, COLUMNS, NAME)
    write_parquet(rows.replace_schema_metadata(None), output)
    searches = replayed(output.parent, said)
    made_of = [output.with_name(f"{name}.parquet") for name in EXPERIMENT]
    known = chain_of(searches, "table/sensitivity", described, made_of)
    write_sidecar(output.with_suffix(""), known, [output])


def read_sensitivity(results: Path, experiment: str) -> pd.DataFrame:
    """What make_sensitivity wrote. Raises TrialwattError where it is missing or damaged."""
    return read_table(results / FOLDER / experiment / NAME, COLUMNS)


def _models(
    replay: Asked, table: TrialTable, sets: Mapping[str, PowerParameters]
) -> dict[str, PowerParameters]:
    if "modelled" not in table.facts.methods or replay.cost_elsewhere:
        return {}
    return models(sets)


def _laws(
    replay: Asked,
    table: TrialTable,
    results: Path,
    corners: Mapping[str, PowerParameters],
    context: MetricsContext,
    processes: int,
) -> dict[str, Laws] | None:
    if replay.cost is None:
        return None
    file, testbed = results / replay.cost, table.config.testbed_name
    runs = read_runs(file)
    recorded = Laws(file, testbed, runs)
    here = runs[runs["testbed"] == testbed]
    under = tables_under(here, results, context, corners, processes) if corners else {}
    return {RECORDED: recorded} | {
        name: Laws(file, testbed, under[name]) if name in under else recorded for name in corners
    }


def searched_under(
    every: Sequence[Assumption],
    run: RunConfig,
    count: int,
    processes: int,
    progress: Callable[[int], None],
) -> Iterator[tuple[Assumption, pd.DataFrame]]:
    """So many searches of a strategy under each assumption that is a change for it; those that
    differ in watts alone are decided once.

    run: what would be live. progress: is told how many more are done.
    """
    known = [one for one in every if one.applies(run)]
    watts = [one for one in known if one.kind in (AS_IT_IS, POWER)]
    for group in filter(None, [watts, *([one] for one in known if one not in watts)]):
        replays = [_replay(one, run) for one in group]
        numbers = range(1, count + 1)
        parts = [numbers[first : first + _CHUNK] for first in range(0, count, _CHUNK)]
        rows: list[list[dict[str, Any]]] = [[] for _ in group]
        for found in mapped(partial(_rows, replays), parts, processes, 1):
            for own, more in zip(rows, found, strict=True):
                own += more
                progress(len(more))
        yield from zip(group, map(pd.DataFrame, rows), strict=True)


def _rows(replays: Sequence[Replay], numbers: Iterable[int]) -> list[list[dict[str, Any]]]:
    """Of each replay a row per search; they differ in watts alone."""
    found: list[list[dict[str, Any]]] = [[] for _ in replays]
    for number in numbers:
        log = replays[0].decided(number)
        for own, replay in zip(found, replays, strict=True):
            own.append(replay.row(number, log)[0])
    return found


def _replay(assumption: Assumption, run: RunConfig) -> Replay:
    replay = replay_of(assumption.of(run), assumption.table, assumption.laws)
    replay.trials = lengthened(replay.trials, assumption.length)
    return replay
