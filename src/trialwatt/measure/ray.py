"""Ray Tune: what each trial draws, measured by the worker that runs it, among its metrics.

The driver cannot know what a worker on another machine draws. On one machine, a block around
`tuner.fit()` holds the cluster that it started, whole.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from trialwatt.measure.result import Result
from trialwatt.measure.session import Measure, current


def metered(trainable: Callable[[dict[str, Any]], Any], **options: Any) -> Callable[..., Any]:
    """The trainable (a function of its config), measured: Tuner(metered(train), ...).

    Energy stands in the metrics of a trainable that returns them, or that reports with `report`
    of here. A trial is charged for the CPUs that Ray has reserved for it. options: of Measure.
    """

    @functools.wraps(trainable)
    def measured(config: dict[str, Any]) -> Any:
        with Measure(**{"cores": _reserved(), "line": False} | options) as block:
            told = trainable(config)
        return dict(told) | energy(block.result) if isinstance(told, Mapping) else told

    return measured


def report(metrics: Mapping[str, Any], **more: Any) -> None:
    """tune.report, with the energy of the trial so far. more: its other arguments."""
    from ray import tune

    block = current()
    tune.report(dict(metrics) | (energy(block.result) if block else {}), **more)


def energy(result: Result) -> dict[str, Any]:
    """The metrics that are added."""
    return {
        "energy_j": result.energy_j,
        "energy_kwh": result.energy_kwh,
        "energy_method": result.method,
        "carbon_g": result.carbon_g,
        "cost": result.cost,
        "currency": result.currency,
    }


def _reserved() -> float | None:
    """The CPUs of this trial; None (all that the process may use) where it has reserved none."""
    from ray import tune

    resources = tune.get_context().get_trial_resources()
    return (resources.required_resources.get("CPU") if resources else None) or None
