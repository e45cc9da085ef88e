"""Replayed searches against live ones: do the live ones fall where the replay says they would?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal

import numpy as np
import pandas as pd

from trialwatt.errors import TrialwattError
from trialwatt.records.outcome import COMPLETED
from trialwatt.replay.results import Results

LEVEL, LEAST = 0.9, 0.75
QUANTITIES = ("jct_ms", "job_energy_kwh", "energy_to_goal_kwh", "wte_share")
"""Columns of the runs table that are compared: JCT, job energy, energy to goal, share of waste."""
_CONFIDENCE = 0.95
Verdict = Literal["holds", "fails", "undecided"]


@dataclass(frozen=True)
class Coverage:
    """How many of so many live searches lie in the interval that holds 90 % of the replayed ones.

    low, high: that interval, infinite where the goal is not reached. share_low, share_high: 95 %
    interval of the share (Clopper and Pearson). bias: median of the live ÷ that of the replayed.
    """

    quantity: str
    live: int
    inside: int
    low: float
    high: float
    share_low: float
    share_high: float
    bias: float

    @property
    def verdict(self) -> Verdict:
        return verdict_of(self.share_low, self.share_high)


def coverages(results: Results, live: pd.DataFrame) -> list[Coverage]:
    """Of each quantity, over live runs of the same search: rows of a runs table, at least one."""
    return [coverage_of(name, results.searches[name], live[name]) for name in QUANTITIES]


def told(found: Iterable[Coverage], live: pd.DataFrame, apart: Sequence[str]) -> dict[str, Any]:
    """A comparison with these live runs as JSON has it; infinite is null. apart: what these ran
    with otherwise (replay.conditions)."""
    quantities = [asdict(one) | {"verdict": one.verdict} for one in found]
    for each in quantities:
        each |= {k: None for k, v in each.items() if isinstance(v, float) and not isfinite(v)}
    return {
        "quantities": quantities,
        "live": len(live),
        "flagged": int((live["flags"].fillna("") != "").sum()) if "flags" in live else None,
        "runs": sorted(live["folder"]),
        "apart": list(apart),
    }


def live_runs(said: Mapping[str, Any], runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of completed runs of a replayed strategy's very configuration, each once."""
    return _not_of_the_table(said, runs[(runs["hash"] == said["hash"])])


def same_search(said: Mapping[str, Any], runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of completed runs of the search that a replay.json tells of, each once: of the same
    SUT, on the same testbed, and equal in all that an experiment may vary. Raises TrialwattError
    where there are none."""
    wanted = said["factors"] | {"sut": said["sut"], "testbed": said["table"]["testbed"]}
    keep = pd.Series(True, runs.index)
    for column, value in wanted.items():
        if column in runs:
            keep = keep & (runs[column].isna() if value is None else runs[column] == value)
    found = _not_of_the_table(said, runs[keep])
    if found.empty:
        raise TrialwattError(
            f"{said['sut']} {said['search']['sampler']}: no live run of the same search (SUT, "
            "testbed and all that an experiment may vary) is in this table"
        )
    return found


def _not_of_the_table(said: Mapping[str, Any], runs: pd.DataFrame) -> pd.DataFrame:
    """Completed ones: what a table was made of is no check of it."""
    measured = {run["folder"] for run in said["table"]["runs"]}
    keep = (runs["status"] == COMPLETED) & ~runs["folder"].isin(measured)
    return runs[keep].drop_duplicates("folder")


def coverage_of(name: str, replayed: pd.Series, live: pd.Series) -> Coverage:
    """Of one column of the runs table."""
    expected, seen = (_known(name, values) for values in (replayed, live))
    ends = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    # of the searches themselves: between a number and infinity there is nothing
    low = float(np.quantile(expected, ends[0], method="inverted_cdf"))
    high = float(np.quantile(expected, ends[1], method="higher"))
    inside = (seen >= low) & (seen <= high)
    middle = np.median(expected)
    bias = float(np.median(seen) / middle) if middle and np.isfinite(middle) else np.nan
    return Coverage(name, len(seen), int(inside.sum()), low, high, *share_of(inside), bias)


def share_of(inside: np.ndarray) -> tuple[float, float]:
    """95 % interval of the share that is inside (Clopper and Pearson)."""
    from scipy.stats import binomtest

    share = binomtest(int(inside.sum()), len(inside)).proportion_ci(_CONFIDENCE)
    return float(share.low), float(share.high)


def verdict_of(low: float, high: float) -> Verdict:
    """fails: 90 % can be excluded; holds: it cannot, and less than 75 % can; else undecided."""
    if high < LEVEL:
        return "fails"
    return "holds" if low >= LEAST else "undecided"


def _known(name: str, values: pd.Series) -> np.ndarray:
    """Without what is missing; a goal that was not reached is infinitely far."""
    found = values.to_numpy(float, na_value=np.nan)
    if "to_goal" in name:
        return np.where(np.isnan(found), np.inf, found)
    return found[~np.isnan(found)]
