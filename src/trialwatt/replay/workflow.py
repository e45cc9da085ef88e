"""The replay of a plan: its trial table, its searches, and what live runs say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from trialwatt.config.factors import FACTORS
from trialwatt.config.models import AS_RECORDED, Goal, RunConfig
from trialwatt.config.plan_parts import Context, ExperimentRow
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256, write_whole
from trialwatt.metrics.processes import PROCESSES
from trialwatt.metrics.tables import read_runs
from trialwatt.provenance.chain import chain, code_version
from trialwatt.provenance.embed import write_sidecar
from trialwatt.replay.check import coverages, live_runs, told
from trialwatt.replay.columns import EXPERIMENT, OF_STRATEGY
from trialwatt.replay.conditions import told_apart
from trialwatt.replay.experiment import (
    SAID,
    ReplayedExperiment,
    read_said,
    replayed,
    write_searches,
)
from trialwatt.replay.laws import Laws
from trialwatt.replay.measured import table_of
from trialwatt.replay.outcomes import targets_of
from trialwatt.replay.progress import Progress
from trialwatt.replay.results import NAME, Results, of_all, of_strategy, write_said
from trialwatt.replay.run import SHARES, Replay, Wanted
from trialwatt.replay.table import TrialTable, load
from trialwatt.replay.trials import trials_of
from trialwatt.suts import get

TABLE = "replay/table.parquet"
"""Below the results folder."""


class Described(Protocol):
    """An experiment and the files that describe it: see figures.make.Source."""

    @property
    def experiment(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def results(self) -> Path: ...
    @property
    def root(self) -> Path: ...
    @property
    def file(self) -> Path | None: ...
    @property
    def config_files(self) -> tuple[Path, ...]: ...
    @property
    def code(self) -> Mapping[str, Any] | None: ...


@dataclass(frozen=True)
class Asked:
    """What of an experiment is to be replayed.

    rows, configs: of each strategy where it stands in the experiment, and the configuration that it
    would have as a live run. searches: of each. varied: the keys that are compared. seed: of the
    plan. cost: the runs table, below the results folder, that tells what frameworks cost; None
    where it is not counted; cost_elsewhere: that its runs are not of this plan. unavailable: what
    cannot be had, by the plan.
    """

    rows: Sequence[ExperimentRow]
    configs: Sequence[Mapping[str, Any]]
    searches: int
    seed: int
    cost: str | None
    cost_elsewhere: bool
    unavailable: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Asked:
        """From the plain values of Plan.asked."""
        return cls(**{**plain, "rows": [ExperimentRow(**row) for row in plain["rows"]]})

    def runs(self) -> list[RunConfig]:
        """What would be live, row by row."""
        return [RunConfig.model_validate(one, context=AS_RECORDED) for one in self.configs]


def make_table(
    folders: Iterable[Path],
    stated: Context,
    described: Described,
    output: Path,
    processes: int = PROCESSES,
) -> None:
    """The trial table of these repetitions, with its sidecar; flagged runs are taken, and named by
    all that is made of it. Raises TrialwattError where it cannot be searched."""
    table = table_of(folders, stated, processes)
    table.check(flagged=True)
    table.write(output)
    runs = [one.folder for one in table.facts.sources]
    known = _chain("table/trials", described, runs, [], table.facts.methods)
    write_sidecar(output.with_suffix(""), known, [output])


def copy_cost(elsewhere: Path, output: Path) -> None:
    """A runs table that was measured elsewhere, as it is, once it is known to be one."""
    read_runs(elsewhere)
    write_whole(output, elsewhere.read_bytes())


def make_searches(
    replay: Asked,
    described: Described,
    results: Path,
    output: Path,
    processes: int = PROCESSES,
) -> None:
    """The searches of every strategy of an experiment, in the folder of `output`.

    What the frameworks cannot replay is named in what the tables say of themselves. Raises
    TrialwattError where nothing can.
    """
    table = load(results / TABLE)
    testbed = table.config.testbed_name
    laws = None if replay.cost is None else Laws(results / replay.cost, testbed)
    progress = Progress(len(replay.rows) * replay.searches, described.experiment)
    unavailable = [dict(each) for each in replay.unavailable]
    strategies, searches, attained = list[dict[str, Any]](), [], []
    for row, run in zip(replay.rows, replay.runs(), strict=True):
        try:
            one = replay_of(run, table, laws)
        except TrialwattError as error:
            unavailable.append({"sut": run.sut, "treatment": row.treatment, "reason": str(error)})
            progress.skip(replay.searches)
            continue
        found = one.searches(replay.searches, processes, progress)
        own = in_common(row, run, table)
        searches.append(found.searches.assign(strategy=len(strategies), **own))
        attained.append(found.attained.assign(strategy=len(strategies)))
        search, facts = run.workload.search, table.facts
        notes = laws.notes(run.workload, facts, run.sut, search.prunes) if laws else []
        strategies.append(of_strategy(one, notes) | {key: own[key] for key in _OF_ROW})
    if not strategies:
        reasons = "; ".join(dict.fromkeys(str(each["reason"]) for each in unavailable))
        raise TrialwattError(f"{described.experiment}: nothing of it can be replayed: {reasons}")
    said = of_all(table, replay.seed, replay.searches) | {
        "experiment": {
            "id": described.experiment,
            "title": described.title,
            "varied": replay.rows[0].varied or "",
        },
        "cost": _cost(replay, results),
        "strategies": strategies,
        "unavailable": unavailable,
    }
    frames = {
        name: pd.concat(parts, ignore_index=True)[[column.name for column in EXPERIMENT[name]]]
        for name, parts in (("searches", searches), ("attained", attained))
    }
    write_searches(frames, said, output.parent)


_OF_ROW = ("treatment", "treatment_value", "is_baseline", "hash")


def replay_of(run: RunConfig, table: TrialTable, laws: Laws | None) -> Replay:
    """The replay of what a live run would be; its targets are of the whole table, so that all
    strategies are told by the same. Raises TrialwattError where it cannot be replayed."""
    workload = run.workload
    wanted = Wanted(
        run.sut,
        workload.search,
        workload.workers.count,
        run.seed,
        workload.space,
        epochs=workload.epochs,
        goal=workload.goal,
        targets=_targets(table, workload.goal),
    )
    return Replay(table, wanted, laws.of(workload) if laws else None)


def _targets(table: TrialTable, goal: Goal) -> tuple[float, ...]:
    return targets_of(trials_of(table, table.space, goal, reported=True), goal.sign, SHARES)


def in_common(row: ExperimentRow, run: RunConfig, table: TrialTable) -> dict[str, Any]:
    """What all searches of a strategy have in common, as a runs table has it."""
    known = row.model_dump() | {
        "sut": run.sut,
        "testbed": run.testbed_name,
        "is_control": get(run.sut).is_control,
        "energy_method": table.facts.methods,
        "currency": table.facts.context.currency,
    }
    known |= {factor.column: factor.of(run.workload) for factor in FACTORS.values()}
    return {column.name: known[column.name] for column in OF_STRATEGY}


def _cost(replay: Asked, results: Path) -> dict[str, Any] | None:
    if replay.cost is None:
        return None
    runs = read_runs(results / replay.cost)
    return {
        "file": replay.cost,
        "sha256": sha256(results / replay.cost),
        "runs": sorted(set(runs["folder"])),
        "elsewhere": replay.cost_elsewhere,
    }


def make_check(measured: Sequence[str], described: Described, results: Path, output: Path) -> None:
    """replay.json: what the searches beside it say of themselves, what live runs say of them, and
    the chain to all that they are made of.

    measured: the experiments of the plan, whose runs tables may have live runs of a strategy.
    """
    folder = output.parent
    found = replayed(folder, read_said(folder))
    tables = {name: results / "metrics" / name / "runs.parquet" for name in measured}
    frames = {name: read_runs(file) for name, file in tables.items()}
    runs = pd.concat(frames.values(), ignore_index=True)
    file = next(iter(tables.values()))  # of the results folder that all of them are in
    coverage = [_coverage(one, runs, file) for one in found.strategies]
    strategies = [
        own | {"coverage": each}
        for own, each in zip(found.said["strategies"], coverage, strict=True)
    ]
    live = {run for each in coverage if each for run in each["runs"]}
    used = [tables[name] for name, own in frames.items() if live & set(own["folder"])]
    made_of = [folder / f"{name}.parquet" for name in EXPERIMENT]
    known = chain_of(found, "table/replay", described, [*made_of, *used], live)
    content = {
        "provenance": known,
        "outputs": {file.name: sha256(file) for file in made_of},
        SAID: {**found.said, "strategies": strategies},
    }
    write_said(folder / NAME, content)


def _coverage(one: Results, runs: pd.DataFrame, file: Path) -> dict[str, Any] | None:
    live = live_runs(one.said, runs)
    if live.empty:
        return None
    apart = told_apart(one.conditions, file, live, "the live searches")
    return told(coverages(one, live), live, apart)


def chain_of(
    found: ReplayedExperiment,
    kind: str,
    described: Described,
    tables: Iterable[Path],
    live: Iterable[str] = (),
) -> dict[str, Any]:
    """The chain of what is made of replayed searches and these tables: to the runs of the trial
    table, of the frameworks' cost where it is of this plan, and to these live ones."""
    results, said = described.results, found.said
    runs = {run["folder"] for run in said["table"]["runs"]}
    files = [results / TABLE]
    if cost := said["cost"]:
        files.append(results / cost["file"])
        runs |= set() if cost["elsewhere"] else set(cost["runs"])
    return _chain(kind, described, runs | set(live), [*files, *tables], said["table"]["energy"])


def _chain(
    kind: str, described: Described, runs: Iterable[str], tables: Iterable[Path], methods: str
) -> dict[str, Any]:
    return chain(
        kind=kind,
        experiment={"id": described.experiment, "file": described.file},
        folders=runs,
        tables=tables,
        results=described.results,
        root=described.root,
        config_files=described.config_files,
        energy_methods=methods.split("+"),
        code=described.code or code_version(described.root),
    )
