"""The artifact's map: contribution → experiment → figures and tables, what to expect, how long.

Generated from the plan, the records' manifests and the tables; the same results give the same map.
A claim is a sentence that the data say; `trialwatt verify` ends with a line for each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from trialwatt.analysis.convergence import REPETITIONS
from trialwatt.config.factors import hypotheses
from trialwatt.config.plan_parts import PlannedExperiment
from trialwatt.config.yaml_files import read_yaml
from trialwatt.figures import FIGURES, planned, second_table
from trialwatt.figures.answers import STEM, TESTS
from trialwatt.figures.products import PRODUCTS, TABLE_SUFFIXES, section
from trialwatt.figures.replayed import CAPTION as REPLAYED_CAPTION
from trialwatt.provenance.foreign import read_json
from trialwatt.records.manifest import MANIFEST, headline_domains
from trialwatt.replay.experiment import FOLDER, SAID
from trialwatt.replay.results import NAME as REPLAYED
from trialwatt.review.tree import (
    PAPER,
    RESULTS,
    Tree,
    made_of,
    made_of_the_paper,
    not_counted,
    run_folders,
)
from trialwatt.summary.answers import answers_of
from trialwatt.summary.experiment import read_summary

JSON_NAME, TEXT_NAME = "artifact.json", "ARTIFACT.md"
_SECONDS_A_RUN, _SECONDS_A_FIGURE, _SECONDS_FIRST = 0.1, 1.0, 10.0
"""Of the analysis on two cores, rounded up from benchmarks/figures.py; it is on no record."""
NOTE = (
    "Execution: the times in the manifests of the runs; a run that several experiments share "
    "counts in each of them, and once in the whole. Set-up: the measurement of idle power and the "
    "warm-up runs, by their manifests; to install the environment, once, takes some minutes more. "
    "Analysis: from the number of runs and figures, at most, on two cores."
)


def describe(tree: Tree) -> dict:
    """The map of a tree whose tables are made, as plain data."""
    folders = run_folders(tree)
    manifests = {
        folder: json.loads((tree.results / folder / MANIFEST).read_text(encoding="utf-8"))
        for folder in sorted({one for own in folders.values() for one in own})
    }
    warm = [
        json.loads((tree.results / folder / MANIFEST).read_text(encoding="utf-8"))
        for folder in not_counted(tree)
        if (tree.results / folder / MANIFEST).is_file()
    ]
    figures = sum(len(planned(part)) for part in tree.plan.experiments.values())
    idle_s = _number(tree.plan.testbed_config.get("idle_s"))
    set_up = _minutes(idle_s + sum(map(_seconds, warm)))
    return {
        "generator": "trialwatt",
        "format": 1,
        "testbed": tree.plan.testbed_name,
        "claims": [
            *(
                _experiment(tree, part, folders[part.id], manifests, set_up)
                for part in tree.plan.experiments.values()
            ),
            *_replays(tree),
            *_hypotheses(tree),
            *_paper(tree),
        ],
        "minutes": {
            "set_up": set_up,
            "execution": _minutes(sum(map(_seconds, manifests.values()))),
            "analysis": _analysis(len(manifests), figures),
        },
        "minutes_note": NOTE,
        "runs": len(manifests),
        "limits": _limits(tree, manifests.values()),
        "deviations": _deviations(tree),
        "hosts": _distinct(manifest.get("host") or {} for manifest in manifests.values()),
        "packages": _distinct(manifest.get("packages") or {} for manifest in manifests.values()),
        "datasets": _distinct(manifest.get("dataset") or {} for manifest in manifests.values()),
        "configuration": tree.plan.files,
    }


def as_json(described: Mapping) -> str:
    """The map as text for programs."""
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def as_markdown(described: Mapping) -> str:
    """The map as text for people; stands in the archive as its README."""
    minutes = described["minutes"]
    lines = [
        "# Artifact",
        "",
        f"Results of trialwatt on the testbed `{described['testbed']}`: {described['runs']} runs. "
        "Check everything, with nothing but trialwatt installed:",
        "",
        "```",
        "trialwatt verify <this archive>",
        "trialwatt remake <this archive> --output remade   # only make all of it again",
        "```",
        "",
        "A light archive has neither figures nor report (`trialwatt remake` makes them), nor the "
        "logs of the components and the weights of the best models, of which nothing is made.",
        "",
        "| | minutes |",
        "| --- | --- |",
        f"| set-up | {minutes['set_up']} |",
        f"| execution | {minutes['execution']} |",
        f"| analysis | {minutes['analysis']} |",
        "",
        described["minutes_note"],
        "",
        "## What it can and cannot say",
        "",
        *(f"- {sentence}" for sentence in described["limits"]),
        "",
        "Deviations from the base workload of its configuration: "
        + ("; ".join(described["deviations"]) or "none")
        + ". What an experiment varies is no deviation.",
        "",
        "## Contributions",
        "",
    ]
    for claim in described["claims"]:
        lines += _section(claim)
    lines += ["## Hardware, software, data", ""]
    for title, key in (("Host", "hosts"), ("Packages", "packages"), ("Data", "datasets")):
        lines += [f"- {title}: {_listed(one)}" for one in described[key] if one]
    lines += ["", "Configuration: " + ", ".join(f"`{f}`" for f in described["configuration"]), ""]
    return "\n".join(lines)


def _limits(tree: Tree, manifests: Iterable[Mapping]) -> list[str]:
    """What these results cannot decide, and why, a sentence each."""
    manifests = list(manifests)
    methods = sorted(
        {
            domain["method"]
            for manifest in manifests
            for own in headline_domains(manifest).values()
            for domain in own
            if "method" in domain
        }
    )
    said = [f"Energy is by method: {', '.join(methods) or 'not recorded'}."]
    if "modelled" in methods:
        said.append(
            "Modelled energy was measured by nobody: it is a function of processor time and wall "
            "time. A verdict on it holds under every power model of a range, or is undecided."
        )
    if len({(manifest.get("host") or {}).get("name_hash") for manifest in manifests}) == 1:
        said.append(
            "All runs are of one machine. H1 is about the difference between platforms: these "
            "results cannot decide it. The best treatment within this platform is a result."
        )
    wanted = tree.plan.repetitions
    if wanted < REPETITIONS:
        said.append(
            f"Repetitions of a configuration: {wanted}, fewer than {REPETITIONS}. They show what "
            "the method yields and decide nothing."
        )
    return said


def _deviations(tree: Tree) -> list[str]:
    """What the settings set in place of the base workload's own values."""
    testbed = tree.plan.testbed_config
    file = f"config/workloads/{tree.plan.base}.yaml"
    base = _yaml(tree, file)
    found = []
    for key, value in sorted(tree.plan.set.items()):
        own = base
        for part in key.split("."):
            own = own.get(part) if isinstance(own, Mapping) else None
        if own != value:
            found.append(f"{key} {value}" + (f" in place of {own}" if own is not None else ""))
    if testbed.get("cpu_per_vcpu") not in (None, 1):
        found.append(f"{testbed['cpu_per_vcpu']:g} of a core for each vCPU of a worker")
    return found


