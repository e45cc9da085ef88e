"""The columns of the trial table, with units and definitions (docs/replay.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trialwatt.config.factors import FACTORS
from trialwatt.config.models import Space
from trialwatt.config.space import levels
from trialwatt.metrics.columns import Column, Kind
from trialwatt.metrics.dictionary import RUNS

HYPERPARAMETER = "phi."
SCORE = "score."
"""What a column of a hyperparameter, or of a score, begins with."""
_EVENTS = "moments of the trial's lines, monotonic time"
_COUNTER = "CPU counter of the worker"
_STATIC = "static power by reservation (docs/methodology, rule 2)"
_DYNAMIC = "dynamic power by CPU time (docs/methodology, rule 2)"
AMOUNTS = {
    "seconds": ("s", _EVENTS),
    "cpu_seconds": ("core-s", _COUNTER),
    "static_j": ("J", _STATIC),
    "dynamic_j": ("J", _DYNAMIC),
}
"""What every part of a trial takes: name → (unit, method)."""
PARTS = {
    "": "whole epoch: train and validate; of epoch 0: data and model loaded",
    "validate_": "the part of the epoch that is its validation",
    "import_": "epoch 0: imports, of a process's first trial; null of its others",
}
"""Prefix of the columns of each part of a trial → what it is."""

_IDENTITY = (
    Column("phi", "text", "", "hyperparameters φ as JSON with sorted keys", "records"),
    Column("repetition", "whole", "", "which measured seed, from 1", "run.json", low=1),
    Column(
        "seed", "whole", "", "seed of the repetition: split, and with φ the weights", "run.json"
    ),
    Column("epoch", "whole", "", "from 1; 0 is what comes before the first one", "records", low=0),
    Column("outcome", "text", "", "how the trial ended: completed or failed", "records"),
    Column("reason", "text", "", "why it failed, else empty", "records"),
    Column(
        "memory_mb",
        "real",
        "MB",
        "greatest memory of its worker sampled in the epoch; null where no sample was taken",
        "samples of the worker's control group or processes",
        low=0,
    ),
)
_TAKEN = tuple(
    Column(f"{part}{name}", "real", unit, f"{name}: {what}", method, low=0)
    for part, what in PARTS.items()
    for name, (unit, method) in AMOUNTS.items()
)


def table_columns(space: Space, scores: Iterable[str]) -> list[Column]:
    """Of the trial table of a space, with these scores."""
    axes = [
        Column(
            f"{HYPERPARAMETER}{name}",
            _kind(levels(axis)),
            "",
            f"hyperparameter {name}; null where φ has none",
            "records",
        )
        for name, axis in space.items()
    ]
    told = [
        Column(
            f"{SCORE}{name}",
            "real",
            "",
            f"{name} on the validation split after the epoch; null where the epoch failed",
            "records",
        )
        for name in scores
    ]
    return [*_IDENTITY, *axes, *_TAKEN, *told]


def _kind(values: list[Any]) -> Kind:
    if all(isinstance(value, bool) for value in values):
        return "flag"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return "real"
    return "text"


def hyperparameter(value: Any, column: Column) -> Any:
    """A value as its column holds it; None where φ has none."""
    return str(value) if column.kind == "text" and value is not None else value


_OF_RUNS = {
    *("trials_started", "trials_completed", "trials_failed", "trials_pruned", "trials_duplicate"),
    *("reports", "trials_time_ms", "jct_ms", "job_energy_kwh", "ept_kwh", "carbon_g", "oc", "wr"),
    *("wtt_ms", "wte_kwh", "wtc", "wtt_share", "wte_share", "wtc_share"),
    *(
        f"waste_{kind}_{what}_share"
        for kind in ("failed", "pruned", "duplicate")
        for what in ("time", "energy", "cost")
    ),
    *("trials_energy_kwh", "idle_energy_kwh", "services_energy_kwh", "harness_energy_kwh"),
    "surplus_energy_kwh",
    *("goal_target", "goal_reached", "energy_to_goal_kwh", "cost_to_goal", "time_to_goal_ms"),
    "best_score",
}
REPLAYED = "replayed from measured trials (docs/replay.md)"
"""How the values of replayed columns come about."""
_SEARCHED = "until its last trial ended: there a search that missed the goal is censored"
SEARCHES = [
    Column("search", "whole", "", "number of the replayed search, from 1", REPLAYED, low=1),
    Column(
        "repetition",
        "whole",
        "",
        "the measured seed that all of the search is of; null where each φ has its own",
        REPLAYED,
        low=1,
    ),
    *(column for column in RUNS if column.name in _OF_RUNS),
    Column(
        "framework_energy_kwh",
        "real",
        "kWh",
        "what the framework adds to plain's jobs, by its measured cost; 0 where none is given",
        REPLAYED,
    ),
    Column(
        "around_energy_kwh",
        "real",
        "kWh",
        "before and after the trials step, as in a measured job drawn for the search",
        REPLAYED,
        low=0,
    ),
    Column("searched_energy_kwh", "real", "kWh", f"job energy {_SEARCHED}", REPLAYED),
    Column("searched_time_ms", "real", "ms", f"start of setup {_SEARCHED}", REPLAYED),
    Column("searched_cost", "real", "currency", f"reserved × price {_SEARCHED}", REPLAYED),
]
"""Of the table of replayed searches: the columns of the runs table that can be known of them."""
_OF_STRATEGIES = {
    *("experiment", "varied", "treatment", "treatment_value", "is_baseline"),
    *("sut", "testbed", "hash", "is_control", "energy_method", "currency"),
    *(factor.column for factor in FACTORS.values()),
}
OF_STRATEGY = [column for column in RUNS if column.name in _OF_STRATEGIES]
"""Columns of the runs table that all searches of a strategy have in common. hash: of the run that
would be live."""
_STRATEGY = Column(
    "strategy", "whole", "", "place in replay.json's list of strategies, from 0", REPLAYED, low=0
)
ATTAINED = [
    SEARCHES[0],
    Column("target", "real", "", "a score that a share of the grid reaches", REPLAYED),
    Column("energy_kwh", "real", "kWh", "job energy until it was reached; else null", REPLAYED),
    Column("time_ms", "real", "ms", "start of setup until it was reached; else null", REPLAYED),
    Column("cost", "real", "currency", "reserved × price until it was reached", REPLAYED),
]
EXPERIMENT = {
    "searches": [_STRATEGY, *SEARCHES, *OF_STRATEGY],
    "attained": [_STRATEGY, *ATTAINED],
}
"""The tables of an experiment that was replayed: those of all its strategies, one below another."""
