"""Which treatment of an experiment needs the least energy, for each SUT."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from trialwatt.analysis.censoring import median
from trialwatt.analysis.columns import flag, varied
from trialwatt.analysis.convergence import REPETITIONS
from trialwatt.analysis.intervals import Summary, summary
from trialwatt.analysis.search_effect import searched
from trialwatt.analysis.winners import Winner, winner, worded
from trialwatt.config.factors import FACTORS, RESOURCE, SEARCH, factor, families
from trialwatt.figures import quantity, second_table, treatments
from trialwatt.figures.absent import grouped
from trialwatt.figures.groups import groups
from trialwatt.figures.notes import note
from trialwatt.figures.suts import in_order
from trialwatt.figures.tablefiles import Table
from trialwatt.figures.tables import cell
from trialwatt.metrics.dictionary import metric
from trialwatt.records.outcome import FAILED

COLUMNS = [
    "sut",
    "testbed",
    "sampler",
    "best_treatment",
    "measure",
    "median_kwh",
    "low_kwh",
    "high_kwh",
    "n",
    "best_phi",
    "best_phi_runs",
    "best_phi_of",
    "second_treatment",
    "second_median_kwh",
    "baseline_median_kwh",
    "saved_share",
    "treatments",
    "overlaps",
    "failed",
    "unavailable",
    "energy_method",
]


_GOAL = "energy_to_goal_kwh"


def measure_of(runs: pd.DataFrame) -> str:
    """Column of the runs table by which the treatments of their experiment are compared.

    Of a search experiment the energy to the goal, where any run reached it; else that of the job
    where strategies are compared (their budget is equal, and a pruner makes completed trials few).
    Energy per completed trial otherwise, and where budgets differ.
    """
    factors = [factor(key) for key in varied(runs)]
    if any(one.family == SEARCH for one in factors) and (flag(runs, "goal_censored") == 0).any():
        return _GOAL
    by_job = any(one.by_job for one in factors) and not any(one.in_budget for one in factors)
    return "job_energy_kwh" if by_job else "ept_kwh"


def _spreads(done: pd.DataFrame, name: str) -> Callable[[pd.Index], Summary]:
    """Finds the middle and the spread of some completed runs by a measure.

    A job that did not reach the goal is censored at what it spent until its last trial ended: the
    middle is infinite where most did not, and the spread is that of those that did.
    """
    values, cut = quantity.column(done, name), pd.Series(False, done.index)
    if name == _GOAL:
        cut = flag(done, "goal_censored") == 1
        values = values.where(~cut, searched(done, quantity.column(done, "job_energy_kwh")))

    def spread(runs: pd.Index) -> Summary:
        own = values[runs].dropna()
        late = cut[own.index].to_numpy(bool)
        found = summary(own[~late])
        if not late.any():
            return found
        return found._replace(median=float(median(own.to_numpy(float), late)))

    return spread


def best_table(runs: pd.DataFrame, unavailable: Sequence[Mapping] = ()) -> pd.DataFrame:
    """A row per SUT, testbed and, where it is no treatment, sampler; energies in kWh.

    The best has the smallest median over completed runs; what most often misses the goal cannot be
    best where the goal counts, and n are those that reached it. best_phi: the φ that won most often
    under it, in best_phi_runs of the best_phi_of runs that tell theirs. saved_share: 1 − best ÷
    baseline;
    overlaps: whether its spread (range or interval) and that of the second best overlap, None of
    fewer than REPETITIONS blocks;
    treatments: how many had a completed run; failed: runs that are not known. A SUT that cannot
    run here has a row with the reason in `unavailable`.
    """
    found = []
    if not runs.empty:
        axis, keys, name = treatments.axis(runs), treatments.key(runs), measure_of(runs)
        for group in groups(runs):
            done = group.runs[group.runs["status"] == "completed"]
            spread, mine = _spreads(done, name), keys[done.index]
            every = {key: mine.index[mine == key] for key in axis.keys}
            known = {key: spread(those) for key, those in every.items() if len(those)}
            ranked = sorted(
                (s.median, axis.keys.index(k), k)
                for k, s in known.items()
                if math.isfinite(s.median)
            )
            row = {"sut": group.sut, "testbed": group.testbed, "sampler": group.sampler}
            row |= {"measure": name, "treatments": len(ranked), "n": 0}
            row["failed"] = int((group.runs["status"] == FAILED).sum())
            row["energy_method"] = quantity.methods(group.runs["energy_method"])
            if ranked:
                best, second = known[ranked[0][2]], ranked[1][2] if len(ranked) > 1 else None
                base = done["is_baseline"].fillna(False).astype(bool)
                baseline = spread(done.index[base]).median
                row |= {
                    "best_treatment": axis.names[ranked[0][2]],
                    "median_kwh": best.median,
                    "low_kwh": best.low,
                    "high_kwh": best.high,
                    "n": best.n,
                    **_winner(done[mine == ranked[0][2]]),
                    "baseline_median_kwh": baseline,
                    "saved_share": 1 - best.median / baseline if baseline > 0 else float("nan"),
                }
                if second is not None:
                    row["second_treatment"] = axis.names[second]
                    row["second_median_kwh"] = known[second].median
                    row["overlaps"] = _overlaps(best, known[second])
            found.append(row)
    for each in grouped(unavailable):
        if each.sut and not each.treatments:
            row = {"sut": each.sut, "testbed": "", "sampler": "", "measure": measure_of(runs)}
            row |= dict.fromkeys(("n", "failed", "treatments"), 0)
            found.append(row | {"unavailable": each.reason, "energy_method": ""})
    return pd.DataFrame(found, columns=COLUMNS)


def _overlaps(best: Summary, second: Summary) -> bool | None:
    """Whether the spreads do; None where there are too few blocks to say so."""
    if min(best.n, second.n) < REPETITIONS:
        return None
    return best.high >= second.low


def _winner(runs: pd.DataFrame) -> dict:
    won = winner(runs)
    names = ("best_phi", "best_phi_runs", "best_phi_of")
    return dict(zip(names, won, strict=True)) if won else {}


def overall_best(by_experiment: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of `best_table` of all experiments (name → its runs), each with its `experiment`.

    least: whether this is the least energy per completed trial of its SUT, testbed and sampler
    over the experiments that vary nothing or resources alone and run the same trials (the same
    workload, but for its workers and sampler); None elsewhere.
    """
    tables = [
        best_table(runs).assign(experiment=name, trials=_trials_of(runs))
        for name, runs in by_experiment.items()
        if len(runs) and second_table(varied(runs)) == "best"
    ]
    if not tables:
        return pd.DataFrame(columns=["experiment", *COLUMNS, "least"])
    table = pd.concat(tables, ignore_index=True)
    trials, table = table["trials"], table[["experiment", *COLUMNS]]
    per_trial = table["median_kwh"].where(trials != "").astype(float)
    sampler = table["sampler"].fillna("")
    alike = [table["sut"], table["testbed"], sampler, trials]
    smallest = per_trial.groupby(alike).transform("min")
    order = table["sut"].map(in_order(table["sut"]).index).argsort(kind="stable")
    least = (per_trial == smallest).where(per_trial.notna(), None)
    return table.assign(least=least).iloc[order].reset_index(drop=True)


