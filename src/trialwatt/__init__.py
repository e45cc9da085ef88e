"""What a hyperparameter search costs in energy, carbon, money and time, and what is wasted."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`trialwatt.measure` and `trialwatt.table`, imported when they are asked for first."""
    from importlib import import_module

    if name == "measure":
        return import_module("trialwatt.measure")
    if name == "table":
        return import_module("trialwatt.replay.table").load
    raise AttributeError(f"module 'trialwatt' has no attribute {name!r}")
