"""A budget of a measured block: what of it is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from trialwatt.config.loading import Problems, validated
from trialwatt.config.models import Budget
from trialwatt.config.origins import Origins
from trialwatt.measure.places import MeasureError

if TYPE_CHECKING:
    from trialwatt.measure.result import Result

OF_A_BLOCK = ("trials", "seconds", "kwh", "gco2eq", "cost")
EVERY_S = 0.2
"""It is looked at no more often: a result so far is computed for it."""


class Limits:
    """What a block may spend: keys as of `search.budget`, see config.models.Budget.

    Raises MeasureError where they are none.
    """

    def __init__(self, written: Mapping[str, Any] | None):
        wrong = Problems()
        given = dict(written or {})
        budget, _ = validated(Budget, given, Origins("measure: budget"), wrong)
        if wrong or budget is None:
            raise MeasureError("\n".join(map(str, wrong)))
        if others := [key for key in given if key not in OF_A_BLOCK]:
            raise MeasureError(
                f"measure: budget: {', '.join(others)}: not of a block; there are: "
                f"{', '.join(OF_A_BLOCK)}"
            )
        self._limits = budget.limits | ({"trials": budget.trials} if budget.trials else {})
        self._said, self._due = "", 0.0

    def spent(self, result: Callable[[], Result]) -> str:
        """What is spent of it, in words; empty where there is some left. result: of the block."""
        if self._said or not self._limits or time.monotonic() < self._due:
            return self._said
        found = result()
        amounts = {
            "trials": (len(found.trials), "trials"),
            "seconds": (found.seconds, "s"),
            "kwh": (found.energy_kwh, "kWh"),
            "gco2eq": (found.carbon_g, "gCO2eq"),
            "cost": (found.cost, found.currency),
        }
        for key, limit in self._limits.items():
            amount, unit = amounts[key]
            if amount is not None and amount >= limit:
                self._said = f"{amount:.4g} of {limit:g} {unit}"
                break
        self._due = time.monotonic() + EVERY_S
        return self._said
