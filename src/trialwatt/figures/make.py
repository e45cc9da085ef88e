"""From an experiment's metrics tables to its files: what the workflow's scripts call.

| file | path in the results folder |
|---|---|
| figures | `figures/<experiment>/<name>.svg`, `.pdf`, `.png`, sidecar `.json` |
| results table | `tables/<experiment>.csv`, `.md`, sidecar `.json` |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from trialwatt.errors import TrialwattError
from trialwatt.figures import FIGURES, treatments
from trialwatt.figures.notes import place
from trialwatt.figures.style import in_order, save
from trialwatt.figures.tables import write_results_table
from trialwatt.provenance.chain import chain
from trialwatt.provenance.code import code_version


@dataclass(frozen=True)
class Source:
    """An experiment as the figures need it.

    file: its description (config/experiments/….yaml), None where there is none; config_files:
    settings, base workload, space, testbed. Paths are absolute or relative to `root`.
    """

    experiment: str
    results: Path
    root: Path
    file: Path | None = None
    config_files: tuple[Path, ...] = field(default=())

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


def make_figure(name: str, source: Source) -> list[Path]:
    """Draw one figure of an experiment and save it with its provenance; returns its files."""
    if name not in FIGURES:
        raise TrialwattError(f"there is no figure {name!r}; there are: {', '.join(FIGURES)}")
    runs, trials = _read(source)
    draw, read = FIGURES[name].load(), source.tables
    used = runs
    if name == "timeline":
        from trialwatt.metrics.series import timeline

        used = one_run_each(runs)
        axis = treatments.axis(runs, source.experiment) if len(runs) else None
        panels = {
            f"{run.sut}, {axis.names[key]}, repetition {run.repetition}": _with_duplicates(
                timeline(source.results / run.folder), trials[trials["folder"] == run.folder]
            )
            for run, key in zip(used.itertuples(), treatments.key(used), strict=True)
        }
        figure = draw(panels, place(used) if len(used) else "")
    elif name == "lifecycle":
        figure = draw(runs, trials, source.experiment)
    else:
        figure, read = draw(runs, source.experiment), read[:1]
    return save(figure, source.figure_stem(name), _chain(f"figure/{name}", source, used, read))


def make_table(source: Source) -> list[Path]:
    """Write the results table of an experiment with its sidecar; returns its files."""
    runs, _ = _read(source)
    provenance = _chain("table/results", source, runs, source.tables[:1])
    return write_results_table(runs, source.experiment, source.table_stem, provenance)


def one_run_each(runs: pd.DataFrame) -> pd.DataFrame:
    """Per SUT the first completed repetition under the baseline (else its first treatment)."""
    done = runs[runs["status"] == "completed"]
    chosen = []
    for sut in in_order(done["sut"]):
        rows = done[done["sut"] == sut]
        base = rows[rows["is_baseline"].fillna(False).astype(bool)]
        rows = base if len(base) else rows
        chosen.append(rows.sort_values(["treatment_value", "treatment", "repetition"]).index[0])
    return done.loc[chosen]


def _with_duplicates(events: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """A completed trial whose φ had been run before is shown as a duplicate."""
    if "waste_class" not in trials:
        return events
    again = set(trials.loc[trials["waste_class"] == "duplicate", "trial"])
    outcome = events["outcome"].mask(events["trial"].isin(again), "duplicate")
    return events.assign(outcome=outcome)


def _read(source: Source) -> tuple[pd.DataFrame, pd.DataFrame]:
    for table in source.tables:
        if not table.is_file():
            raise TrialwattError(f"{table}: missing; make the metrics of {source.experiment} first")
    runs, trials = (pd.read_parquet(table) for table in source.tables)
    return runs, trials


def _chain(kind: str, source: Source, runs: pd.DataFrame, tables: Iterable[Path]) -> dict:
    return chain(
        kind=kind,
        experiment={"id": source.experiment, "file": source.file},
        folders=runs["folder"],
        tables=tables,
        results=source.results,
        root=source.root,
        config_files=source.config_files,
        energy_methods={name for m in runs["energy_method"].dropna() if m for name in m.split("+")},
        code=code_version(source.root),
    )


def source_of(values: dict) -> Source:
    """A Source from the plain values of config.handover.source; paths relative to here."""
    return Source(
        experiment=values["experiment"],
        results=Path(values["results"]),
        root=Path(),
        file=Path(values["file"]),
        config_files=tuple(Path(file) for file in values["config_files"]),
    )
