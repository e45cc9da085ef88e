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


def until_spent(kwh: float) -> Any:
    """For RunConfig(stop=until_spent(0.01)): the experiment ends where what its trials have
    reported (`metered`, `report`) is this much."""
    from ray.tune import Stopper

    class Spent(Stopper):  # type: ignore[misc] # Ray is not read for its types
        def __init__(self) -> None:
            self._by_trial = dict[str, float]()

        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
            self._by_trial[trial_id] = result.get("energy_kwh") or 0.0
            return False

        def stop_all(self) -> bool:
            return sum(self._by_trial.values()) >= kwh

    return Spent()


def _reserved() -> float | None:
    """The CPUs of this trial; None (all that the process may use) where it has reserved none."""
    from ray import tune

    resources = tune.get_context().get_trial_resources()
    return (resources.required_resources.get("CPU") if resources else None) or None
