"""results/report.html: all experiments on one page that needs nothing but itself."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from trialwatt.figures import FIGURES, figures_of, treatments
from trialwatt.figures.best import best_table, explained, readable_best
from trialwatt.figures.notes import conditions, texts
from trialwatt.figures.style import SUFFIXES
from trialwatt.figures.tables import explanation, readable, results_table
from trialwatt.provenance.files import write_whole

TABLE_SUFFIXES = (".csv", ".md", ".tex", ".json")


def write_report(results: Path, experiments: Iterable[Mapping], output: Path) -> Path:
    """Write the report of these experiments; the same results give the same bytes.

    experiments: each with `id`, and where known `title`, `sentence` and `varied` (the workload
    keys that vary). What was not made yet is said, not left out.
    """
    environment = Environment(
        loader=PackageLoader("trialwatt.figures", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = [_section(results, experiment, output) for experiment in experiments]
    made = [
        figure["path"] for section in sections for figure in section["figures"] if figure["data"]
    ]
    page = environment.get_template("report.html").render(
        sections=sections, example=made[0] if made else "figures/r-node/resource.svg"
    )
    write_whole(output, page)
    return output


def _section(results: Path, experiment: Mapping, output: Path) -> dict:
    name = experiment["id"]
    file = results / "metrics" / name / "runs.parquet"
    runs = pd.read_parquet(file) if file.is_file() else pd.DataFrame()
    table = results_table(runs, name)
    shown = readable(table) if len(table) else None
    best = best_table(runs, name)
    first = readable_best(best) if len(best) else None
    stem = results / "tables" / name
    return {
        "id": name,
        "title": experiment.get("title") or treatments.titled(name),
        "sentence": experiment.get("sentence", ""),
        "method": _method(runs, table, stem),
        "figures": [
            _figure(results, name, figure, output)
            for figure in figures_of(name, experiment.get("varied", ()))
        ],
        "heads": list(shown.columns) if shown is not None else [],
        "rows": shown.astype(str).values.tolist() if shown is not None else [],
        "explanation": explanation(table, runs) if len(table) else "",
        "best_heads": list(first.columns) if first is not None else [],
        "best_rows": first.astype(str).values.tolist() if first is not None else [],
        "best_explanation": explained(best, runs, name),
        "best_links": _links(
            [stem.parent / "best" / f"{name}{end}" for end in TABLE_SUFFIXES], output
        ),
        "remarks": _remarks(runs),
        "links": _links([stem.with_name(name + end) for end in TABLE_SUFFIXES], output)
        + _links([file, file.with_name("trials.parquet")], output),
    }


def _figure(results: Path, experiment: str, name: str, output: Path) -> dict:
    stem = results / "figures" / experiment / name
    svg = stem.with_name(f"{name}.svg")
    data = base64.b64encode(svg.read_bytes()).decode() if svg.is_file() else ""
    return {
        "name": name,
        "caption": FIGURES[name].caption,
        "data": data,
        "path": _link(svg, output),
        "links": _links([stem.with_name(name + end) for end in (*SUFFIXES, ".json")], output),
    }


def _method(runs: pd.DataFrame, table: pd.DataFrame, stem: Path) -> list[str]:
    """The method statement, a sentence or two each."""
    if runs.empty:
        return ["No data: this experiment has no runs yet."]
    completed = int((runs["status"] == "completed").sum())
    said = [
        conditions(runs),
        f"{len(runs)} runs, {completed} of them completed; "
        f"{treatments.sentence_of_n(list(table['n']))} for each row of the table.",
    ]
    sidecar = stem.with_name(f"{stem.name}.json")
    if sidecar.is_file():
        provenance = json.loads(sidecar.read_text(encoding="utf-8"))["provenance"]
        said += [f"Host: {_host(host)}." for host in provenance["hosts"] if _host(host)]
    return said


def _host(host: Mapping) -> str:
    parts = [
        host.get("cpu_model"),
        f"{host['cores']} cores" if host.get("cores") else "",
        f"{host['memory_mb']} MB" if host.get("memory_mb") else "",
        f"Linux {host['kernel']}" if host.get("kernel") else "",
    ]
    return ", ".join(str(part) for part in parts if part)


def _remarks(runs: pd.DataFrame) -> list[dict]:
    """Runs with something to know: not completed, flagged, or with a note."""
    remarks = []
    for run in runs.to_dict("records"):
        said = [] if run["status"] == "completed" else [_joined(run["status"], run.get("reason"))]
        for name in ("flags", "notes"):
            said += texts(run.get(name))
        if said:
            remarks.append({"folder": run["folder"], "said": said})
    return sorted(remarks, key=lambda remark: remark["folder"])


def _joined(status: str, reason: object) -> str:
    return f"{status}: {reason}" if isinstance(reason, str) and reason else status


def _links(files: Iterable[Path], output: Path) -> list[dict]:
    return [{"name": f.name, "path": _link(f, output)} for f in files if f.is_file()]


def _link(file: Path, output: Path) -> str:
    return Path(os.path.relpath(file, output.parent)).as_posix()