def _yaml(tree: Tree, name: str) -> Mapping:
    file = tree.file(name)
    data, _ = read_yaml(file, name) if file.is_file() else ({}, [])
    return data if isinstance(data, Mapping) else {}


def _section(claim: Mapping) -> list[str]:
    lines = [f"### {claim['id']}: {claim['contribution']}", ""]
    if claim.get("experiment_file"):
        lines.append(f"- Experiment: `{claim['experiment_file']}`, {claim['runs']} runs")
    else:
        lines.append(f"- Experiments: {', '.join(claim['experiments']) or 'none'}")
    lines += [f"- Expected: {sentence}" for sentence in claim["expected"]]
    if "minutes" in claim:
        minutes = claim["minutes"]
        lines.append(
            f"- Minutes: set-up {minutes['set_up']} (once for all), execution "
            f"{minutes['execution']}, analysis {minutes['analysis']}"
        )
    lines += [f"- Figure `{one['file']}`: {one['caption']}" for one in claim["figures"]]
    lines += [f"- Table `{one}`" for one in claim["tables"]]
    return [*lines, ""]


def _experiment(
    tree: Tree,
    part: PlannedExperiment,
    folders: list[str],
    manifests: Mapping[str, Mapping],
    set_up: float,
) -> dict:
    summary = read_summary(tree.results, section(part))
    return {
        "id": part.id,
        "contribution": part.title,
        "experiments": [part.id],
        "experiment_file": part.file,
        "runs": len(folders),
        "expected": [summary.lead, *summary.findings(), *summary.ended],
        "minutes": {
            "set_up": set_up,
            "execution": _minutes(sum(_seconds(manifests[folder]) for folder in folders)),
            "analysis": _analysis(len(folders), len(summary.figures)),
        },
        "figures": [
            {"file": f"{RESULTS}/figures/{part.id}/{name}.svg", "caption": FIGURES[name].caption}
            for name in summary.figures
        ],
        "tables": [
            f"{RESULTS}/tables/{name}.csv"
            for name in (part.id, f"{second_table(part.compared or ())}/{part.id}")
        ],
        "files": made_of(part),
    }


