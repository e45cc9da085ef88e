"""The results table of an experiment: a row per SUT and treatment, median and spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from trialwatt.analysis.intervals import summary
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import Absent, grouped, reason_of
from trialwatt.figures.groups import groups
from trialwatt.figures.notes import count_flagged, note
from trialwatt.figures.tablefiles import Table
from trialwatt.metrics.dictionary import shown_in
from trialwatt.records.outcome import FAILED

WASTE_SAID = "WTT, WTE, WTC: worker time, energy and cost of failed, pruned and duplicate trials."
ENDS = ("median", "low", "high")
_KEYS = ["sut", "testbed", "sampler", "treatment"]
_COUNTS = ["n", "runs", "infeasible", "deadline", "failed", "flagged"]


def measures() -> dict[str, str]:
    """Column of the runs table → head of the column here."""
    return {column.name: column.short for column in shown_in("results")}


def results_table(runs: pd.DataFrame, unavailable: Sequence[Mapping] = ()) -> pd.DataFrame:
    """Tidy and unrounded, in the units of the runs table (they stand in the names).

    Per SUT, testbed and treatment (and sampler where a SUT has several under one treatment): for
    each measure m `m_median`, `m_low`, `m_high` over the completed runs; `spread` (range below six
    runs, interval from six on), `n` completed runs, `runs` all of them, `infeasible`, `deadline`,
    `failed`, `flagged`, `energy_method`, `currency`, `remark` (why runs failed). What cannot be
    run here has a row without numbers, with the reason as its remark; several treatments share
    one where the reason is the same.
    """
    found = [_row(here, name) for name, here in runs_of_rows(runs)]
    found += [_unavailable_row(each) for each in grouped(unavailable)]
    columns = [f"{m}_{end}" for m in measures() for end in ENDS]
    last = ["energy_method", "currency", "remark"]
    return pd.DataFrame(found, columns=[*_KEYS, *columns, "spread", *_COUNTS, *last])


def runs_of_rows(runs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The treatment's name and the runs of each row of the results table that has runs."""
    if runs.empty:
        return
    axis, keys = treatments.axis(runs), treatments.key(runs)
    for group in groups(runs):
        for key in axis.keys:
            here = group.runs[keys[group.runs.index] == key]
            if len(here):
                yield axis.names[key], here


def results(runs: pd.DataFrame, title: str, unavailable: Sequence[Mapping] = ()) -> Table:
    """The table of `results_table` with how it is read."""
    tidy = results_table(runs, unavailable)
    shown = readable(tidy) if len(tidy) else pd.DataFrame()
    return Table(title, tidy, shown, explanation(tidy, runs))


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table for people: units chosen to be read, `median (low–high)` in each cell."""
    shown = pd.DataFrame({"SUT": table["sut"]})
    for name in ("testbed", "sampler"):
        here = table[table["runs"] > 0]
        if here[name].nunique() > 1 and (here[name] != here["treatment"]).any():
            shown[name] = table[name]
    shown["treatment"] = table["treatment"]
    for measure, name in measures().items():
        scale = quantity.of_column(measure, table[f"{measure}_median"], table)
        head = quantity.head(measure, scale, table)
        shown[f"{name} ({head})" if head else name] = [
            cell(*values, scale.factor)
            for values in table[[f"{measure}_{end}" for end in ENDS]].values
        ]
    shown["n"] = [
        f"{row.n}"
        + (f" ({row.infeasible} infeasible)" if row.infeasible else "")
        + (f" ({row.deadline} ended by deadline)" if row.deadline else "")
        + (f" ({row.failed} failed)" if row.failed else "")
        if row.runs
        else "not available"
        for row in table.itertuples()
    ]
    shown["method"] = table["energy_method"].replace("", "–")
    if table["remark"].notna().any():
        shown["remark"] = table["remark"].fillna("")
    return shown


def explanation(table: pd.DataFrame, runs: pd.DataFrame, shown: pd.DataFrame | None = None) -> str:
    """What the cells mean, and how the energy came about.

    shown: where only some columns of `readable` are printed, those.
    """
    heads = {"TWH", "WTT"} if shown is None else {str(c).split(" (")[0] for c in shown.columns}
    kinds = set(table["spread"])
    spreads = [
        words
        for kind, words in (
            ("range", "smallest to largest value (fewer than six runs)"),
            ("interval", "95 % interval of the median"),
        )
        if kind in kinds
    ]
    brackets = f", in brackets {' or '.join(spreads)}" if spreads else ""
    said = f"Median of n completed runs{brackets}. "
    said += "TWH is over all started trials. " if "TWH" in heads else ""
    said += f"{WASTE_SAID} " if "WTT" in heads else ""
    return note(runs, said) if len(runs) else said


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
    for measure in measures():
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
        "failed": int((runs["status"] == FAILED).sum()),
        "flagged": count_flagged(runs),
        "energy_method": quantity.methods(runs["energy_method"]),
        "currency": currency.iloc[0] if len(currency) else "",
        "remark": _why_failed(runs),
    }


def _why_failed(runs: pd.DataFrame) -> str | None:
    if not (runs["status"] == FAILED).any():
        return None
    failed = runs[runs["status"] == FAILED]
    reasons = dict.fromkeys(reason_of(run) for _, run in failed.iterrows())
    return f"failed: {'; '.join(reasons)}"


def _unavailable_row(absent: Absent) -> dict:
    return {
        "sut": absent.sut or "all",
        "testbed": "",
        "sampler": "",
        "treatment": ", ".join(absent.treatments) or "all",
        "spread": "none",
        **dict.fromkeys(_COUNTS, 0),
        "energy_method": "",
        "currency": "",
        "remark": f"not available: {absent.reason}",
    }


def cell(median: float, low: float, high: float, factor: float) -> str:
    """`median (low–high)`, only the median where all are equal, – where nothing is known."""
    middle, bottom, top = (quantity.number(v * factor) for v in (median, low, high))
    return middle if bottom == top else f"{middle} ({bottom}–{top})"
