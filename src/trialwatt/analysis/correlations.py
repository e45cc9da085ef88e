"""Rank correlations between configuration, lifecycle steps and impacts, without the made ones.

Of the medians of configurations: repetitions of one are no further evidence of what goes with what.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import gammaln, stdtr

from trialwatt.analysis.columns import configuration, groups, is_modelled, number
from trialwatt.analysis.permutation import holm
from trialwatt.config.factors import FACTORS
from trialwatt.metrics.columns import Place
from trialwatt.metrics.dictionary import metric, shown_in

GROUPS: tuple[Place, ...] = ("configuration", "lifecycle", "impact")
"""Of columns of the runs table (metrics.dictionary), in the order of the heat map."""
MODELLED = "a power model makes energy from CPU time, reserved cores and memory, and wall time"
ALLOTMENT = "at one allotment cost is time × a constant"
STATIC = "carbon is energy × a static intensity"
LEAST_N = 5
"""Configurations, below which an order of theirs says nothing."""

_COST_OF = (
    {"oc", "jct_ms"},
    {"wtc_share", "wtt_share"},
    {"cost_to_goal", "time_to_goal_ms"},
)
_RESERVED = tuple(one.reserved for one in FACTORS.values() if one.reserved)


def excluded(
    x: str, y: str, modelled: bool, static_intensity: bool, one_allotment: bool = False
) -> str:
    """Why this pair is no finding, whatever the data are; empty if it may be one.

    modelled: energies come from a power model. static_intensity: one carbon intensity for all.
    one_allotment: all runs reserved the same.
    """
    if one_allotment and {x, y} in _COST_OF:
        return ALLOTMENT
    for a, b in ((x, y), (y, x)):
        one, other = metric(a), metric(b)
        if static_intensity and one.quantity == "carbon" and other.quantity == "energy":
            return STATIC
        if modelled and one.from_energy and (other.made_of in ("time", "cost") or b in _RESERVED):
            return MODELLED
    return ""


def variables_of_runs() -> dict[str, tuple[str, ...]]:
    """Group → columns of the runs table, in the order of the heat map."""
    return {group: tuple(column.name for column in shown_in(group)) for group in GROUPS}


def rank_correlations(
    runs: pd.DataFrame,
    by: Sequence[str] = ("experiment", "sut", "testbed"),
    variables: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Spearman's ρ of every pair of variables, a row each (x before y in their order).

    Columns: those of `by`, x, x_group, y, y_group, rho, p, p_adjusted (Holm, within a group of
    `by`), significant (below 5 %), n, excluded (the reason, then rho is NaN). n: configurations
    with a completed run, each of which counts once, by its medians; pairs with fewer than five, or
    in which one side never changes, are NaN.
    """
    variables = variables_of_runs() if variables is None else variables
    named = [(name, group) for group, names in variables.items() for name in names]
    parts = []
    for key, here in groups(runs, list(by)):
        done = here[here["status"] == "completed"]
        values = pd.DataFrame({name: number(done, name) for name, _ in named})
        values = values.where(np.isfinite(values)).groupby(configuration(done)).median()
        rho, p, n = _spearman(values)
        made = is_modelled(done), _static(done), _one_allotment(done)
        rows = []
        for (i, (x, x_group)), (j, (y, y_group)) in itertools.combinations(enumerate(named), 2):
            why = excluded(x, y, *made)
            found = (math.nan, math.nan, 0) if why else (rho[i, j], p[i, j], n[i, j])
            rows.append(
                {"x": x, "x_group": x_group, "y": y, "y_group": y_group}
                | dict(zip(("rho", "p", "n"), found, strict=True))
                | {"excluded": why}
            )
        part = pd.DataFrame(rows)
        part.insert(6, "p_adjusted", holm(part["p"]))
        part.insert(7, "significant", part["p_adjusted"] < 0.05)
        for place, (name, value) in enumerate(key.items()):
            part.insert(place, name, value)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _spearman(values: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(columns, columns) each: ρ, p (of Student's t with n − 2 degrees of freedom), n.

    As scipy.stats.spearmanr of each pair gives them, but for all pairs at once.
    """
    known = values.notna().to_numpy(int)
    n = known.T @ known
    rho = np.clip(values.corr("spearman", min_periods=LEAST_N).to_numpy(), -1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(rho) * np.sqrt((n - 2) / ((1 - rho) * (1 + rho)))
    # The t approximation gives 0 for a perfect order; of n! orders two are perfect.
    least = np.exp(math.log(2) - gammaln(n + 1))
    p = np.where(np.isnan(rho), np.nan, np.minimum(1, np.maximum(2 * stdtr(n - 2, -t), least)))
    return rho, p, n


def _static(runs: pd.DataFrame) -> bool:
    intensity = number(runs, "cint_g_per_kwh").dropna()
    return intensity.empty or bool(np.isclose(intensity, intensity.iloc[0], rtol=1e-9).all())


def _one_allotment(runs: pd.DataFrame) -> bool:
    return all(runs[name].nunique() <= 1 for name in _RESERVED if name in runs)
