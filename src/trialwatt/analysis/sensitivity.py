"""Whether what replay says would be said under other assumptions: a row for each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from trialwatt.analysis.answers import RECORDED
from trialwatt.analysis.censoring import median
from trialwatt.analysis.columns import flag, number
from trialwatt.analysis.evidence import Ratio, judge
from trialwatt.analysis.replayed import CENSORED, SEED, STRATEGY, per_seed
from trialwatt.analysis.search_effect import evidence, searched

AS_IT_IS, POWER, WORKERS, LENGTH, COST = (
    "as it is",
    "power model",
    "number of workers",
    "length of trials",
    "cost of the framework",
)
"""What is changed: nothing, or one thing."""
OUTCOMES = {"to_goal": "energy to tg", "job": "job energy at equal budget"}
"""Columns of the ratios → the outcome of H2 (analysis.search_effect)."""
KIND, VALUE = "assumption", "value"
COLUMNS: dict[str, type] = {
    **dict.fromkeys((KIND, VALUE, "scope", "order"), str),
    **{f"{name}{end}": float for name in OUTCOMES for end in ("", "_low", "_high")},
    **dict.fromkeys(("outcome", "verdict"), str),
    **dict.fromkeys(("seeds", "searches"), int),
}
"""Of the table of `sensitivity`."""
_GOAL, _JOB, _WASTE = "energy_to_goal_kwh", "job_energy_kwh", "wte_share"
_END = CENSORED[_GOAL]
_KEYS = [STRATEGY, SEED]


def sensitivity(
    few: pd.DataFrame, strategies: Sequence[Mapping[str, Any]], resamples: int
) -> pd.DataFrame:
    """A row per assumption and scope of H2 that compares anything; none where H2 is not asked.

    few: searches under each assumption (replay.sensitivity), with KIND and VALUE. order: the
    treatments of the SUT from the least energy to the goal on, those that most seeds' searches
    missed last (of the job where there is no goal). Of each of OUTCOMES the ratio of most to least
    with its interval, NaN where it is not compared. outcome: the verdict on these searches alone;
    seeds, searches: how many.
    """
    found = []
    for (kind, value), rows in few.groupby([KIND, VALUE], sort=False):
        cells = per_seed(rows, strategies)
        told = evidence(cells, resamples)
        for one, answer in zip(told, judge("H2", told), strict=True):
            order = list(_order(cells, one.scope))
            if len(order) < 2:
                continue  # nothing is compared, whatever is assumed
            known = {outcome.name: outcome.size for outcome in one.primary}
            sizes = {name: known.get(said, Ratio()) for name, said in OUTCOMES.items()}
            found.append(
                {
                    KIND: kind,
                    VALUE: value,
                    "scope": one.scope,
                    "order": " < ".join(order),
                    **{name: size.ratio for name, size in sizes.items()},
                    **{f"{name}_low": size.low for name, size in sizes.items()},
                    **{f"{name}_high": size.high for name, size in sizes.items()},
                    "outcome": answer.outcome,
                    "verdict": answer.verdict,
                    "seeds": cells[SEED].nunique(),
                    "searches": int(cells.groupby(STRATEGY)["searches"].sum().min()),
                }
            )
    return pd.DataFrame(found, columns=list(COLUMNS))


def _order(cells: pd.DataFrame, scope: str) -> Iterator[str]:
    own = cells[cells["sut"] == scope.partition(" in ")[0]]
    has_goal = flag(own, "goal_censored").notna().all()
    late = (flag(own, "goal_censored") == 1) & has_goal
    values = number(own, _GOAL).where(~late, searched(own, number(own, _JOB)))
    values = values if has_goal else number(own, _JOB)
    rows = pd.DataFrame({"treatment": own["treatment"], "value": values, "late": late})
    middles = {
        str(name): float(median(each["value"].to_numpy()[None], each["late"].to_numpy()[None])[0])
        for name, each in rows.groupby("treatment")
    }
    yield from sorted(middles, key=lambda name: (middles[name], name))


def under_models(
    cells: pd.DataFrame, few: pd.DataFrame, strategies: Sequence[Mapping[str, Any]]
) -> dict[str, pd.DataFrame]:
    """The rows of `per_seed` as recorded, and under each power model that searches were replayed
    with.

    A strategy decides the same whatever a watt is, so each energy is multiplied by how many times
    as much the same few searches of the seed need under the model.
    """
    parts = {key: per_seed(rows, strategies) for key, rows in few.groupby([KIND, VALUE])}
    recorded = parts[AS_IT_IS, RECORDED].set_index(_KEYS)
    found = {RECORDED: cells}
    places = pd.MultiIndex.from_frame(cells[_KEYS])
    for (kind, model), own in parts.items():
        if kind != POWER:
            continue
        ratios = (own.set_index(_KEYS)[[_JOB, _GOAL, _END, _WASTE]].astype(float)) / recorded[
            [_JOB, _GOAL, _END, _WASTE]
        ].astype(float)
        ratios = ratios.replace([np.inf, -np.inf], math.nan).reindex(places)
        ratios[_GOAL] = ratios[_GOAL].fillna(ratios[_END])
        ratios[_WASTE] = ratios[_WASTE].fillna(1.0)
        found[str(model)] = cells.assign(
            **{name: cells[name] * ratios[name].to_numpy() for name in ratios}
        )
    return found
