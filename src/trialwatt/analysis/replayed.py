"""Replayed searches in the shape of a runs table: a row for each strategy and measured seed.

Ten thousand searches of five measured seeds are five observations of a machine, a data split and an
hour. So the searches of a seed are averaged out, the seed is the block, and the code that judges
runs judges replays (docs/analysis.md, "Replayed searches").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from trialwatt.analysis.blocks import BLOCK
from trialwatt.analysis.censoring import median
from trialwatt.analysis.evidence import Outcome
from trialwatt.config.factors import FACTORS
from trialwatt.metrics.dictionary import metric
from trialwatt.records.outcome import COMPLETED

STRATEGY, SEED = "strategy", "repetition"
"""Columns of the replayed searches: place of their strategy, and the measured seed they are of."""
CHECKED = "live_"
"""Before the name of a quantity: what live searches said of it, a verdict of replay.check; empty
where it was never checked."""
CENSORED = {
    "energy_to_goal_kwh": "searched_energy_kwh",
    "time_to_goal_ms": "searched_time_ms",
    "cost_to_goal": "searched_cost",
}
"""What a search needed to the goal → what it had taken when its last trial ended."""
OF_SEED = ("searches", CENSORED["energy_to_goal_kwh"])
"""Columns that a row of replayed searches has, and none of a run."""
FAILS = "fails"
_NOT_CONFIRMED = {
    "": "never checked against live searches",
    "undecided": "live searches neither confirm nor refute it",
}
_SAME = {factor.column for factor in FACTORS.values()} | {"goal_target", "treatment_value"}


def per_seed(searches: pd.DataFrame, strategies: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row per strategy and measured seed, with the columns of the runs table.

    searches: of an experiment, as replay.experiment reads them; strategies: what is said of each.
    The experiment is called `replayed <id>`. Values are means over the searches of a seed. Those to
    the goal are medians by Kaplan and Meier, as a search that missed it is censored where its last
    trial ended; where most missed it, so is the row, at the mean of these ends. reached_share: of
    the searches that reached it.
    """
    cells = searches.groupby([STRATEGY, SEED], sort=True)
    numbers = [name for name in searches.select_dtypes("number") if name not in _SAME]
    means = cells[[name for name in numbers if name not in (STRATEGY, SEED, "search")]].mean()
    texts = [name for name in searches if name not in numbers and name != "goal_reached"]
    found = cells[texts].first().join(means.drop(columns=list(CENSORED)))
    for name, end in CENSORED.items():
        found[name] = cells[[name, end, "goal_reached"]].apply(_to_goal, name, end)
    found["reached_share"] = cells["goal_reached"].mean().astype(float)
    found["searches"] = cells.size()
    has_goal = found["goal_target"].notna()
    censored = found["energy_to_goal_kwh"].isna()
    found["goal_censored"] = censored.astype(object).where(has_goal, None)
    found["goal_reached"] = ~censored & has_goal
    found = found.reset_index()
    places = found[STRATEGY].astype(int)
    block, plan, size = BLOCK
    of_block = {block: found[SEED], plan: "replayed", size: found[STRATEGY].nunique()}
    own = found["experiment"] + "/" + places.astype(str)
    found["experiment"] = "replayed " + found["experiment"]
    told = {f"{CHECKED}{name}": _told(places, strategies, name) for name in _quantities(strategies)}
    return found.assign(
        **of_block,
        **told,
        status=COMPLETED,
        folder="replay/" + own + "/seed" + found[SEED].astype(str),
    )


def at_scores(searches: pd.DataFrame, attained: pd.DataFrame) -> pd.DataFrame:
    """Energy until scores were reached: a row per strategy, measured seed and target, in the order
    of the targets, with `energy_kwh`: the median by Kaplan and Meier over the seed's searches, NaN
    where most of them missed it; and sut, testbed and treatment."""
    names = [SEED, "searched_energy_kwh", "sut", "testbed", "treatment"]
    each = attained.merge(searches[[STRATEGY, "search", *names]], on=[STRATEGY, "search"])
    each = each.assign(goal_reached=each["energy_kwh"].notna())
    keys = [STRATEGY, "sut", "testbed", "treatment", "target", SEED]
    found = each.groupby(keys, sort=True).apply(_to_goal, "energy_kwh", "searched_energy_kwh")
    return found.rename("energy_kwh").reset_index()


def _to_goal(rows: pd.DataFrame, name: str, end: str) -> float:
    """NaN where most of these searches did not reach the goal."""
    late = ~rows["goal_reached"].to_numpy(bool)
    values = np.where(late, rows[end], rows[name].astype(float))
    found = float(median(values[None], late[None])[0])
    return found if np.isfinite(found) else np.nan


def _quantities(strategies: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted({each["quantity"] for one in strategies for each in checks(one)})


def checks(strategy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What live searches said of a strategy, by quantity; none where it was never checked."""
    return (strategy.get("coverage") or {}).get("quantities", [])


def _told(places: pd.Series, strategies: Sequence[Mapping[str, Any]], quantity: str) -> list[str]:
    verdicts = [
        {each["quantity"]: each["verdict"] for each in checks(one)}.get(quantity, "")
        for one in strategies
    ]
    return [verdicts[place] for place in places]


def believed(outcome: Outcome, runs: pd.DataFrame, levels: pd.Series, quantity: str) -> Outcome:
    """The outcome, undecided where live searches of any of its levels are not where replay says.

    runs: any rows of a runs table; of live ones the outcome is as it is.
    """
    said = runs.get(f"{CHECKED}{quantity}")
    wrong = sorted(levels[said == FAILS].unique()) if said is not None else []
    if not wrong:
        return outcome
    why = f"replay is not believed of {', '.join(wrong)}: live searches fall outside of it"
    return replace(outcome, undecided=why)


def remarks(runs: pd.DataFrame, levels: pd.Series, quantities: Iterable[str]) -> list[str]:
    """What a block of replayed searches is, and which of these quantities live searches did not
    confirm; nothing of runs."""
    if "searches" not in runs:
        return []
    said = ["Replayed: a block is a measured seed, whose searches are averaged out."]
    for name in quantities:
        told = runs.get(f"{CHECKED}{name}", pd.Series("", runs.index))
        for verdict, words in _NOT_CONFIRMED.items():
            if some := sorted(levels[told == verdict].unique()):
                said.append(f"{metric(name).short.capitalize()} of {', '.join(some)}: {words}.")
    return said
