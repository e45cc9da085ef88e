"""The results table of an experiment: a row per SUT and treatment, median and spread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from trialwatt.analysis.intervals import summary
from trialwatt.figures import quantity, treatments
from trialwatt.figures.notes import conditions, count_flagged
from trialwatt.figures.style import in_order
from trialwatt.provenance.embed import write_sidecar
from trialwatt.provenance.files import write_whole

MEASURES = {
    "jct_ms": "JCT",
    "ept_kwh": "EPT",
    "twh_kwh": "TWH",
    "cint_g_per_kwh": "CINT",
    "carbon_g": "carbon",
    "oc": "OC",
    "wr": "WR",
    "best_score": "score",
}
"""Column of the runs table → head of the column here."""

_KEYS = ["sut", "testbed", "sampler", "treatment"]


def results_table(runs: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Tidy and unrounded, in the units of the runs table (they stand in the names).

    Per SUT, testbed and treatment: for each measure m `m_median`, `m_low`, `m_high` over the
    completed runs; `spread` (range below six runs, bootstrap from six on), `n` completed runs,
    `runs` all of them, `infeasible`, `deadline`, `flagged`, `energy_method`, `currency`.
    """
    rows = []
    if not runs.empty:
        axis = treatments.axis(runs, experiment)
        keys = treatments.key(runs)
        for sut in in_order(runs["sut"]):
            for testbed in sorted(runs["testbed"].unique()):
                for key in axis.keys:
                    here = (runs["sut"] == sut) & (runs["testbed"] == testbed) & (keys == key)
                    if here.any():
                        rows.append(_row(runs[here], axis.names[key]))
    measures = [f"{m}_{end}" for m in MEASURES for end in ("median", "low", "high")]
    counts = ["spread", "n", "runs", "infeasible", "deadline", "flagged"]
    return pd.DataFrame(rows, columns=[*_KEYS, *measures, *counts, "energy_method", "currency"])


def write_results_table(
    runs: pd.DataFrame, experiment: str, stem: Path, provenance: dict
) -> list[Path]:
    """Write `<stem>.csv`, `<stem>.md` and the sidecar `<stem>.json`; returns their paths."""
    table = results_table(runs, experiment)
    csv, text = (stem.with_name(f"{stem.name}{end}") for end in (".csv", ".md"))
    write_whole(csv, table.to_csv(index=False, lineterminator="\n"))
    write_whole(text, markdown(table, experiment, runs))
    return [csv, text, write_sidecar(stem, provenance, [csv, text])]


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table for people: units chosen to be read, `median (low–high)` in each cell."""
    shown = pd.DataFrame({"SUT": table["sut"]})
    if table["testbed"].nunique() > 1:
        shown["testbed"] = table["testbed"]
    if table["sampler"].nunique() > 1:
        shown["sampler"] = table["sampler"]
    shown["treatment"] = table["treatment"]
    is_modelled = quantity.is_modelled(table["energy_method"])
    for measure, name in MEASURES.items():
        scale = _scale(measure)(table)
        from_energy = measure.endswith("_kwh") or measure in ("carbon_g", "wr")
        modelled = from_energy and measure != "cint_g_per_kwh" and is_modelled
        notes = [note for note in (scale.unit, "modelled" if modelled else "") if note]
        head = f"{name} ({', '.join(notes)})" if notes else name
        shown[head] = [
            _cell(*values, scale.factor)
            for values in table[[f"{measure}_{end}" for end in ("median", "low", "high")]].values
        ]
    shown["n"] = [
        f"{row.n}"
        + (f" ({row.infeasible} infeasible)" if row.infeasible else "")
        + (f" ({row.deadline} ended by deadline)" if row.deadline else "")
        for row in table.itertuples()
    ]
    shown["method"] = table["energy_method"]
    return shown


def explanation(table: pd.DataFrame, runs: pd.DataFrame) -> str:
    """What the cells mean, and how the energy came about."""
    kinds = set(table["spread"])
    spreads = [
        words
        for kind, words in (
            ("range", "smallest to largest value (fewer than six runs)"),
            ("bootstrap", "95 % bootstrap interval of the median"),
        )
        if kind in kinds
    ]
    brackets = f", in brackets {' or '.join(spreads)}" if spreads else ""
    return f"Median of n completed runs{brackets}. TWH is over all started trials. " + (
        conditions(runs) if len(runs) else ""
    )


def markdown(table: pd.DataFrame, experiment: str, runs: pd.DataFrame) -> str:
    """The readable table as Markdown, with its title and explanation."""
    title = f"# {treatments.titled(experiment)}\n"
    if table.empty:
        return f"{title}\nNo data: this experiment has no runs yet.\n"
    shown = readable(table)
    rows = [list(shown.columns), ["---"] * len(shown.columns), *shown.astype(str).values.tolist()]
    lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows]
    return "\n".join([title, *lines, "", explanation(table, runs).strip(), ""])


def _row(runs: pd.DataFrame, name: str) -> dict:
    done = runs[runs["status"] == "completed"]
    samplers = runs["sampler"].dropna().unique() if "sampler" in runs else []
    row = {
        "sut": runs["sut"].iloc[0],
        "testbed": runs["testbed"].iloc[0],
        "sampler": ", ".join(sorted(samplers)),
        "treatment": name,
    }
    kind = "none"
    for measure in MEASURES:
        found = summary(quantity.column(done, measure))
        row[f"{measure}_median"] = found.median
        row[f"{measure}_low"] = found.low
        row[f"{measure}_high"] = found.high
        if found.kind != "none" and kind == "none":
            kind = found.kind
    currency = runs["currency"].dropna() if "currency" in runs else []
    return row | {
        "spread": kind,
        "n": len(done),
        "runs": len(runs),
        "infeasible": int((runs["status"] == "infeasible").sum()),
        "deadline": int((runs["status"] == "deadline").sum()),
        "flagged": count_flagged(runs),
        "energy_method": quantity.methods(runs["energy_method"]),
        "currency": currency.iloc[0] if len(currency) else "",
    }


def _scale(measure: str) -> Callable[[pd.DataFrame], quantity.Scale]:
    median = f"{measure}_median"
    if measure == "cint_g_per_kwh":
        return lambda table: quantity.Scale(1, "gCO₂eq/kWh")
    if measure.endswith("_kwh"):
        return lambda table: quantity.energy(table[median])
    if measure.endswith("_ms"):
        return lambda table: quantity.duration(table[median])
    if measure == "carbon_g":
        return lambda table: quantity.carbon(table[median])
    if measure == "oc":
        return lambda table: quantity.money(table[median], _currency(table))
    if measure == "wr":
        return lambda table: quantity.Scale(100, "%")
    return lambda table: quantity.Scale(1, "")


def _currency(table: pd.DataFrame) -> str:
    names = sorted(set(table["currency"]) - {""})
    return "/".join(names) or "currency unknown"


def _cell(median: float, low: float, high: float, factor: float) -> str:
    middle, bottom, top = (quantity.number(v * factor) for v in (median, low, high))
    return middle if bottom == top else f"{middle} ({bottom}–{top})"