def _replays(tree: Tree) -> Iterable[dict]:
    """What was replayed, and how many of its strategies live searches bear out."""
    for part in tree.plan.replay.experiments.values() if tree.plan.replay else ():
        place = tree.results / FOLDER / part.id
        strategies = read_json(place / REPLAYED)[SAID]["strategies"]
        found = [
            each["verdict"]
            for one in strategies
            if one["coverage"]
            for each in one["coverage"]["quantities"]
        ]
        checked = sum(1 for one in strategies if one["coverage"])
        verdicts = ", ".join(f"{found.count(one)} {one}" for one in dict.fromkeys(found))
        figure = f"{RESULTS}/figures/{FOLDER}/{part.id}/attainment.svg"
        yield {
            "id": f"{FOLDER}-{part.id}",
            "contribution": f"{part.title}, replayed on measured trials",
            "experiments": list(tree.plan.experiments),
            "expected": [
                f"{len(strategies)} strategies, {tree.plan.replay.searches} searches each, "
                f"replayed, not run; {checked} of them checked by live searches"
                + (f": {verdicts}" if verdicts else "")
            ],
            "figures": [{"file": figure, "caption": REPLAYED_CAPTION}],
            "tables": [f"{RESULTS}/tables/{FOLDER}/{part.id}.csv"],
            "files": [
                f"{RESULTS}/{file}"
                for product in PRODUCTS.values()
                if product.replayed
                for file in product.files_in(tree.plan, part.id if product.of_each else None)
            ],
        }


def _hypotheses(tree: Tree) -> Iterable[dict]:
    for asked in answers_of(tree.results):
        tables = [f"{RESULTS}/tables/{stem}" for stem in (STEM, TESTS)]
        yield {
            "id": asked.name,
            "contribution": asked.statement,
            "experiments": [
                part.id
                for part in tree.plan.experiments.values()
                if asked.name in hypotheses(part.varies)
            ],
            "expected": [one.sentence for one in (asked.whole, *asked.scopes)],
            "figures": [],
            "tables": [f"{table}.csv" for table in tables],
            "files": [f"{table}{end}" for table in tables for end in TABLE_SUFFIXES],
        }


def _paper(tree: Tree) -> Iterable[dict]:
    """The paper as a contribution of its own, where it was made: it rests on everything."""
    files = made_of_the_paper(tree)
    if not files:
        return
    numbers = json.loads(tree.file(files[0]).read_text(encoding="utf-8"))
    of, shown = numbers["runs"], numbers["experiments"].values()
    yield {
        "id": PAPER,
        "contribution": "Every number, table and figure of the paper is made of the records.",
        "experiments": list(tree.plan.experiments),
        "expected": [
            f"{of['total']} runs with {of['trials']} trials in {of['configurations']} "
            f"configurations, {sum(len(one['figures']) for one in shown)} figures; energy "
            f"{of['method']}",
            *([numbers["headline"]] if numbers["headline"] else []),
        ],
        "figures": [],
        "tables": [],
        "files": files,
    }


def _seconds(manifest: Mapping) -> float:
    start, end = manifest.get("started_utc_ns"), manifest.get("ended_utc_ns")
    if not isinstance(start, int) or not isinstance(end, int):
        return 0.0
    return max(0.0, (end - start) / 1e9)


def _analysis(runs: int, figures: int) -> float:
    return _minutes(_SECONDS_FIRST + _SECONDS_A_RUN * runs + _SECONDS_A_FIGURE * figures)


def _minutes(seconds: float) -> float:
    return round(seconds / 60, 1)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _distinct(values: Iterable[Mapping]) -> list[dict]:
    by_text = {json.dumps(value, sort_keys=True): dict(value) for value in values}
    return [by_text[text] for text in sorted(by_text)]


def _listed(values: Mapping) -> str:
    return ", ".join(f"{key} {values[key]}" for key in sorted(values))
