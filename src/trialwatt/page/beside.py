"""What lies beside the page, and can be linked to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from trialwatt.figures import FIGURES, figures_of
from trialwatt.provenance.embed import FIGURES as SUFFIXES

TABLE_SUFFIXES = (".csv", ".md", ".tex", ".json")


def links(results: Path, experiment: Mapping, output: Path) -> dict:
    """Files of an experiment that lie beside the page: figures with captions, tables, metrics."""
    name = experiment["id"]
    figures = []
    for figure in figures_of(experiment.get("varied", ())):
        stem = results / "figures" / name / figure
        files = _links([stem.with_name(figure + end) for end in (*SUFFIXES, ".json")], output)
        if files:
            figures.append({"name": figure, "caption": FIGURES[figure].caption, "files": files})
    tables, metrics = results / "tables", results / "metrics" / name
    return {
        "figures": figures,
        "tables": _links([tables / f"{name}{end}" for end in TABLE_SUFFIXES], output)
        + [
            {"name": f"best {link['name']}", "path": link["path"]}
            for link in _links([tables / "best" / f"{name}{end}" for end in TABLE_SUFFIXES], output)
        ],
        "metrics": _links(
            [metrics / file for file in ("runs.csv", "trials.csv", "dictionary.json")], output
        ),
    }


def _links(files: Iterable[Path], output: Path) -> list[dict]:
    return [
        {"name": f.name, "path": Path(os.path.relpath(f, output.parent)).as_posix()}
        for f in files
        if f.is_file()
    ]
