"""What the commands of replay say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import TypeAdapter, ValidationError

from trialwatt.config.models import Search, Space
from trialwatt.config.yaml_files import read_yaml
from trialwatt.errors import TrialwattError
from trialwatt.metrics.formulas import J_PER_KWH
from trialwatt.metrics.tables import read_runs
from trialwatt.provenance.plans import read_plan
from trialwatt.replay.check import coverages, same_search, told
from trialwatt.replay.conditions import told_apart
from trialwatt.replay.experiment import FOLDER, read_replayed
from trialwatt.replay.laws import laws_of
from trialwatt.replay.measured import table_of
from trialwatt.replay.progress import Progress
from trialwatt.replay.results import read_results, write_coverage, write_results
from trialwatt.replay.run import Draw, Replay, Replayed, Wanted
from trialwatt.replay.table import TrialTable, load

SHOWN = {
    "jct_ms": ("JCT, s", 1e-3),
    "job_energy_kwh": ("job energy, J", J_PER_KWH),
    "energy_to_goal_kwh": ("energy to goal, J", J_PER_KWH),
    "time_to_goal_ms": ("time to goal, s", 1e-3),
    "oc": ("cost", 1.0),
    "wte_share": ("wasted share of energy", 1.0),
    "best_score": ("best score", 1.0),
}
"""Columns of the printed table: what they are called there, in which unit."""


def replay_command(
    table_file: Path,
    wanted: Wanted,
    searches: int,
    processes: int,
    costs: Path | None,
    flagged: bool,
    output: Path | None,
) -> str:
    """Replay searches, write them where `output` says, and return a short table of them."""
    found = load(table_file)
    found.check(flagged=flagged)
    laws, notes = None, list[str]()
    if costs is not None:
        laws, notes = laws_of(
            costs,
            found.facts,
            found.workload,
            wanted.workers,
            sut=wanted.sut,
            prunes=wanted.strategy.prunes,
        )
    replay = Replay(found, wanted, laws)
    replayed = replay.searches(searches, processes, Progress(searches))
    if output is not None:
        write_results(replayed, replay, found, wanted.seed, output, notes)
    return "\n".join([*_told(replayed, replay, found), *(f"note: {note}" for note in notes)])


def coverage_command(folders: Sequence[Path], runs_file: Path | None) -> str:
    """What live runs say of replayed searches: compared with these runs, which is written into each
    folder; without runs what the workflow has found of an experiment (results/replay/<id>)."""
    if runs_file is None:
        return "\n".join(line for folder in folders for line in _found(folder))
    runs, lines = read_runs(runs_file), list[str]()
    for folder in folders:
        results = read_results(folder)
        live = same_search(results.said, runs)
        apart = told_apart(results.conditions, runs_file, live, "the live searches")
        found = told(coverages(results, live), live, apart)
        lines += _covered(results.strategy, found)
        write_coverage(folder, found, runs_file)
    return "\n".join(lines)


def _found(folder: Path) -> Iterator[str]:
    results, _, experiment = str(folder.absolute()).rpartition(f"/{FOLDER}/")
    if not results:
        raise TrialwattError(
            f"{folder}: is no experiment that a workflow has replayed ({FOLDER}/<id> below its "
            "results); searches of `trialwatt replay` are checked with --runs"
        )
    for one in read_replayed(Path(results), experiment).strategies:
        if found := one.said["coverage"]:
            yield from _covered(one.strategy, found)
        else:
            yield f"{one.strategy}: no live searches"


def _covered(strategy: str, found: Mapping[str, Any]) -> Iterator[str]:
    flagged = f", {found['flagged']} of them flagged" if found["flagged"] else ""
    yield f"{strategy}: replayed against {found['live']} live searches{flagged}"
    for one in found["quantities"]:
        bias = "not known" if one["bias"] is None else f"{one['bias']:.3f}"
        yield (
            f"  {one['quantity']:22}{one['inside']:4} of {one['live']} in the 90 % interval "
            f"({one['share_low']:.0%} to {one['share_high']:.0%}), live ÷ replayed {bias}: "
            f"{one['verdict']}"
        )
    yield from (f"  note: {said}" for said in found["apart"])


def wanted_of(
    sut: str,
    sampler: str,
    pruner: str,
    options: Sequence[str],
    budget: int | None,
    workers: int | None,
    seed: int,
    target: float | None,
    space: Path | None,
    draw: str = "search",
) -> Wanted:
    """What the options of the command line mean. Raises TrialwattError where they mean nothing."""
    given: dict[str, dict[str, Any]] = {"sampler": {}, "pruner": {}}
    for text in options:
        key, _, value = text.partition("=")
        kind, _, name = key.partition(".")
        if kind not in given or not name or not value:
            raise TrialwattError(
                f"--option {text}: must be sampler.NAME=VALUE or pruner.NAME=VALUE"
            )
        try:
            given[kind][name] = json.loads(value)
        except ValueError:
            given[kind][name] = value
    try:
        search = Search(
            sampler=sampler,
            pruner=pruner,
            budget=budget,
            sampler_options=given["sampler"],
            pruner_options=given["pruner"],
        )
        part = None if space is None else TypeAdapter(Space).validate_python(_yaml(space))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TrialwattError(f"{where}: {first['msg']}") from error
    if draw not in get_args(Draw):
        raise TrialwattError(f"--draw {draw}: must be one of: {', '.join(get_args(Draw))}")
    return Wanted(sut, search, workers, seed, part, target, cast(Draw, draw))


def _yaml(file: Path) -> Any:
    data, problems = read_yaml(file, str(file))
    if problems:
        raise TrialwattError(str(problems[0]))
    return data


def _told(replayed: Replayed, replay: Replay, table: TrialTable) -> list[str]:
    rows, search = replayed.searches, replay.config.workload.search
    framework = f"framework: {replay.costs.framework}"
    lines = [
        f"replayed: {replay.config.sut} {search.sampler} + {search.pruner}, {len(rows)} searches "
        f"of {replay.budget} trials on {replay.costs.workers} workers; {framework}; "
        f"energy {table.facts.methods}",
        f"{'':24}{'median':>12}{'5 %':>12}{'95 %':>12}",
    ]
    for column, (name, factor) in SHOWN.items():
        values = rows[column].dropna() * factor
        if len(values):
            low, middle, high = values.quantile([0.05, 0.5, 0.95])
            lines.append(f"{name:24}{middle:12.4g}{low:12.4g}{high:12.4g}")
    if rows["goal_target"].notna().all():
        share = rows["goal_reached"].mean()
        lines.append(f"{share:.1%} reached the goal, {rows['goal_target'].iloc[0]:.4g}")
    if any(one.flags for one in table.facts.sources):
        lines.append("the table is made of flagged runs")
    return lines


def table_command(results: Path, output: Path, experiment: str, csv: Path | None) -> str:
    """Make a trial table of an experiment's runs and write it; says what is in it, and what not.

    Raises TrialwattError where the experiment is not of the plan, or has no run yet.
    """
    plan = read_plan(results)
    wanted = [results / folder for folder in plan.folders(experiment)]
    folders = [folder for folder in wanted if folder.is_dir()]
    if not folders:
        raise TrialwattError(
            f"{results}: no run of the experiment {experiment} is there; measure it first"
        )
    table = table_of(folders, plan.context)
    table.write(output)
    if csv is not None:
        table.write_csv(csv)
    said = [
        f"{output}: {len(table.phis)} φ × {len(table.seeds)} seeds × "
        f"{table.workload.epochs} epochs, energy {table.facts.methods}"
    ]
    if missing := len(wanted) - len(folders):
        said.append(f"{missing} of {len(wanted)} planned runs are not there")
    try:
        table.check()
    except TrialwattError as error:
        said.append(f"not to be searched yet: {error}")
    return "\n".join(said)
