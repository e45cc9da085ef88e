"""What lies beside the pages, and can be linked to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from trialwatt.figures import FIGURES
from trialwatt.figures.products import FIGURE_SUFFIXES, TABLE_SUFFIXES
from trialwatt.summary.experiment import ExperimentSummary

_METRICS = ("runs.csv", "trials.csv", "dictionary.json")


def links(results: Path, summary: ExperimentSummary, output: Path) -> dict:
    """Files of an experiment that lie beside the page: figures with captions, tables, metrics."""
    figures = [
        {"name": name, "caption": FIGURES[name].caption, "files": files}
        for name in summary.figures
        if (files := figure_links(results, summary.id, name, output))
    ]
    kind = summary.second_kind
    second = table_links(results, f"{kind}/{summary.id}", output)
    return {
        "figures": figures,
        "tables": table_links(results, summary.id, output)
        + [link | {"name": f"{kind} {link['name']}"} for link in second],
        "metrics": metrics_links(results, summary.id, _METRICS, output),
    }


def figure_links(results: Path, experiment: str, figure: str, output: Path) -> list[dict]:
    """The files of a figure."""
    folder = results / "figures" / experiment
    return _links([folder / f"{figure}{end}" for end in FIGURE_SUFFIXES], output)


def table_links(results: Path, stem: str, output: Path) -> list[dict]:
    """The files of a table."""
    return _links([results / "tables" / f"{stem}{end}" for end in TABLE_SUFFIXES], output)


def metrics_links(results: Path, experiment: str, names: Iterable[str], output: Path) -> list[dict]:
    """These of the metrics."""
    return _links([results / "metrics" / experiment / name for name in names], output)


def linked(file: Path, output: Path) -> str:
    """The address of a file, from the page."""
    return Path(os.path.relpath(file, output.parent)).as_posix()


def _links(files: Iterable[Path], output: Path) -> list[dict]:
    return [{"name": f.name, "path": linked(f, output)} for f in files if f.is_file()]
