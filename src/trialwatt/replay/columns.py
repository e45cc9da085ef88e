"""The columns of the trial table, with units and definitions (docs/replay.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trialwatt.config.models import Space
from trialwatt.config.space import levels
from trialwatt.metrics.columns import Column, Kind

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
