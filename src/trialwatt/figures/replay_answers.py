"""What replayed searches say of an experiment: its figures and tables, a measured seed as a run.

| file | path in the results folder |
|---|---|
| figures | `figures/replay/<experiment>/<name>.svg`, `.pdf`, `.png`, sidecar `.json` |
| each seed's | `tables/replay-seeds/<experiment>.csv`, … |
| energy at equal score | `tables/replay-equal-score/<experiment>.csv`, … |
| what the answers hang on | `tables/replay-sensitivity/<experiment>.csv`, … |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from trialwatt.analysis.replayed import per_seed
from trialwatt.analysis.sensitivity import KIND, OUTCOMES, VALUE, sensitivity, under_models
from trialwatt.config.factors import heading as heading_of
from trialwatt.figures.absent import ABSENT
from trialwatt.figures.equal_score import equal_score, equal_score_figure
from trialwatt.figures.make import Source
from trialwatt.figures.notes import REPLAYED
from trialwatt.figures.replayed import note
from trialwatt.figures.search import search
from trialwatt.figures.style import Absent, save
from trialwatt.figures.tablefiles import Table, write_table
from trialwatt.figures.tables import cell
from trialwatt.figures.tables import results as results_of
from trialwatt.figures.treatments import short
from trialwatt.figures.waste import waste
from trialwatt.replay.columns import EXPERIMENT
from trialwatt.replay.experiment import FOLDER, ReplayedExperiment, read_replayed
from trialwatt.replay.results import NAME
from trialwatt.replay.sensitivity import NAME as FEW
from trialwatt.replay.sensitivity import read_sensitivity
from trialwatt.replay.workflow import chain_of

RESAMPLES = 999
"""Of the tests under each assumption, of which there are many."""
_OF_SEEDS = "Each repetition is a measured seed, whose searches are averaged out."
_SENSITIVE = (
    "Other searches, fewer, under one changed assumption each; as it is: the same few without a "
    "change. Order: from the least energy to the goal on, medians over the measured seeds; what is "
    "not told apart may change places by chance. In brackets intervals of 95 %. "
    "Lengths of trials: seconds and joules of their epochs times so much, the framework's not."
)


def as_runs(found: ReplayedExperiment) -> pd.DataFrame:
    """Its searches in the shape of a runs table (analysis.replayed), with what must be said of them
    wherever they are shown."""
    strategies = [one.said for one in found.strategies]
    cells = per_seed(found.searches, strategies)
    goals = [strategies[place]["goal"] for place in cells["strategy"]]
    return cells.assign(
        goal_score=[goal["score"] for goal in goals],
        goal_direction=[goal["direction"] for goal in goals],
        **{REPLAYED: f"{note(found.strategies)} {_OF_SEEDS}"},
    )


def title_of(found: ReplayedExperiment) -> str:
    """What its section, figures and tables are called."""
    return f"{heading_of(found.title or found.id, found.varied)}, replayed"


def make_replay_answers(described: Source, results: Path) -> list[Path]:
    """Its figures and tables, each with its chain; returns all files."""
    found = read_replayed(results, described.experiment)
    *made_of, few_of = files_of_replay(results, found.id)
    live = {
        run
        for one in found.said["strategies"]
        for run in (one.get("coverage") or {"runs": ()})["runs"]
    }
    cells, title = as_runs(found), title_of(found)
    said = cells[REPLAYED].iloc[0]

    def chain(kind: str, *more: Path) -> dict[str, Any]:
        return chain_of(found, kind, described, [*made_of, *more], live)

    written = []
    for name, draw in _figures(found, cells, title, said).items():
        figure, provenance = draw(), chain(f"figure/{name}")
        if isinstance(figure, Absent):
            provenance |= {ABSENT: figure.reason}
        written += save(figure, results / "figures" / FOLDER / found.id / name, provenance)
    few = read_sensitivity(results, found.id)
    for name, table, more in (
        ("seeds", results_of(cells, title, found.unavailable), []),
        ("equal-score", equal_score(found, cells, title, said), []),
        ("sensitivity", sensitivity_table(found, few, title, said), [few_of]),
    ):
        stem = results / "tables" / f"{FOLDER}-{name}" / found.id
        written += write_table(stem, table, chain(f"table/{name}", *more))
    return written


def files_of_replay(results: Path, experiment: str) -> list[Path]:
    """What all that is said of a replayed experiment is made of; last, what it hangs on."""
    folder = results / FOLDER / experiment
    return [folder / NAME, *(folder / f"{name}.parquet" for name in EXPERIMENT), folder / FEW]


def replay_tables(results: Path, experiments: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The replayed searches of these experiments in the shape of a runs table, as recorded and
    under every power model that they were all replayed with."""
    parts = []
    for name in experiments:
        found, few = read_replayed(results, name), read_sensitivity(results, name)
        strategies = [one.said for one in found.strategies]
        parts.append(under_models(per_seed(found.searches, strategies), few, strategies))
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: pd.concat([p[name] for p in parts], ignore_index=True) for name in names}


def _figures(
    found: ReplayedExperiment, cells: pd.DataFrame, title: str, said: str
) -> Mapping[str, Callable[[], Figure]]:
    return {
        "search": lambda: search(cells, title, found.unavailable),
        "waste": lambda: waste(cells, title, found.unavailable),
        "equal-score": lambda: equal_score_figure(found, cells, title, said),
    }


def sensitivity_table(found: ReplayedExperiment, few: pd.DataFrame, title: str, said: str) -> Table:
    """A row per assumption and scope; few: the searches under each."""
    tidy = sensitivity(few, [one.said for one in found.strategies], RESAMPLES)
    return sensitivity_shown(tidy, title, said)


def sensitivity_shown(tidy: pd.DataFrame, title: str, said: str) -> Table:
    """The table of analysis.sensitivity for people; said: what a reader must know."""
    several = tidy["scope"].nunique() > 1
    shown = pd.DataFrame({"scope": tidy["scope"]} if several else {})
    shown["assumption"] = tidy[KIND]
    shown["value"] = tidy[VALUE]
    shown["order"] = [" < ".join(map(short, text.split(" < "))) for text in tidy["order"]]
    for name, outcome in OUTCOMES.items():
        ends = tidy[[name, f"{name}_low", f"{name}_high"]].to_numpy(float)
        if np.isfinite(ends[:, 0]).any():
            shown[f"{outcome}, most ÷ least"] = [cell(*row, 1) for row in ends]
    shown["verdict"] = tidy["outcome"]
    words = "H2 is not asked of what is varied here."
    if len(tidy):
        words = f"{tidy['searches'].min()} searches of each strategy. {_SENSITIVE}"
    words += f"\n{said}"
    return Table(f"{title}: what the answers hang on", tidy, shown, words)
