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
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trialwatt.figures.suts import in_order, mark
from trialwatt.files import write_whole
from trialwatt.metrics.beside import CONVERGENCE, UNAVAILABLE, read_beside
from trialwatt.metrics.dictionary import shown_in
from trialwatt.metrics.processes import PROCESSES
from trialwatt.page import runs as runs_of
from trialwatt.page.beside import links
from trialwatt.page.labs import Lab, contributed, own
from trialwatt.page.origin import SHARED, Pool, configuration
from trialwatt.page.overview import overview
from trialwatt.page.sections import section

SCRIPTS = ("dom", "marks", "plot", "lines", "rows", "curves", "tables", "run", "main")
"""Files of assets/, in the order in which they are put together."""
_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028"}


def write_page(
    results: Path, experiments: Iterable[Mapping], output: Path, processes: int = PROCESSES
) -> Path:
    """Write the page of our own results; the same results give the same bytes.

    experiments: each with `id`, and where known `title` and `varied`. What was not made yet is
    said, not left out.
    """
    return _write([own(results, experiments)], output, processes)


def write_comparison(
    results: Path, experiments: Iterable[Mapping], output: Path, processes: int = PROCESSES
) -> Path:
    """Write the page of our own results and those that were imported, each under its name."""
    return _write([own(results, experiments), *contributed(results)], output, processes)


def _write(labs: Sequence[Lab], output: Path, processes: int) -> Path:
    content, head = _content(labs, output, processes)
    style, script = _asset("page.css"), "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    environment = Environment(
        loader=PackageLoader("trialwatt.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html").render(
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
    read = {
        lab.name: {each["id"]: runs_of.tables(lab, each["id"]) for each in lab.experiments}
        for lab in labs
    }
    shown: dict[str, dict] = {}
    heads = []
    for lab in labs:
        found = runs_of.described(lab, read[lab.name], pools, processes)
        heads.append(_head(lab, read[lab.name], found, pools))
        shown |= found
    folders = sorted(shown)
    numbers = {folder: number for number, folder in enumerate(folders)}
    curves = {folder: run["curve"] for folder, run in shown.items() if "curve" in run}
    parts = _experiments(labs)
    suts = in_order(run["sut"] for run in shown.values())
    content = {
        "format": 1,
        "columns": {
            "words": runs_of.words(),
            "values": runs_of.values(),
            "told": [[column.name, column.title] for column in shown_in("run")],
        },
        "suts": {sut: list(mark(sut)) for sut in suts},
        "labs": [lab.name for lab in labs],
        "pools": {name: pool.values for name, pool in pools.items()},
        "experiments": [
            section(
                part,
                _together(read[lab.name].get(name, [pd.DataFrame()])[0] for lab in labs),
                _beside(labs, name),
                numbers,
                curves,
            )
            | {"files": _files(labs, part, output)}
            for name, part in parts.items()
        ],
        "runs": [{"folder": folder} | shown[folder] for folder in folders],
    }
    return content, heads


def _experiments(labs: Sequence[Lab]) -> dict[str, Mapping]:
    """All experiments, ours first; one that several labs have is that of the first."""
    found: dict[str, Mapping] = {}
    for lab in labs:
        for each in lab.experiments:
            found.setdefault(each["id"], each)
    return found


def _together(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    some = [table for table in tables if len(table)]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame()


def _head(lab: Lab, read: Mapping, found: Mapping[str, dict], pools: Mapping[str, Pool]) -> dict:
    runs = _together(runs for runs, _ in read.values())
    runs = runs.drop_duplicates("folder") if len(runs) else runs
    hosts = sorted({run["host"] for run in found.values()})
    return overview(lab, runs, [pools["host"].values[number] for number in hosts])


def _beside(labs: Sequence[Lab], experiment: str) -> dict[str, list[dict]]:
    """How the sweeps ended, and what is not available, of all labs."""
    sweeps, unavailable = [], []
    for lab in labs:
        folder = lab.results / "metrics" / experiment
        for sweep in _entries(folder / CONVERGENCE):
            sweeps.append(sweep | {"testbed": lab.testbed(sweep["testbed"])})
        for entry in _entries(folder / UNAVAILABLE):
            reason = f"{entry['reason']} ({lab.name})" if lab.name else entry["reason"]
            unavailable.append(entry | {"reason": reason})
    return {"sweeps": sweeps, "unavailable": unavailable}


def _entries(file: Path) -> list[dict]:
    return read_beside(file) if file.is_file() else []


def _files(labs: Sequence[Lab], experiment: Mapping, output: Path) -> list[dict]:
    """Per lab that has the experiment: files beside the page, and the configuration files."""
    name = experiment["id"]
    return [
        {
            "lab": lab.name,
            "configuration": configuration(lab.results / "tables" / f"{name}.json"),
            **links(lab.results, experiment, output),
        }
        for lab in labs
        if any(each["id"] == name for each in lab.experiments)
    ]


def _in_script(content: dict) -> str:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(str.maketrans(_IN_SCRIPT))


def _asset(name: str) -> str:
    return (resources.files("trialwatt.page") / "assets" / name).read_text(encoding="utf-8")


def _sum(text: str) -> str:
    """What a Content Security Policy names a script or style by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
