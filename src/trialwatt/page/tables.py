"""The tables of an experiment as the page shows them: cells to be read, numbers to be sorted by."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from trialwatt.analysis.winners import winner, worded
from trialwatt.figures import quantity
from trialwatt.figures.suts import in_order
from trialwatt.figures.tablefiles import Table
from trialwatt.figures.tables import explanation, measures, readable, results_table, runs_of_rows
from trialwatt.page.runs import plain
from trialwatt.summary.experiment import ExperimentSummary

_SECOND = {"best": "Best treatment by energy", "cost": "Cost of frameworks"}
_OF_WINNERS = "φ that won most often; in brackets: in how many of the runs that tell theirs."


def tables(summary: ExperimentSummary) -> list[dict]:
    """The results table and the best treatments; rows apart by energy method."""
    runs = summary.runs
    method = runs["energy_method"].map(lambda text: quantity.methods([text]))
    parts = [results_table(runs[method == kind]) for kind in sorted(set(method))]
    tidy = _in_order(pd.concat(parts, ignore_index=True))
    tidy = pd.concat([tidy, results_table(runs.iloc[:0], summary.unavailable)], ignore_index=True)
    keys = {head: f"{measure}_median" for measure, head in measures().items()}
    results = Table("Results", tidy, readable(tidy), explanation(tidy, runs))
    second = summary.second._replace(title=_SECOND[summary.second_kind])
    won = _winners(runs)
    shown = won.drop(columns=["sut", "testbed", "energy_method"])
    winners = Table("Hyperparameters that won", won, shown, _OF_WINNERS)
    found = [(results, keys), (second, {}), (winners, {})]
    return [_table(table, own) for table, own in found if table.rows]


def _winners(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per group and treatment: the φ that won most often, and what rows are filtered by."""
    rows = []
    for name, here in runs_of_rows(runs):
        first = here.iloc[0]
        row = {"sut": first["sut"], "testbed": first["testbed"]}
        row["energy_method"] = quantity.methods(here["energy_method"])
        row |= {"SUT": first["sut"], "treatment": name, "φ (runs)": worded(winner(here))}
        rows.append(row)
    return _in_order(pd.DataFrame(rows))


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows system by system and testbed by testbed, as they are within each."""
    suts = in_order(table["sut"])
    rank = pd.DataFrame({"sut": table["sut"].map(suts.index), "testbed": table["testbed"]})
    return table.loc[rank.sort_values(["sut", "testbed"], kind="stable").index]


def _table(table: Table, keys: Mapping[str, str]) -> dict:
    """keys: a head without its unit → the column that it is sorted by; others by their text."""
    tidy, sorted_by = table.tidy, {"n": "n", **keys}
    columns = [sorted_by.get(head.split(" (")[0]) for head in table.heads]
    methods = tidy["energy_method"] if "energy_method" in tidy else pd.Series("", tidy.index)
    return {
        "title": table.title,
        "heads": table.heads,
        "numeric": [column is not None for column in columns],
        "rows": [
            {
                "cells": cells,
                "sort": [_key(column, row) for column in columns],
                "sut": row["sut"],
                "testbed": row["testbed"] or "",
                "method": method or "",
            }
            for cells, row, method in zip(table.rows, tidy.to_dict("records"), methods, strict=True)
        ],
        "explanation": table.note,
    }


def _key(column: str | None, row: Mapping) -> float | None:
    if column is None:
        return None
    value = plain(row[column])
    return None if value is None or not math.isfinite(value) else value
