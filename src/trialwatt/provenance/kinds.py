"""What kinds of files a results folder has, and of what each that has no sidecar is made.

The chain of a figure or table stands in it and beside it, that of a run in its run.json. For all
others it follows from the plan, which says which experiments have which runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from trialwatt.config.plan_parts import PlannedExperiment
from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.provenance.place import Place

TRACEABLE = (
    "what can be traced: figures, tables, replayed searches and their trial table, and the paper "
    "(results/figures, tables, replay, paper), a run's "
    "or a configuration's folder and any file in it (results/runs, scouts, warm-ups), metrics, "
    "sweeps, testbeds, plan.json, report.html, page.html, an archive's map, and configuration files"
)


@dataclass(frozen=True)
class Made:
    """Of what a file is made. folders: repetitions. tables: other files below the results folder.
    faults: what is missing to know it all."""

    experiments: Sequence[PlannedExperiment] = ()
    folders: Sequence[str] = ()
    tables: Sequence[str] = ()
    faults: Sequence[str] = ()
    said: Sequence[str] = field(default=())


class Kind(NamedTuple):
    """pattern: of the name in an archive. said: what such a file is. made: of what this one is."""

    kind: str
    pattern: str
    said: str
    made: Callable[[Place, re.Match], Made]


def kind_of(place: Place) -> tuple[Kind, re.Match] | None:
    """The kind of a file that has neither sidecar nor manifest."""
    for kind in KINDS:
        if found := re.fullmatch(kind.pattern, place.name):
            return kind, found
    return None


def why_not(name: str) -> str:
    """Why a file of this name has no trace, where it is one that is known; else empty."""
    return next((said for pattern, said in _UNTRACED if re.fullmatch(pattern, name)), "")


def _experiments(place: Place, experiments: Sequence[PlannedExperiment]) -> Made:
    folders: set[str] = set()
    faults: list[str] = []
    for one in experiments:
        own, missing = place.repetitions(one)
        folders.update(own)
        faults += missing
    return Made(experiments, sorted(folders), faults=faults)


def _all(place: Place, _: re.Match) -> Made:
    return _experiments(place, list(place.plan.experiments.values()))


def _one(place: Place, found: re.Match) -> Made:
    return _experiments(place, [_named(place, found["experiment"])])


def _named(place: Place, experiment: str) -> PlannedExperiment:
    if experiment not in place.plan.experiments:
        raise TrialwattError(
            f"{shown(place.name)}: the plan.json there has no experiment of this name"
        )
    return place.plan.experiments[experiment]


def _ends(place: Place, found: re.Match) -> Made:
    experiment = _named(place, found["experiment"])
    made = _experiments(place, [experiment])
    ends = [f"sweeps/{experiment.id}/{sweep.id}/end.json" for sweep in experiment.sweeps]
    return Made(made.experiments, made.folders, ends, made.faults)


def _sweep(place: Place, found: re.Match) -> Made:
    """Of the moves before it and the runs that those asked for."""
    experiment = _named(place, found["experiment"])
    if found["sweep"] not in {sweep.id for sweep in experiment.sweeps}:
        raise TrialwattError(f"{shown(place.name)}: the plan.json there has no sweep of this name")
    before: list[str] = []
    folders: list[str] = []
    asked: list[str] = []
    faults: list[str] = []
    try:
        for name, new in place.moves(experiment.id, found["sweep"]):
            if f"results/{name}" == place.name:
                asked = new
                break
            before.append(name)
            folders += new
    except TrialwattError as error:
        faults.append(f"{error}; what this one is made of is not known")
    said = [f"it asks for {one}" for one in asked]
    if found["move"] and not asked and not faults:
        said = ["it asks for no run: the sweep ends here"]
    return Made([experiment], sorted(set(folders)), before, faults, said)


def _of_testbed(place: Place, found: re.Match) -> Made:
    if found["testbed"] != place.plan.testbed_name:
        raise TrialwattError(
            f"{shown(place.name)}: of another testbed than that of the plan.json there, "
            f"{place.plan.testbed_name}; no run of it is known"
        )
    return _all(place, found)


def _page(place: Place, found: re.Match) -> Made:
    made = _all(place, found)
    tables = [f"metrics/{one.id}/{name}" for one in made.experiments for name in _TABLES]
    return Made(made.experiments, made.folders, tables, made.faults)


def _config(place: Place, found: re.Match) -> Made:
    using = [
        one
        for name, one in place.plan.experiments.items()
        if place.name in place.plan.files_of(name)
    ]
    replay = place.plan.replay
    if not using and replay and place.name in {one.file for one in replay.experiments.values()}:
        said = ["of an experiment that was replayed; the runs are those of the trial table"]
        made = _experiments(place, [place.plan.experiments[replay.table]])
        return Made(made.experiments, made.folders, faults=made.faults, said=said)
    if not using:
        raise TrialwattError(f"{shown(place.name)}: no experiment of the plan.json there uses it")
    return _experiments(place, using)


_TABLES = ("runs.parquet", "convergence.json", "unavailable.json")
_METRICS = r"results/metrics/(?P<experiment>[^/]+)/"
_OF_RECORDS = "metrics, made of the records of the runs, with prices and intensities of the plan"
_CONFIG = r"(?!(results|paper|rules|scripts|captions|envs|local|k8s)/)(.+\.(ya?ml|json|csv))"

KINDS = (
    Kind("plan", r"results/plan\.json", "the resolved plan, made before any run, of the "
         "configuration files; the runs are those that it asks for", _all),
    Kind("metrics", _METRICS + r"(runs|trials)\.(parquet|csv)", _OF_RECORDS, _one),
    Kind("metrics", _METRICS + r"convergence\.json", "how each of its sweeps ended", _ends),
    Kind("metrics", _METRICS + r"unavailable\.json", "what the plan says could not be run", _one),
    Kind("metrics", _METRICS + r"dictionary\.json",
         "what each column of the metrics means; it is of the code, and of no run", _one),
    Kind("metrics", _METRICS + r"complete\.json", "that all its runs are there", _one),
    Kind("sweep", r"results/sweeps/(?P<experiment>[^/]+)/(?P<sweep>[^/]+)/"
         r"((?P<move>move\d+)|end)\.json", "a decision of a sweep, made of the moves before it "
         "and of how their runs came out", _sweep),
    Kind("testbed", r"results/testbeds/(?P<testbed>[^/]+)\.json",
         "facts about the machine, taken before the runs; the runs are those on it", _of_testbed),
    Kind("page", r"results/page\.html", "shows all experiments; made of their metrics", _page),
    Kind("page", r"results/report\.html", "shows all experiments; made of their metrics, figures "
         "and tables, which have chains of their own", _page),
    Kind("map", r"ARTIFACT\.md|artifact\.json|ro-crate-metadata\.json",
         "the map of an archive, made of all that is in it", _all),
    Kind("configuration file", _CONFIG, "configuration; the runs are those of the experiments "
         "that use it", _config),
)  # fmt: skip
"""The first that fits."""

_UNTRACED = (
    (r"results/logs/.*", "a log of the workflow, of which nothing is made"),
    (r"results/archive/.*", "an archive; `trialwatt verify` checks it as a whole"),
    (r"results/contrib/[^/]+\.json", "a note of `trialwatt import`; what it names is traced below "
     "the folder of the same name"),
    (r"results/replay/cost/runs\.parquet", "a table of runs that were measured elsewhere, where "
     "their records are; each replay.json names its checksum"),
    (r"results/comparison\.html", "shows our runs and those of others; each lab's own results are "
     "traced in its own folder"),
    (r"results/workflow\.html", "a report of Snakemake, not of trialwatt"),
    (r"results/(data|shared)/.*", "a prepared dataset or a note of one; each run.json names the "
     "dataset's checksum"),
    (r"(Snakefile|(rules|scripts|captions|envs|local|k8s)/.*)", "the workflow's own file: of no "
     "run; `trialwatt verify` compares those of an archive with its listing"),
    (r"paper/.*", "the paper's source; trace results/paper/paper.pdf, whose chain names it"),
)  # fmt: skip
