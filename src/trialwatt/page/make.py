"""From metrics tables and records to the page's one file: what the workflow's script calls.

| file | path in the results folder |
|---|---|
| our own results | `page.html` |
| ours with those that others contributed | `comparison.html` |
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from trialwatt.figures.suts import in_order, mark
from trialwatt.files import write_whole
from trialwatt.metrics.dictionary import shown_in
from trialwatt.metrics.processes import PROCESSES
from trialwatt.page.labs import Lab, contributed, own
from trialwatt.page.lineage import SHARED, Pool, configuration
from trialwatt.page.links import links
from trialwatt.page.overview import overview
from trialwatt.page.replayed import replayed
from trialwatt.page.report import page_template
from trialwatt.page.runs import described, values, words
from trialwatt.page.sections import section
from trialwatt.summary.experiment import ExperimentSummary, together
from trialwatt.summary.replayed import read_replays

SCRIPTS = ("dom", "marks", "plot", "lines", "rows", "curves", "tables", "replayed", "run", "main")
"""Files of assets/, in the order in which they are put together."""
_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028"}


def write_page(
    results: Path,
    experiments: Iterable[Mapping],
    output: Path,
    replays: Iterable[str] = (),
    processes: int = PROCESSES,
) -> Path:
    """Write the page of our own results; the same results give the same bytes.

    experiments: each with `id`, and where known `title` and `varied`. What was not made yet is
    said, not left out. replays: those that are replayed.
    """
    return _write([own(results, experiments, replays)], output, processes)


def write_comparison(
    results: Path,
    experiments: Iterable[Mapping],
    output: Path,
    replays: Iterable[str] = (),
    processes: int = PROCESSES,
) -> Path:
    """Write the page of our own results and those that were imported, each under its name."""
    ours = own(results, experiments, replays)
    return _write([ours, *contributed(results)], output, processes)


def _write(labs: Sequence[Lab], output: Path, processes: int) -> Path:
    content, head = _content(labs, output, processes)
    style, script = _asset("page.css"), "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    page = page_template("page.html").render(
        labs=head,
        experiments=[(part["id"], part["heading"]) for part in content["experiments"]],
        style=Markup(style),
        script=Markup(script),
        content=Markup(_in_script(content)),
        style_sum=_sum(style),
        script_sum=_sum(script),
    )
    write_whole(output, page)
    return output


def _content(labs: Sequence[Lab], output: Path, processes: int) -> tuple[dict, list[dict]]:
    """The page's data, and its head lab by lab."""
    pools = {name: Pool() for name in SHARED}
    shown: dict[str, dict] = {}
    heads = []
    parts: dict[str, list[tuple[Lab, ExperimentSummary]]] = {}
    for lab in labs:
        read = lab.read()
        found = described(lab, read.values(), pools, processes)
        heads.append(_head(lab, read.values(), found, pools))
        shown |= found
        for name, summary in read.items():
            parts.setdefault(name, []).append((lab, summary))
    folders = sorted(shown)
    numbers = {folder: number for number, folder in enumerate(folders)}
    curves = {folder: run["curve"] for folder, run in shown.items() if "curve" in run}
    suts = in_order(run["sut"] for run in shown.values())
    content = {
        "format": 1,
        "columns": {
            "words": words(),
            "values": values(),
            "told": [[column.name, column.title] for column in shown_in("run")],
        },
        "suts": {sut: list(mark(sut)) for sut in suts},
        "labs": [lab.name for lab in labs],
        "pools": {name: pool.values for name, pool in pools.items()},
        "experiments": [
            section(together([summary for _, summary in of_labs]), numbers, curves)
            | {"files": [_files(lab, summary, output) for lab, summary in of_labs]}
            for of_labs in parts.values()
        ]
        + [
            replayed(summary, lab.name, output)
            for lab in labs
            for summary in read_replays(lab.results, lab.replays)
        ],
        "runs": [{"folder": folder} | shown[folder] for folder in folders],
    }
    return content, heads


def _head(
    lab: Lab, read: Iterable[ExperimentSummary], found: Mapping[str, dict], pools: Mapping
) -> dict:
    tables = [summary.runs for summary in read if len(summary.runs)]
    runs = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    runs = runs.drop_duplicates("folder") if len(runs) else runs
    hosts = sorted({run["host"] for run in found.values()})
    return overview(lab, runs, [pools["host"].values[number] for number in hosts])


def _files(lab: Lab, summary: ExperimentSummary, output: Path) -> dict:
    """Files beside the page, and the configuration files."""
    return {
        "lab": lab.name,
        "configuration": configuration(lab.results / "tables" / f"{summary.id}.json"),
        **links(lab.results, summary, output),
    }


def _in_script(content: dict) -> str:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(str.maketrans(_IN_SCRIPT))


def _asset(name: str) -> str:
    return (resources.files("trialwatt.page") / "assets" / name).read_text(encoding="utf-8")


def _sum(text: str) -> str:
    """What a Content Security Policy names a script or style by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
