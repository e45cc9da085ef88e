"""From an experiment's metrics tables to its files: what the workflow's scripts call.

| file | path in the results folder |
|---|---|
| figures | `figures/<experiment>/<name>.svg`, `.pdf`, `.png`, sidecar `.json` |
| results table | `tables/<experiment>.csv`, `.md`, `.tex`, sidecar `.json` |
| best treatments | `tables/best/<experiment>.csv`, `.md`, `.tex`, sidecar `.json` |
| cost of frameworks | `tables/cost/<experiment>.csv`, `.md`, `.tex`, sidecar `.json` |
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from trialwatt.analysis.columns import varied
from trialwatt.collection import without_collection
from trialwatt.config.factors import heading
from trialwatt.errors import TrialwattError
from trialwatt.figures import FIGURES, quantity, second_table, treatments
from trialwatt.figures.absent import ABSENT, absences
from trialwatt.figures.best import best
from trialwatt.figures.cost_table import costs
from trialwatt.figures.groups import groups
from trialwatt.figures.notes import place
from trialwatt.figures.tablefiles import write_table
from trialwatt.figures.tables import results
from trialwatt.metrics.experiment_notes import CONVERGENCE, UNAVAILABLE, entries
from trialwatt.metrics.tables import read_runs, read_trials
from trialwatt.provenance.chain import chain, code_version

SECOND = {"best": best, "cost": costs}
"""The tables of figures.second_table."""


@dataclass(frozen=True)
class Source:
    """An experiment as the figures need it.

    file: its description (config/experiments/….yaml), None where there is none; config_files:
    settings, base workload, space, testbed. Paths are absolute or relative to `root`. code: what
    makes the files, where it is not the checkout at `root`: see provenance.chain.code_version.
    title: what it is called (default: its id).
    """

    experiment: str
    results: Path
    root: Path
    file: Path | None = None
    config_files: tuple[Path, ...] = field(default=())
    code: Mapping | None = None
    title: str = ""

    @property
    def tables(self) -> tuple[Path, Path]:
        """The metrics tables: runs and trials."""
        folder = self.results / "metrics" / self.experiment
        return folder / "runs.parquet", folder / "trials.parquet"

    def figure_stem(self, name: str) -> Path:
        return self.results / "figures" / self.experiment / name

    @property
    def table_stem(self) -> Path:
        return self.results / "tables" / self.experiment

    def second_stem(self, kind: str) -> Path:
        """kind: of figures.second_table."""
        return self.results / "tables" / kind / self.experiment


def make_figures(names: Iterable[str], source: Source) -> list[Path]:
    """Draw figures of one experiment and save each with its provenance; returns all files.

    Tables, records and the chain to them are read once for all of them.
    """
    names = list(names)
    for name in names:
        if name not in FIGURES:
            raise TrialwattError(f"there is no figure {name!r}; there are: {', '.join(FIGURES)}")
    from trialwatt.figures.style import Absent, save

    data = Data(source)
    written = []
    with without_collection():
        for name in names:
            draw, inputs = FIGURES[name].load(), Inputs(data)
            wanted = inspect.signature(draw).parameters
            figure = draw(**{argument: getattr(inputs, argument) for argument in wanted})
            provenance = data.chain(f"figure/{name}", inputs.used, inputs.read)
            if isinstance(figure, Absent):
                provenance |= {ABSENT: figure.reason}
            written += save(figure, source.figure_stem(name), provenance)
    return written


def make_table(source: Source) -> list[Path]:
    """Write the results table of an experiment and, as it is about, its best treatments or what
    frameworks cost; each with its sidecar."""
    data = Data(source)
    read = [source.tables[0], *data.beside(UNAVAILABLE)]
    kind = second_table(varied(data.runs))
    second = SECOND[kind](data.runs, data.heading, data.unavailable)
    written = []
    for name, stem, table in (
        ("results", source.table_stem, results(data.runs, data.heading, data.unavailable)),
        (kind, source.second_stem(kind), second),
    ):
        written += write_table(stem, table, data.chain(f"table/{name}", data.runs, read))
    return written


class Data:
    """What is on the disk of an experiment, each part read when it is first asked for."""

    def __init__(self, source: Source):
        self.source = source
        for table in source.tables:
            if not table.is_file():
                raise TrialwattError(
                    f"{table}: missing; make the metrics of {source.experiment} first"
                )
        self.runs = read_runs(source.tables[0])

    @cached_property
    def heading(self) -> str:
        """What figures and tables of the experiment are called: its title, and what varies."""
        return heading(self.source.title or self.source.experiment, varied(self.runs))

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The trials table."""
        return read_trials(self.source.tables[1])

    @cached_property
    def converged(self) -> list[dict]:
        """How each sweep ended; empty where the experiment is no sweep."""
        return entries(self.source.tables[0].parent, CONVERGENCE)

    @cached_property
    def unavailable(self) -> list[dict]:
        """What could not be run here: `sut`, `treatment` (either may be None), `reason`."""
        return entries(self.source.tables[0].parent, UNAVAILABLE)

    def beside(self, name: str) -> list[Path]:
        """A file beside the tables: one, or none in a set of tables that is older than it."""
        file = self.source.tables[0].with_name(name)
        return [file] if file.is_file() else []

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The anytime curve of each run that was completed or ended by its deadline."""
        from trialwatt.figures.anytime import priced
        from trialwatt.metrics.series import anytime

        trials = self.trials
        of_run = dict(tuple(trials.groupby("folder"))) if len(trials) else {}
        shown = self.runs[self.runs["status"].isin(["completed", "deadline"])]
        curves = [
            priced(
                anytime(self.source.results / run["folder"]),
                run,
                of_run.get(run["folder"], trials.iloc[:0]),
            )
            for run in shown.drop_duplicates("folder").to_dict("records")
        ]
        curves = [curve for curve in curves if len(curve)]
        return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()

    def chain(self, kind: str, runs: pd.DataFrame, tables: Iterable[Path]) -> dict:
        """The provenance of a file that shows these runs and was made from these tables.

        The records of the whole experiment are looked up once, for whatever is made of all of it.
        """
        if runs is not self.runs:
            return _chain(kind, self.source, runs, tables)
        sums = self._whole["tables"]
        names = [table.relative_to(self.source.results).as_posix() for table in tables]
        return self._whole | {"kind": kind, "tables": {name: sums[name] for name in names}}

    @cached_property
    def _whole(self) -> dict:
        others = [*self.beside(CONVERGENCE), *self.beside(UNAVAILABLE)]
        return _chain("", self.source, self.runs, [*self.source.tables, *others])


class Inputs:
    """What a figure may ask for, by the names of its arguments.

    used: the rows of the runs table that the figure shows; read: the files that it was made from.
    """

    def __init__(self, data: Data):
        self._data = data
        self.experiment = data.heading
        self.runs = self.used = data.runs
        self.read = [data.source.tables[0]]

    @property
    def trials(self) -> pd.DataFrame:
        """The trials table."""
        self._reads(self._data.source.tables[1])
        return self._data.trials

    @property
    def converged(self) -> list[dict]:
        """How each sweep ended."""
        self._reads(*self._data.beside(CONVERGENCE))
        return self._data.converged

    @property
    def unavailable(self) -> list[dict]:
        """What could not be run here, and why."""
        self._reads(*self._data.beside(UNAVAILABLE))
        return self._data.unavailable

    @property
    def curves(self) -> pd.DataFrame:
        """The anytime curve of each run."""
        self._reads(self._data.source.tables[1])
        return self._data.curves

    @property
    def panels(self) -> dict[str, pd.DataFrame]:
        """The timeline of one run of each SUT."""
        from trialwatt.metrics.series import timeline

        self.used = one_run_each(self.runs)
        if self.used.empty:
            return {}
        axis, trials = treatments.axis(self.runs), self.trials
        names = {i: group.name for group in groups(self.runs) for i in group.runs.index}
        return {
            f"{names[run.Index]}, {axis.names[key]}, repetition {run.repetition}": _with_duplicates(
                timeline(self._data.source.results / run.folder),
                trials[trials["folder"] == run.folder],
            )
            for run, key in zip(
                self.used.itertuples(), treatments.key(self.runs)[self.used.index], strict=True
            )
        }

    @property
    def note(self) -> str:
        """Where the runs that are shown were made, and which are not there to be shown."""
        said = place(self.used) if len(self.used) else ""
        return said + absences(self.runs, self.unavailable)

    def _reads(self, *files: Path) -> None:
        self.read += [file for file in files if file not in self.read]


def one_run_each(runs: pd.DataFrame) -> pd.DataFrame:
    """Per group the run of median JCT under the baseline (else its first treatment): of those that
    were completed, with an even number the shorter one in the middle."""
    done = runs[runs["status"] == "completed"]
    chosen = []
    for group in groups(done):
        rows = group.runs
        base = rows[rows["is_baseline"].fillna(False).astype(bool)]
        rows = base if len(base) else rows
        first = rows.sort_values(["treatment_value", "treatment"])["hash"].iloc[0]
        lengths = rows[rows["hash"] == first].sort_values(["jct_ms", "repetition"]).index
        chosen.append(lengths[(len(lengths) - 1) // 2])
    return done.loc[chosen]


def _with_duplicates(events: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """A completed trial whose φ had been run before is shown as a duplicate."""
    if "waste_class" not in trials:
        return events
    again = set(trials.loc[trials["waste_class"] == "duplicate", "trial"])
    outcome = events["outcome"].mask(events["trial"].isin(again), "duplicate")
    return events.assign(outcome=outcome)


def _chain(kind: str, source: Source, runs: pd.DataFrame, tables: Iterable[Path]) -> dict:
    experiment = {"id": source.experiment, "file": source.file}
    return _linked(kind, source, experiment, runs, tables, source.config_files)


def chain_of_all(
    kind: str,
    sources: Sequence[Source],
    runs: pd.DataFrame,
    tables: Iterable[Path],
    more: Iterable[Path] = (),
) -> dict:
    """The provenance of a file that is made of all experiments.

    runs: rows of their runs tables. more: files that describe it, beside the configuration's.
    """
    described = {file for one in sources for file in (one.file, *one.config_files) if file}
    files = sorted(described | set(more))
    return _linked(kind, sources[0], {"id": "all"}, runs, tables, files)


def _linked(
    kind: str,
    source: Source,
    experiment: Mapping,
    runs: pd.DataFrame,
    tables: Iterable[Path],
    config_files: Iterable[Path],
) -> dict:
    return chain(
        kind=kind,
        experiment=experiment,
        folders=runs["folder"],
        tables=tables,
        results=source.results,
        root=source.root,
        config_files=config_files,
        energy_methods=quantity.each_method(runs["energy_method"]),
        code=source.code or code_version(source.root),
    )


def source_of(
    values: Mapping,
    results: Path | None = None,
    root: Path = Path(),
    code: Mapping | None = None,
) -> Source:
    """A Source from the plain values of Plan.source; results, root, code: where and as Source has
    them, if not here and as they are."""
    return Source(
        experiment=values["experiment"],
        title=values["title"],
        results=results or Path(values["results"]),
        root=root,
        file=Path(values["file"]),
        config_files=tuple(Path(file) for file in values["config_files"]),
        code=code,
    )
