"""Which treatment of an experiment needs the least energy, for each SUT."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from trialwatt.analysis.intervals import summary
from trialwatt.figures import SEARCH, quantity, treatments
from trialwatt.figures.groups import groups
from trialwatt.figures.notes import conditions
from trialwatt.figures.tablefiles import write_table
from trialwatt.figures.tables import cell

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
    "second_treatment",
    "second_median_kwh",
    "baseline_median_kwh",
    "saved_share",
    "treatments",
    "overlaps",
    "energy_method",
]


def measure_of(experiment: str) -> str:
    """Column of the runs table by which treatments are compared.

    Job energy where a search is varied (its budget is equal, and a pruner makes completed trials
    few), energy per completed trial otherwise.
    """
    return "job_energy_kwh" if experiment in SEARCH else "ept_kwh"


def best_table(runs: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """A row per SUT, testbed and, where it is no treatment, sampler; energies in kWh.

    The best has the smallest median over completed runs. saved_share: 1 − best ÷ baseline;
    overlaps: whether its spread (range or interval) and that of the second best overlap;
    treatments: how many had a completed run.
    """
    found = []
    if not runs.empty:
        axis, keys, name = (
            treatments.axis(runs, experiment),
            treatments.key(runs),
            measure_of(experiment),
        )
        for group in groups(runs):
            done = group.runs[group.runs["status"] == "completed"]
            values, mine = quantity.column(done, name), keys[done.index]
            known = {key: summary(values[mine == key]) for key in axis.keys if (mine == key).any()}
            ranked = sorted((s.median, axis.keys.index(k), k) for k, s in known.items() if s.n)
            row = {"sut": group.sut, "testbed": group.testbed, "sampler": group.sampler}
            row |= {"measure": name, "treatments": len(ranked), "n": 0}
            row["energy_method"] = quantity.methods(group.runs["energy_method"])
            if ranked:
                best, second = known[ranked[0][2]], ranked[1][2] if len(ranked) > 1 else None
                base = done["is_baseline"].fillna(False).astype(bool)
                baseline = summary(values[base]).median
                row |= {
                    "best_treatment": axis.names[ranked[0][2]],
                    "median_kwh": best.median,
                    "low_kwh": best.low,
                    "high_kwh": best.high,
                    "n": best.n,
                    "baseline_median_kwh": baseline,
                    "saved_share": 1 - best.median / baseline if baseline > 0 else float("nan"),
                }
                if second is not None:
                    row["second_treatment"] = axis.names[second]
                    row["second_median_kwh"] = known[second].median
                    row["overlaps"] = best.high >= known[second].low
            found.append(row)
    return pd.DataFrame(found, columns=COLUMNS)


def write_best_table(
    runs: pd.DataFrame, experiment: str, stem: Path, provenance: dict
) -> list[Path]:
    """Write `<stem>.csv`, `.md`, `.tex` and the sidecar `.json`; returns their paths."""
    table = best_table(runs, experiment)
    shown = readable_best(table) if len(table) else None
    title = f"{treatments.titled(experiment)}, best treatment by energy"
    return write_table(stem, table, shown, title, explained(table, runs, experiment), provenance)


def readable_best(table: pd.DataFrame) -> pd.DataFrame:
    """The table for people; – where nothing is known."""
    name = table["measure"].iloc[0]
    scale = quantity.energy([*table["median_kwh"], *table["baseline_median_kwh"]])
    head = quantity.head(name, scale, table)
    shown = pd.DataFrame({"SUT": table["sut"]})
    if table["testbed"].nunique() > 1:
        shown["testbed"] = table["testbed"]
    if (table["sampler"] != "").any():
        shown["sampler"] = table["sampler"]
    shown["best treatment"] = _said(table["best_treatment"])
    energies = table[["median_kwh", "low_kwh", "high_kwh"]].values
    shown[f"{'EPT' if name == 'ept_kwh' else 'job energy'} ({head})"] = [
        cell(*values, scale.factor) for values in energies
    ]
    shown["n"] = table["n"]
    for column, words in (("baseline_median_kwh", "baseline"), ("second_median_kwh", "second")):
        shown[f"{words} ({head})"] = [quantity.number(v * scale.factor) for v in table[column]]
    shown["second best"] = _said(table["second_treatment"])
    shown["saved against baseline (%)"] = [quantity.number(100 * v) for v in table["saved_share"]]
    shown["clear of the second"] = [
        "–" if pd.isna(overlaps) else "no" if overlaps else "yes" for overlaps in table["overlaps"]
    ]
    shown["method"] = table["energy_method"]
    return shown


def _said(words: pd.Series) -> pd.Series:
    return words.astype(object).where(words.notna(), "–")


def explained(table: pd.DataFrame, runs: pd.DataFrame, experiment: str) -> str:
    """What was compared, and how the energy came about."""
    if table.empty:
        return ""
    what = {
        "ept_kwh": "energy per completed trial",
        "job_energy_kwh": "energy of the job",
    }[measure_of(experiment)]
    return (
        f"Smallest median {what} over completed runs, in brackets the spread of its n runs "
        "(smallest to largest below six, else the 95 % bootstrap interval of the median). Clear "
        "of the second: the two spreads do not overlap; this is no test. " + conditions(runs)
    )
