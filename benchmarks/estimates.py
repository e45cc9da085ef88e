"""Are estimates right? Those of `trialwatt estimate`, from a trial table and from a handful of
runs, held against live searches of the same strategies (docs/replay.md).

    python benchmarks/estimates.py results/replayed \
        results/replayed/metrics/framework-cost/runs.parquet config/spaces/ff-24.yaml

The first folder is of config/replay.yaml: its trial table, and live searches beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from trialwatt.metrics.tables import read_runs
from trialwatt.provenance.plans import read_plan
from trialwatt.replay.check import coverage_of, share_of, verdict_of
from trialwatt.replay.command import wanted_of
from trialwatt.replay.estimate import Effort, Estimate, each_wanted, estimates, ratio
from trialwatt.replay.estimate_command import in_columns, number, said
from trialwatt.replay.handful import Apart, Spread, apart_of, combined, handful_of, spread_of
from trialwatt.replay.laws import laws_of
from trialwatt.replay.measured import table_of
from trialwatt.replay.strategies import Choice

SEARCHES = 1000
FROM_TABLE = {
    "energy": "job_energy_kwh",
    "carbon": "carbon_g",
    "cost": "oc",
    "time": "jct_ms",
    "energy to goal": "energy_to_goal_kwh",
    "cost to goal": "cost_to_goal",
    "time to goal": "time_to_goal_ms",
}
FROM_HANDFUL = {"energy": ("kwh", "job_energy_kwh"), "cost": ("money", "oc"), "time": ("hours", "")}
KINDS = ((1, 8), (1, 24), (2, 8), (2, 24), (3, 8), (5, 8), (5, 24))
"""Measured jobs, and trials of each that are used."""
H_PER_MS = 1 / 3.6e6


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("results", type=Path)
    options.add_argument("cost", type=Path, help="runs.parquet of framework-cost")
    options.add_argument("space", type=Path, help="of the live searches, a part of the table's")
    given = options.parse_args()
    runs = pd.concat(
        [read_runs(file) for file in sorted(given.results.glob("metrics/s-*/runs.parquet"))]
    )
    runs = runs[runs["status"] == "completed"].drop_duplicates("folder")
    live = {Choice(*key): rows for key, rows in runs.groupby(["sut", "sampler", "pruner"])}
    from_table(given.results, given.cost, given.space, live)
    from_handfuls(given.results, given.cost, live)
    return 0


def from_table(results: Path, cost: Path, space: Path, live: dict[Choice, pd.DataFrame]) -> None:
    plan = read_plan(results)
    folders = [results / folder for folder in plan.folders("trial-table")]
    table = table_of([folder for folder in folders if folder.is_dir()], plan.context)
    first = next(iter(live.values())).iloc[0]
    base = wanted_of(
        "plain", "random", "none", [], int(first["budget"]), int(first["wn"]), 1, None, space
    )
    laws, _ = laws_of(cost, table.facts, table.workload, base.workers)
    effort = Effort(SEARCHES, 1e9, 2)
    found = estimates(table, each_wanted(base, live), laws, effort, lambda *_: None)
    print(f"from the table: {SEARCHES} replayed searches, live ones in their interval of 90 %\n")
    rows = [["strategy", "live", *FROM_TABLE]]
    for one in found.found:
        own = live[one.choice]
        parts = [coverage_of(c, one.searches[c], own[c]) for c in FROM_TABLE.values()]
        rows.append([str(one.choice), str(len(own)), *(f"{p.inside} {p.verdict}" for p in parts)])
    print("\n".join(in_columns(rows)))
    print("\nenergy for each goal reached, ÷ that of the first (95 % interval)\n")
    rows = [["strategy", "replayed, J", "live, J", "replayed ÷", "live ÷", "reached", "live"]]
    lived = [
        dataclasses.replace(one, searches=_as_searches(live[one.choice])) for one in found.found
    ]
    for one, its in zip(found.found, lived, strict=True):
        rows.append(_ranked(one, its, found.found[0], lived[0]))
    print("\n".join(in_columns(rows)))


def _as_searches(rows: pd.DataFrame) -> pd.DataFrame:
    """Live runs, paired by their block as replayed ones are by their measured seed."""
    return rows.sort_values("repetition")


def _ranked(one: Estimate, its: Estimate, first: Estimate, lived: Estimate) -> list[str]:
    joules = (f"{each.per_goal_kwh * 3.6e6:.1f}" for each in (one, its))
    reached = (f"{each.searches['goal_reached'].mean():.0%}" for each in (one, its))
    if one is first:
        return [str(one.choice), *joules, "1", "1", *reached]
    return [str(one.choice), *joules, said(ratio(one, first)), said(ratio(its, lived)), *reached]


def from_handfuls(results: Path, cost: Path, live: dict[Choice, pd.DataFrame]) -> None:
    """Each live search is predicted from the random draws of plain in the blocks after its own."""
    control = Choice("plain", "random", "none")
    measured = live[control].sort_values("repetition")
    plan = read_plan(results)
    whole = handful_of([results / folder for folder in measured["folder"]], plan.context)
    laws, _ = laws_of(cost, whole.facts, whole.config.workload, None)
    budget, workers = int(measured["budget"].iloc[0]), int(measured["wn"].iloc[0])
    place = {run.facts.sources[0].repetition: n for n, run in enumerate(whole.runs)}
    print(
        f"\nfrom a handful: jobs of {budget} trials predicted from trials of {control} in other "
        "blocks; live ones in the interval of 90 %, which is so many times the middle wide\n"
    )
    told = [f"{name}{what}" for name in FROM_HANDFUL for what in ("", ", wide")]
    rows, apart = [["strategy", "jobs", "trials", *told]], apart_of(laws)
    for used in sorted({trials for _, trials in KINDS}):
        part = dataclasses.replace(whole, runs=tuple(_cut(run, used) for run in whole.runs))
        for sut in sorted({choice.sut for choice in live}):
            known = None if sut == control.sut else laws
            spreads = [
                spread_of(part, n, sut, budget, workers, known) for n in range(len(part.runs))
            ]
            for choice, own in live.items():
                if choice.sut == sut and choice.pruner == "none":
                    rows += [
                        _predicted(choice, own, place, spreads, (jobs, used, budget), apart)
                        for jobs, trials in KINDS
                        if trials == used
                    ]
    rows[1:] = sorted(rows[1:], key=lambda row: (int(row[1]) * int(row[2]), row[0]))
    print("\n".join(in_columns(rows)))


def _cut(run, trials: int):
    """With so many of its trials, from all of the job's time."""
    taken = np.linspace(0, len(run.taken) - 1, trials).round().astype(int)
    return dataclasses.replace(run, taken=run.taken[taken], failed=run.failed[taken])


