"""What the analyses read from the runs table: treatments, numbers and flags, or what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd

from trialwatt.config.factors import compared, factor, split
from trialwatt.records.manifest import is_control
from trialwatt.records.outcome import FAILED


def number(runs: pd.DataFrame, name: str) -> pd.Series:
    """A column as floats; NaN where a value, or the whole column, is missing."""
    if name not in runs:
        return pd.Series(np.nan, runs.index, dtype=float)
    return pd.to_numeric(runs[name], errors="coerce").astype(float)


def flag(runs: pd.DataFrame, name: str) -> pd.Series:
    """A flag as 1, 0 or NaN where it is missing."""
    if name not in runs:
        return pd.Series(np.nan, runs.index, dtype=float)
    known = {True: 1.0, False: 0.0, "true": 1.0, "false": 0.0, "True": 1.0, "False": 0.0}
    return runs[name].map(lambda value: known.get(value, np.nan) if pd.notna(value) else np.nan)


def treatment_value(runs: pd.DataFrame) -> pd.Series:
    return number(runs, "treatment_value")


def treatment(runs: pd.DataFrame) -> pd.Series:
    """What a treatment is known by: its value as text if it is a number, else its label."""
    values = treatment_value(runs)
    labels = runs["treatment"].astype(object) if "treatment" in runs else values.astype(object)
    return pd.Series(
        [
            f"{value:g}" if np.isfinite(value) else str(label)
            for value, label in zip(values, labels, strict=True)
        ],
        runs.index,
        dtype=object,
    )


def configuration(runs: pd.DataFrame) -> pd.Series:
    """What is the same for all repetitions of a configuration: its hash; its treatment where a
    table has none."""
    return runs["hash"] if "hash" in runs else treatment(runs)


def by_experiment(runs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each experiment, in the order of their names; rows of none are left out."""
    names = runs["experiment"].fillna("").astype(str)
    for name in sorted(set(names) - {""}):
        yield name, runs[names == name]


def varied(runs: pd.DataFrame) -> tuple[str, ...]:
    """The workload keys that the experiment of these runs compares; empty where it varies nothing.

    From the runs table alone. Tables that are older than its column `varied` have the keys in the
    labels of their treatments.
    """
    if "varied" in runs and runs["varied"].notna().any():
        said = runs["varied"].dropna().unique()
        return tuple(dict.fromkeys(key for text in said for key in split(str(text))))
    if "treatment" not in runs:
        return ()
    labels = [str(label) for label in runs["treatment"].dropna().unique()]
    return compared(split(label) for label in labels if "=" in label)


def with_levels(runs: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """With a column for each of these keys that has none in the table, from the labels."""
    lacking = [key for key in keys if factor(key).column not in runs]
    labels = runs["treatment"].fillna("").astype(str)
    return runs.assign(**{factor(key).column: labels.map(partial(_level, key)) for key in lacking})


def _level(key: str, label: str) -> str:
    values = dict(part.partition("=")[::2] for part in label.split(", "))
    return values.get(key, "")


def unit(runs: pd.DataFrame) -> str:
    """What the treatments of the experiment of these runs are counted in; empty for words."""
    keys = varied(runs)
    return factor(keys[0]).unit if len(keys) == 1 else ""


def with_unit(treatment: str, unit: str) -> str:
    """`4 workers`, `1 worker`; as it is where there is no unit or no number."""
    if not unit or not treatment.replace(".", "", 1).isdecimal():
        return treatment
    return f"{treatment} {unit.removesuffix('s') if treatment == '1' else unit}"


def in_order(runs: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Treatments by value where all are numbers, else by name."""
    values = dict(zip(names, treatment_value(runs), strict=True))
    if all(np.isfinite(value) for value in values.values()):
        return sorted(values, key=values.__getitem__)
    return sorted(values)


def groups(runs: pd.DataFrame, names: list[str]) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """The rows of each combination of these columns (which may be missing), in sorted order."""
    runs = runs.reset_index(drop=True)
    filled = pd.DataFrame(
        {n: runs[n].fillna("").astype(str) if n in runs else "" for n in names}, runs.index
    )
    for key, places in sorted(filled.groupby(names, sort=False).indices.items()):
        key = key if isinstance(key, tuple) else (key,)
        yield dict(zip(names, key, strict=True)), runs.iloc[places]


def without_holes(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The runs that count, and a sentence about those that failed, if any did."""
    failed = runs["status"] == FAILED
    count = int(failed.sum())
    if not count:
        return runs, []
    return runs[~failed], [not_counted(count)]


def not_counted(failed: int) -> str:
    """How it is said that so many runs failed."""
    run, are = ("run", "is") if failed == 1 else ("runs", "are")
    return f"{failed} {run} failed and {are} not counted."


def of_control(runs: pd.DataFrame) -> pd.Series:
    """(n,) of bool: which runs are of a SUT that others are compared with."""
    flags = runs["is_control"] if "is_control" in runs else pd.Series(None, runs.index, object)
    pairs = zip(flags, runs["sut"], strict=True)
    said = [is_control(None if pd.isna(flag) else bool(flag), sut) for flag, sut in pairs]
    return pd.Series(said, runs.index, bool)


def is_modelled(runs: pd.DataFrame) -> bool:
    """Whether any of these runs' energy came from a power model."""
    if "energy_method" not in runs:
        return False
    return bool(runs["energy_method"].fillna("").astype(str).str.contains("modelled").any())
