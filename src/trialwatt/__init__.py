"""What a hyperparameter search costs in energy, carbon, money and time, and what is wasted."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`trialwatt.measure`, which is imported when it is asked for first."""
    if name != "measure":
        raise AttributeError(f"module 'trialwatt' has no attribute {name!r}")
    from importlib import import_module

    return import_module("trialwatt.measure")
