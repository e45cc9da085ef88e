"""One experiment as it is told: from its tables to sentences and tables, each worded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from trialwatt.analysis.columns import varied
from trialwatt.analysis.convergence import told
from trialwatt.config.factors import heading
from trialwatt.figures import best, cost_table, figures_of, second_table, tables, treatments
from trialwatt.figures.absent import left_out, what_is_absent
from trialwatt.figures.notes import texts
from trialwatt.figures.tablefiles import Table
from trialwatt.metrics.experiment_notes import CONVERGENCE, UNAVAILABLE, entries
from trialwatt.metrics.tables import read_runs
from trialwatt.records.outcome import COMPLETED
from trialwatt.summary import costs, findings
from trialwatt.summary.lead import lead


@dataclass(frozen=True, eq=False)
class ExperimentSummary:
    """varied: the workload keys that vary in the plan. runs: the runs table, empty where there is
    none yet. ends: how each sweep ended. unavailable: what cannot be run here (both as in
    metrics.experiment_notes). planned: the names of its figures in the plan. left_out: of those
    that were made and have nothing to show, the reason."""

    id: str
    title: str
    varied: tuple[str, ...]
    runs: pd.DataFrame
    ends: Sequence[dict[str, Any]]
    unavailable: Sequence[dict[str, Any]]
    planned: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def compared(self) -> tuple[str, ...]:
        """The keys that it is about."""
        return varied(self.runs) if len(self.runs) else self.varied

    @property
    def heading(self) -> str:
        """Its title, and what it compares."""
        return heading(self.title, self.compared)

    @property
    def figures(self) -> list[str]:
        """The names of its figures that show something."""
        return [name for name in self.planned if name not in self.left_out]

    @property
    def not_shown(self) -> list[str]:
        """Which figures are left out, and why, a line each."""
        return [f"No figure of {name}: {why}" for name, why in self.left_out.items()]

    @property
    def lead(self) -> str:
        """The first sentence of its section: its question answered, or what is missing."""
        return lead(self.runs, self.results.tidy, self.best.tidy, self.ends, self.unavailable)

    @cached_property
    def results(self) -> Table:
        """A row for each SUT and treatment."""
        return tables.results(self.runs, self.heading, self.unavailable)

    @cached_property
    def best(self) -> Table:
        """The treatment of the least energy, a row for each SUT."""
        return best.best(self.runs, self.heading, self.unavailable)

    @property
    def second_kind(self) -> str:
        """What it has beside its results: figures.second_table."""
        return second_table(self.compared)

    @cached_property
    def second(self) -> Table:
        """The best treatments, or what frameworks cost."""
        if self.second_kind == "best":
            return self.best
        return cost_table.costs(self.runs, self.heading, self.unavailable)

    @property
    def n(self) -> str:
        """Completed runs of each row of the results, as `n = 3`."""
        tidy = self.results.tidy
        return treatments.sentence_of_n(list(tidy.loc[tidy["runs"] > 0, "n"]))

    @property
    def absent(self) -> list[str]:
        """Which runs failed and what cannot be run here, a sentence each."""
        return what_is_absent(self.runs, self.unavailable)

    @property
    def ended(self) -> list[str]:
        """How each sweep ended, "who: what" each."""
        several = len({end["testbed"] for end in self.ends}) > 1
        return [_ended(end, several) for end in self.ends]

    def findings(self, frameworks: bool = False) -> list[str]:
        """What it shows, "who: what" each; frameworks: and what they cost beside the control."""
        if self.second_kind == "cost":
            return costs.findings(self.runs)
        return findings.findings(self.runs, self.results.tidy, self.best.tidy, frameworks)

    @property
    def remarks(self) -> dict[str, list[str]]:
        """Folder → what to know of a run: not completed, flagged, or with a note."""
        said = {run["folder"]: _remarks(run) for run in self.runs.to_dict("records")}
        return {folder: said[folder] for folder in sorted(said) if said[folder]}


def read_summary(results: Path, experiment: Mapping[str, Any]) -> ExperimentSummary:
    """Of an experiment of a results folder; what was not made yet is empty.

    experiment: with `id`, and where known `title`, `varied` and the names of its planned `figures`
    (else those of any that varies so). Raises TrialwattError where a
    file is damaged.
    """
    folder = results / "metrics" / experiment["id"]
    made = (folder / "runs.parquet").is_file()
    varied = tuple(experiment.get("varied", ()))
    names = experiment.get("figures", figures_of(varied))
    reasons = {name: left_out(results / "figures" / experiment["id"] / name) for name in names}
    return ExperimentSummary(
        id=experiment["id"],
        title=experiment.get("title") or experiment["id"],
        varied=varied,
        runs=read_runs(folder / "runs.parquet") if made else pd.DataFrame(),
        ends=entries(folder, CONVERGENCE),
        unavailable=entries(folder, UNAVAILABLE),
        planned=names,
        left_out={name: why for name, why in reasons.items() if why},
    )


def together(parts: Sequence[ExperimentSummary]) -> ExperimentSummary:
    """One experiment of several labs; it is called as the first of them calls it."""
    filled = [part.runs for part in parts if len(part.runs)]
    return ExperimentSummary(
        id=parts[0].id,
        title=parts[0].title,
        varied=parts[0].varied,
        runs=pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(),
        ends=[end for part in parts for end in part.ends],
        unavailable=[entry for part in parts for entry in part.unavailable],
        planned=parts[0].planned,
        left_out=parts[0].left_out,
    )


def _ended(end: Mapping[str, Any], several: bool) -> str:
    """several: whether there are several testbeds to be told apart."""
    state = told(end["state"], end.get("reason", ""), end.get("demonstration", False))
    where = "; ".join([end["sampler"], *([end["testbed"]] if several else [])])
    return f"{end['sut']} ({where}): {state}."


def _remarks(run: Mapping[str, Any]) -> list[str]:
    why = ": ".join([run["status"], *texts(run.get("reason"))])
    said = [] if run["status"] == COMPLETED else [why]
    return [*said, *texts(run.get("flags")), *texts(run.get("notes"))]
