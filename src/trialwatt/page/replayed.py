"""A replayed experiment on the page: its answer, pictures and tables, none of which is of runs."""

from __future__ import annotations

import base64
from pathlib import Path

from trialwatt.figures import REPLAY_TABLES
from trialwatt.figures.tablefiles import Table
from trialwatt.page.links import figure_links, table_links
from trialwatt.summary.replayed import ReplayedSummary, captions


def replayed(summary: ReplayedSummary, lab: str, output: Path) -> dict:
    """Everything of it as plain data. lab: whose it is, empty for our own."""
    results, name = summary.results, summary.found.id
    stems = (f"replay/{name}", *(f"replay-{kind}/{name}" for kind in REPLAY_TABLES))
    figures = captions(summary)
    links = [
        {
            "name": figure,
            "caption": caption,
            "files": figure_links(results, f"replay/{name}", figure, output),
        }
        for figure, caption in figures.items()
    ]
    return {
        "id": "-".join(filter(None, [lab, summary.id])),
        "title": summary.found.title,
        "heading": f"{summary.heading} ({lab})" if lab else summary.heading,
        "lead": summary.lead,
        "not_shown": summary.not_shown,
        "absent": summary.absent,
        "gaps": [],
        "sweeps": [],
        "runs": [],
        "tables": [],
        "replayed": {
            "note": summary.note,
            "findings": summary.findings,
            "figures": [
                [caption, _picture(summary.figure_stem(figure).with_suffix(".svg"))]
                for figure, caption in figures.items()
            ],
            "tables": [
                _table("Replayed strategies", summary.comparison),
                _table("Energy at equal score", summary.equal_score),
                _table("What the answers hang on", summary.sensitivity),
            ],
        },
        "files": [
            {
                "lab": lab,
                "configuration": [],
                "figures": [one for one in links if one["files"]],
                "tables": [link for stem in stems for link in table_links(results, stem, output)],
                "metrics": [],
            }
        ],
    }


def _picture(svg: Path) -> str:
    """As an address that holds all of it; empty where it was not made."""
    if not svg.is_file():
        return ""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.read_bytes()).decode()}"


def _table(title: str, table: Table) -> dict:
    return {"title": title, "heads": table.heads, "rows": table.rows, "explanation": table.note}