def _trials_of(runs: pd.DataFrame) -> str:
    """Which trials the runs of an experiment have in common; empty where it varies the search."""
    if not families(varied(runs)) <= {RESOURCE}:
        return ""
    columns = [one.column for one in FACTORS.values() if one.family == SEARCH]
    known = [column for column in columns if column in runs and column != "sampler"]
    return json.dumps({c: sorted(runs[c].dropna().astype(str).unique()) for c in known})


def best(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Table:
    """The table of `best_table` with how it is read."""
    tidy = best_table(runs, unavailable)
    shown = readable_best(tidy) if len(tidy) else pd.DataFrame()
    title = f"{experiment}, best treatment by energy"
    return Table(title, tidy, shown, explained(tidy, runs))


def overall(by_experiment: Mapping[str, pd.DataFrame]) -> Table:
    """The table of `overall_best` with how it is read. by_experiment: name → its runs."""
    tidy = overall_best(by_experiment)
    filled = [runs for runs in by_experiment.values() if len(runs)]
    note = overall_explained(pd.concat(filled, ignore_index=True)) if filled else ""
    return Table("Best treatment by energy, all experiments", tidy, readable_overall(tidy), note)


def readable_best(table: pd.DataFrame) -> pd.DataFrame:
    """The table for people; – where nothing is known."""
    name = table["measure"].iloc[0]
    scale = quantity.energy([*table["median_kwh"], *table["baseline_median_kwh"]])
    head = quantity.head(name, scale, table)
    shown = _named(table)
    shown[f"{metric(name).short} ({head})"] = _energies(table, scale)
    shown["n"] = counts(table)
    shown["φ that won"] = [
        worded(Winner(*won) if isinstance(won[0], str) else None) if n else "–"
        for n, *won in table[["n", "best_phi", "best_phi_runs", "best_phi_of"]].values
    ]
    for column, words in (("baseline_median_kwh", "baseline"), ("second_median_kwh", "second")):
        shown[f"{words} ({head})"] = [quantity.number(v * scale.factor) for v in table[column]]
    shown["second best"] = _said(table["second_treatment"])
    shown["saved against baseline (%)"] = [quantity.number(100 * v) for v in table["saved_share"]]
    shown["clear of the second"] = table["overlaps"].map({False: "yes", True: "no"}).fillna("–")
    shown["method"] = table["energy_method"].replace("", "–")
    return shown


def readable_overall(table: pd.DataFrame) -> pd.DataFrame:
    """The table over all experiments for people; – where nothing is known."""
    if table.empty:
        return pd.DataFrame()
    scale = quantity.energy(table["median_kwh"])
    shown = _named(table)
    shown["compared by"] = table["measure"].map(lambda name: metric(name).short)
    shown[f"energy ({quantity.head('ept_kwh', scale, table)})"] = _energies(table, scale)
    shown["n"] = counts(table)
    shown["saved against baseline (%)"] = [quantity.number(100 * v) for v in table["saved_share"]]
    shown["least EPT of the SUT"] = table["least"].map({True: "yes", False: "no"}).fillna("–")
    shown["method"] = table["energy_method"].replace("", "–")
    return shown


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Whose best treatment it is, and where; what is the same in all rows is left out."""
    shown = pd.DataFrame({"SUT": table["sut"]})
    if "experiment" in table:
        shown["experiment"] = table["experiment"]
    if table["testbed"].replace("", None).nunique() > 1:
        shown["testbed"] = table["testbed"]
    if (table["sampler"].fillna("") != "").any():
        shown["sampler"] = table["sampler"]
    return shown.assign(**{"best treatment": _said(table["best_treatment"])})


def _energies(table: pd.DataFrame, scale: quantity.Scale) -> list[str]:
    values = table[["median_kwh", "low_kwh", "high_kwh"]].values
    return [cell(*each, scale.factor) for each in values]


def overall_explained(runs: pd.DataFrame) -> str:
    """What the rows over all experiments are, and how the energy came about."""
    return note(
        runs.drop_duplicates("folder"),
        "Per experiment the treatment with the smallest median over completed runs: of energy per "
        "completed trial (EPT), and of energy until the goal was reached where the search varies. "
        "What most often misses the goal cannot be best. The least EPT is "
        "that of the baseline and the resource experiments, which run the same trials. In brackets "
        "the spread of the n runs. ",
    )


def counts(table: pd.DataFrame) -> list[str]:
    """n, and how many runs failed or why there are none."""
    return [
        f"not available: {row.unavailable}"
        if isinstance(row.unavailable, str)
        else f"{row.n} ({row.failed} failed)"
        if row.failed
        else f"{row.n}"
        for row in table.itertuples()
    ]


def _said(words: pd.Series) -> pd.Series:
    return words.astype(object).where(words.notna(), "–")


def explained(table: pd.DataFrame, runs: pd.DataFrame) -> str:
    """What was compared, and how the energy came about."""
    if table.empty or runs.empty:
        return ""
    return note(
        runs,
        f"Smallest median {metric(measure_of(runs)).title} over completed runs, in brackets the "
        "spread of its n runs (smallest to largest below six, else the 95 % interval of the "
        "median). φ that won: the best trial's in most of these runs, and in how many of those "
        "that tell theirs. Clear of the second: the two spreads do not overlap, from "
        f"{REPETITIONS} blocks on; this is no test. ",
    )
