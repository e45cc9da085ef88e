"""The power models that a verdict over modelled energy must hold under: the corners of a range.

Energy is linear in a model's static watts, dynamic watts and watts per GB, so that a linear model
within the range gives each run a mean of what the four linear corners give, whatever its scale.
How far power is from linear matters most where least of it is static: the concave corners are
those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialwatt.meters.coefficients import PowerParameters

LEAST_IDLE, MOST_IDLE = 0.1, 0.7
"""Of the power of a busy machine, what an idle one draws."""
CONCAVE = 0.5
"""Exponent of utilisation in the dynamic power of a concave model."""
MOST_MEMORY_W = 0.4
"""Per GB of all memory; no model has less than 0."""
BUSY_W = 1.8
"""Per busy vCPU: the least that config/power.yaml has, so that memory counts for the most."""
_SOURCE = "a corner of the range of power models (docs/analysis.md)"


class Concave(PowerParameters):
    """Dynamic power that rises with a power of the utilisation."""

    exponent: float = CONCAVE

    def effective_cores(self, cores: Any, busy_cores: Any) -> Any:
        """More busy cores than there are, which ticks may show for a moment, count as they are: as
        in the linear model, only then they sum up."""
        used = np.asarray(busy_cores / cores, float)
        return cores * np.where(used < 1, np.maximum(used, 0.0) ** self.exponent, used)


def models(sets: Mapping[str, PowerParameters]) -> dict[str, PowerParameters]:
    """Name → the corners, and those of these sets of coefficients that lie outside of the range.

    Sets of equal coefficients count once, under the first of their names.
    """
    found = _corners()
    seen: list[dict[str, float]] = []
    for name, power in sets.items():
        if not _within(power) and _coefficients(power) not in seen:
            seen.append(_coefficients(power))
            found[name] = power
    return found


def _corners() -> dict[str, PowerParameters]:
    kinds: tuple[tuple[type[PowerParameters], str, tuple[float, ...]], ...] = (
        (PowerParameters, "linear", (LEAST_IDLE, MOST_IDLE)),
        (Concave, "concave", (LEAST_IDLE,)),
    )
    return {
        f"idle {idle:.0%}, {word}, memory {memory_w:g} W/GB": kind(
            min_w=idle * BUSY_W,
            max_w=BUSY_W,
            memory_w_per_gb=memory_w,
            included_gb_per_vcpu=0,
            source=_SOURCE,
        )
        for kind, word, shares in kinds
        for idle in shares
        for memory_w in (0.0, MOST_MEMORY_W)
    }


def _within(power: PowerParameters) -> bool:
    """Whether the corners tell all that this linear model can; its scale changes no ratio."""
    return (
        LEAST_IDLE * power.max_w <= power.min_w <= MOST_IDLE * power.max_w
        and power.memory_w_per_gb * BUSY_W <= MOST_MEMORY_W * power.max_w
    )


def _coefficients(power: PowerParameters) -> dict[str, float]:
    return power.model_dump(exclude={"source"})
