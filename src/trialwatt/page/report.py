"""results/report.html: all experiments on one page that needs nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trialwatt.figures import FIGURES, category_of
from trialwatt.figures.notes import by_status, conditions, host_said
from trialwatt.figures.products import ANSWERS
from trialwatt.figures.tablefiles import NO_DATA
from trialwatt.figures.workflow import graph_svg
from trialwatt.files import write_whole
from trialwatt.page.links import figure_links, linked, metrics_links, table_links
from trialwatt.provenance.chain import validated
from trialwatt.provenance.embed import read_sidecar
from trialwatt.summary.answers import answers_of
from trialwatt.summary.experiment import ExperimentSummary, read_summary
from trialwatt.summary.replayed import ReplayedSummary, captions, read_replays


def write_report(
    results: Path, experiments: Iterable[Mapping], output: Path, replays: Sequence[str] = ()
) -> Path:
    """Write the report of these experiments; the same results give the same bytes.

    experiments: each with `id`, and where known `title` and `varied` (the workload keys that
    vary). What was not made yet is said, not left out. replays: those that are replayed.
    """
    summaries = [read_summary(results, experiment) for experiment in experiments]
    sections = [_section(results, summary, output) for summary in summaries]
    made = [figure["path"] for one in sections for figure in one["figures"] if figure["data"]]
    page = page_template("report.html").render(
        sections=sections,
        replays=[_replayed(one, output) for one in read_replays(results, replays)],
        answers=answers_of(results),
        answer_links=[link for stem in ANSWERS for link in table_links(results, stem, output)],
        categories=_categories(summaries),
        graph=Markup(graph_svg()),
        example=made[0] if made else "figures/baseline/lifecycle.svg",
    )
    write_whole(output, page)
    return output


def page_template(name: str):
    """A template of this package, in which a name that is not given is an error."""
    environment = Environment(
        loader=PackageLoader("trialwatt.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _categories(summaries: Iterable[ExperimentSummary]) -> dict[str, list[ExperimentSummary]]:
    """Category → its experiments, in the order of the plan."""
    found: dict[str, list[ExperimentSummary]] = {}
    for summary in summaries:
        found.setdefault(category_of(summary.varied), []).append(summary)
    return found


def _section(results: Path, summary: ExperimentSummary, output: Path) -> dict:
    return {
        "summary": summary,
        "method": _method(results, summary),
        "figures": [_figure(results, summary, name, output) for name in summary.figures],
        "second_links": table_links(results, f"{summary.second_kind}/{summary.id}", output),
        "links": table_links(results, summary.id, output)
        + metrics_links(results, summary.id, ("runs.parquet", "trials.parquet"), output),
    }


def _replayed(summary: ReplayedSummary, output: Path) -> dict:
    results, name = summary.results, summary.found.id
    tables = [
        ("Replayed strategies", summary.comparison, f"replay/{name}"),
        ("Energy at equal score", summary.equal_score, f"replay-equal-score/{name}"),
        ("What the answers hang on", summary.sensitivity, f"replay-sensitivity/{name}"),
    ]
    return {
        "summary": summary,
        "figures": [
            _shown(
                summary.figure_stem(figure).with_suffix(".svg"),
                figure,
                caption,
                figure_links(results, f"replay/{name}", figure, output),
                output,
            )
            for figure, caption in captions(summary).items()
        ],
        "tables": [
            {"title": title, "table": table, "links": table_links(results, stem, output)}
            for title, table, stem in tables
        ],
        "seeds": table_links(results, f"replay-seeds/{name}", output),
    }


def _figure(results: Path, summary: ExperimentSummary, name: str, output: Path) -> dict:
    svg = results / "figures" / summary.id / f"{name}.svg"
    links = figure_links(results, summary.id, name, output)
    return _shown(svg, name, FIGURES[name].caption, links, output)


def _shown(svg: Path, name: str, caption: str, links: list[dict], output: Path) -> dict:
    return {
        "name": name,
        "caption": caption,
        "data": base64.b64encode(svg.read_bytes()).decode() if svg.is_file() else "",
        "path": linked(svg, output),
        "links": links,
    }


def _method(results: Path, summary: ExperimentSummary) -> list[str]:
    """The method statement, a sentence or two each."""
    runs = summary.runs
    if runs.empty:
        return [NO_DATA]
    said = [
        conditions(runs),
        f"{len(runs):,} runs: {by_status(runs)}; {summary.n} for each row of the table.",
    ]
    sidecar = results / "tables" / f"{summary.id}.json"
    known = read_sidecar(sidecar) if sidecar.is_file() else None
    hosts = validated(known[0], where=str(sidecar)).hosts if known else []
    return [*said, *(f"Host: {host_said(host)}." for host in hosts if host_said(host))]
