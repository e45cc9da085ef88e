"""Replayed searches against their table and the plan; a drawn sample of them is replayed again."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from trialwatt.config.models import AS_RECORDED, RunConfig
from trialwatt.config.plan_parts import PlannedExperiment
from trialwatt.errors import TrialwattError
from trialwatt.records.installation import versions
from trialwatt.replay.columns import SEARCHES
from trialwatt.replay.experiment import FOLDER, ReplayedExperiment, read_said, replayed
from trialwatt.replay.laws import Laws
from trialwatt.replay.table import TrialTable, load
from trialwatt.replay.workflow import TABLE, replay_of
from trialwatt.review.structure import Problem, Sums
from trialwatt.review.tree import RESULTS, Tree

SAMPLE = 3
"""Searches of each strategy that are replayed again."""
_ROUNDING = 1e-9
"""Relative difference of a number that another processor may round differently."""


def check_replays(tree: Tree, sums: Sums) -> Iterator[Problem]:
    """What the searches say that they are of, against the table, the cost and the plan."""
    plan = tree.plan
    for part in plan.replay.experiments.values() if plan.replay else ():
        folder = tree.results / FOLDER / part.id
        name = f"{RESULTS}/{FOLDER}/{part.id}/searches.parquet"
        try:
            said = read_said(folder)
            found = replayed(folder, said)
        except TrialwattError as error:
            yield Problem(name, str(error).removeprefix(f"{folder}: "))
            continue
        made_of = {TABLE: said["table"]["sha256"]}
        if said["cost"]:
            made_of[said["cost"]["file"]] = said["cost"]["sha256"]
        for file, checksum in made_of.items():
            if fault := sums.fault(f"{RESULTS}/{file}", checksum):
                yield Problem(f"{RESULTS}/{file}", f"{fault} since {name} was made from it")
        if said["cost"] is None and plan.replay and plan.replay.cost_file:
            yield Problem(name, "counts no cost of frameworks, as the plan wants it")
        yield from (Problem(name, fault) for fault in _faults(tree, part, found))


def _faults(tree: Tree, part: PlannedExperiment, found: ReplayedExperiment) -> Iterator[str]:
    """Each planned run is replayed, or is named with a reason; each as often as was planned."""
    assert tree.plan.replay is not None
    wanted = {run.hash: run for run in part.runs}
    known = {one["hash"] for one in found.said["strategies"]}
    named = {(one["sut"], one["treatment"]) for one in found.unavailable}
    for hash_, run in wanted.items():
        sut = tree.plan.replay.configurations[run.folder].sut
        if hash_ not in known and (sut, run.label) not in named:
            yield f"lacks {sut} {run.label}, which the plan has"
    for strange in sorted(known - wanted.keys()):
        yield f"has searches of {strange}, which is of no run of the plan's"
    searches, seed = tree.plan.replay.searches, tree.plan.seed
    if (found.said["searches"], found.said["seed"]) != (searches, seed):
        yield f"is not of {searches} searches from the seed {seed}, as the plan wants it"
    counts = found.searches.groupby("strategy")["search"].nunique()
    if any(counts.get(place) != searches for place in range(len(found.said["strategies"]))):
        yield f"has not {searches} searches of each strategy"


def replayed_again(tree: Tree) -> dict[str, list[Any]]:
    """Replay some searches of each strategy again, as chance has it: `problems` (path, said) where
    they come out otherwise, and `notes`: how many there were, and what could not be replayed here.
    """
    plan = tree.plan
    assert plan.replay is not None
    table = load(tree.results / TABLE)
    problems, notes = list[dict[str, str]](), list[str]()
    whole = again = 0
    for part in plan.replay.experiments.values():
        asked = plan.replayed(part.id)
        configs = dict(zip((run.hash for run in part.runs), asked["configs"], strict=True))
        folder = tree.results / FOLDER / part.id
        found = replayed(folder, read_said(folder))
        laws = Laws(tree.results / asked["cost"], plan.testbed_name) if asked["cost"] else None
        for own in found.strategies:
            whole += len(own.searches)
            config = configs.get(own.said["hash"])
            if config is None:
                continue  # told already
            which = f"{part.id}, {own.strategy}"
            if why := _other_versions(own.said["packages"]):
                notes.append(f"{which}: not replayed again: {why}")
                continue
            try:
                wrong = _differing(own.searches, config, table, laws)
            except TrialwattError as error:
                notes.append(f"{which}: not replayed again: {error}")
                continue
            again += min(SAMPLE, len(own.searches))
            path = f"{RESULTS}/{FOLDER}/{part.id}/searches.parquet"
            problems += [{"path": path, "said": f"{own.strategy}: {each}"} for each in wrong]
    said = (
        f"{whole} replayed searches: {again} of them, drawn by chance, were replayed again"
        f"{'' if problems else ', and came out the same'}; the others are checked by their "
        "checksums alone. Their table was made again from the records, and so was all that is made "
        "of them"
    )
    return {"problems": problems, "notes": [said, *notes]}


def _other_versions(recorded: Mapping[str, str]) -> str:
    """Which packages are installed here in another version; empty where none is."""
    here = versions(list(recorded))
    return ", ".join(
        f"made with {name} {version}, here is {here.get(name) or 'none'}"
        for name, version in recorded.items()
        if name != "trialwatt" and here.get(name) != version
    )


def _differing(
    rows: pd.DataFrame, config: Mapping[str, Any], table: TrialTable, laws: Laws | None
) -> list[str]:
    one = replay_of(RunConfig.model_validate(config, context=AS_RECORDED), table, laws)
    known = rows.set_index("search")
    numbers = sorted(random.sample(sorted(known.index), min(SAMPLE, len(known))))
    wrong = []
    for row in one.rows(numbers)[0]:
        there = known.loc[row["search"]]
        for column in SEARCHES[1:]:
            if not _same(there[column.name], row[column.name]):
                wrong.append(
                    f"search {row['search']} has {column.name} {there[column.name]}, replayed "
                    f"again {row[column.name]}"
                )
                break
    return wrong


def _same(one: Any, other: Any) -> bool:
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) and pd.isna(other))
    return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=1e-300)