def _predicted(
    choice: Choice,
    live: pd.DataFrame,
    place: dict[int, int],
    spreads: list[Spread],
    sizes: tuple[int, int, int],
    apart: Apart | None,
) -> list[str]:
    repetitions, (jobs, trials, budget) = sorted(place), sizes
    inside = {name: list[bool]() for name in FROM_HANDFUL}
    wide = {name: list[float]() for name in FROM_HANDFUL}
    for row in live.to_dict("records"):
        at = repetitions.index(row["repetition"])
        others = [repetitions[(at + 1 + n) % len(repetitions)] for n in range(jobs)]
        found = combined([spreads[place[each]] for each in others], budget, trials * jobs, apart)
        for name, (quantity, column) in FROM_HANDFUL.items():
            own = found[quantity]
            value = row[column] if column else row["jct_ms"] * H_PER_MS
            inside[name].append(own.low <= value <= own.high)
            wide[name].append((own.high - own.low) / own.middle)
    cells = [str(choice), str(jobs), str(trials)]
    for name in FROM_HANDFUL:
        seen = np.array(inside[name])
        cells.append(f"{seen.sum()} of {len(seen)} {verdict_of(*share_of(seen))}")
        cells.append(number(float(np.median(wide[name])), 2))
    return cells


if __name__ == "__main__":
    sys.exit(main())
