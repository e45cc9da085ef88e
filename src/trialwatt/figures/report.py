"""results/report.html: all experiments on one page that needs nothing but itself."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trialwatt.figures import FIGURES, category_of, figures_of, treatments
from trialwatt.figures.absent import failures, grouped
from trialwatt.figures.best import best_table, explained, readable_best
from trialwatt.figures.notes import conditions, host_said, texts
from trialwatt.figures.tablefiles import read_tidy
from trialwatt.figures.tables import explanation, readable, results_table
from trialwatt.figures.workflow import graph_svg
from trialwatt.files import write_whole
from trialwatt.metrics.experiment_notes import read_notes
from trialwatt.metrics.tables import read_runs
from trialwatt.provenance.chain import validated
from trialwatt.provenance.embed import FIGURES as SUFFIXES
from trialwatt.provenance.embed import read_sidecar
from trialwatt.records.outcome import FAILED

_STATUSES = ("completed", "infeasible", "deadline", FAILED)
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
    answers = _answers(results, output)
    made = [
        figure["path"] for section in sections for figure in section["figures"] if figure["data"]
    ]
    page = environment.get_template("report.html").render(
        sections=sections,
        answers=answers,
        categories=_categories(sections),
        graph=Markup(graph_svg()),
        example=made[0] if made else "figures/r-node/resource.svg",
    )
    write_whole(output, page)
    return output


def _categories(sections: Iterable[Mapping]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Category → identifier and title of its experiments, in the order of the plan."""
    found: dict[str, list[tuple[str, str]]] = {}
    for section in sections:
        own = category_of(section["varied"])
        found.setdefault(own, []).append((section["id"], section["title"]))
    return list(found.items())


def _answers(results: Path, output: Path) -> dict:
    """The sentences of figures.answers, apart those over all scopes; empty where not made yet."""
    folder = results / "tables"
    file = folder / "answers.csv"
    if not file.is_file():
        return {"first": [], "others": [], "links": []}
    table = read_tidy(file, {"scope": str, "sentence": str})
    whole = table["scope"] == "all"
    stems = ("answers", "answers-tests", "answers-best")
    return {
        "first": table.loc[whole, "sentence"].tolist(),
        "others": table.loc[~whole, "sentence"].tolist(),
        "links": _links([folder / f"{s}{end}" for s in stems for end in TABLE_SUFFIXES], output),
    }


def _section(results: Path, experiment: Mapping, output: Path) -> dict:
    name = experiment["id"]
    file = results / "metrics" / name / "runs.parquet"
    runs = read_runs(file) if file.is_file() else pd.DataFrame()
    unavailable = _beside(file, "unavailable")
    table = results_table(runs, unavailable)
    shown = readable(table) if len(table) else None
    best = best_table(runs, unavailable)
    first = readable_best(best) if len(best) else None
    stem = results / "tables" / name
    return {
        "id": name,
        "title": experiment.get("title") or name,
        "varied": list(experiment.get("varied", ())),
        "sentence": experiment.get("sentence", ""),
        "method": _method(runs, table, stem),
        "figures": [
            _figure(results, name, figure, output)
            for figure in figures_of(experiment.get("varied", ()))
        ],
        "heads": list(shown.columns) if shown is not None else [],
        "rows": shown.astype(str).values.tolist() if shown is not None else [],
        "explanation": explanation(table, runs) if len(table) else "",
        "absent": _absent(runs, unavailable),
        "sweeps": _sweeps(_beside(file, "convergence")),
        "best_heads": list(first.columns) if first is not None else [],
        "best_rows": first.astype(str).values.tolist() if first is not None else [],
        "best_explanation": explained(best, runs),
        "best_links": _links(
            [stem.parent / "best" / f"{name}{end}" for end in TABLE_SUFFIXES], output
        ),
        "remarks": _remarks(runs),
        "links": _links([stem.with_name(name + end) for end in TABLE_SUFFIXES], output)
        + _links([file, file.with_name("trials.parquet")], output),
    }


def _beside(table: Path, name: str) -> list[dict]:
    """The entries of a file beside the runs table; none in a set that is older than it."""
    file = table.with_name(f"{name}.json")
    if not file.is_file():
        return []
    return read_notes(file)


def _absent(runs: pd.DataFrame, unavailable: list[dict]) -> list[str]:
    """Which runs failed and what cannot be run here, a sentence each."""
    said = [each.sentence for each in grouped(unavailable)]
    failed = failures(runs)
    return [*([failed] if failed else []), *(f"Not available here. {each}." for each in said)]


def _sweeps(sweeps: list[dict]) -> list[str]:
    """How each sweep ended, a sentence each."""
    several = len({sweep["testbed"] for sweep in sweeps}) > 1
    return [
        f"{sweep['sut']} ({'; '.join([sweep['sampler'], *([sweep['testbed']] * several)])}): "
        f"{'demonstration only: ' if sweep.get('demonstration') else ''}{sweep['state']}"
        f"{': ' + sweep['reason'] if sweep.get('reason') else ''}."
        for sweep in sweeps
    ]


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
    counts = runs["status"].value_counts()
    each = ", ".join(f"{counts[name]} {name}" for name in _STATUSES if name in counts)
    of_rows = list(table.loc[table["runs"] > 0, "n"])
    said = [
        conditions(runs),
        f"{len(runs)} runs: {each}; {treatments.sentence_of_n(of_rows)} for each row of the table.",
    ]
    sidecar = stem.with_name(f"{stem.name}.json")
    if sidecar.is_file():
        known = read_sidecar(sidecar)
        hosts = validated(known[0], where=str(sidecar)).hosts if known else []
        said += [f"Host: {host_said(host)}." for host in hosts if host_said(host)]
    return said


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
