"""What hardware can draw: a reading beyond it is a fault of a counter, and never energy.

The bounds are far above what there is (docs/review.md names their sources): they are for what was
multiplied, restarted or misread, not for what is rare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trialwatt.meters.base import Meter

MOST_W = {"cpu": 1500.0, "memory": 1500.0, "accelerator": 2000.0}
"""Of one processor package, of the memory beside it, of one accelerator."""
MOST_OF_A_MACHINE_W = 20_000.0
"""Of a domain that may be a whole machine with all that is in it."""
OVER_LIMIT = 2.0
"""What is believed beyond the limit that hardware names: it is kept as a mean over seconds."""
UPDATE_S = 0.2
"""A counter is updated in steps (RAPL's each ms, a device's up to each 100 ms): two readings close
together can lie on either side of one."""
COLLECTED_UPDATE_S = 60.0
"""The same of counters that an exporter reads at a pace of its own."""
TICKS_NS = 100e6
"""Per core: CPU time is counted in ticks of 10 ms, and some of them late."""
LATE_NS = 1e9
"""So long after the stamp of a sample a busy machine may let its counter be read."""


def can_be_used(used_ns: Any, elapsed_ns: Any, cores: float) -> Any:
    """Whether a machine can have used so much CPU time meanwhile; no: its counter began again, or
    jumped. Of numbers, or of arrays alike."""
    return (used_ns >= -cores * TICKS_NS) & (used_ns <= cores * (elapsed_ns + LATE_NS))


@dataclass(frozen=True)
class Bound:
    """The most that a domain can draw, and how long its counter may stand between two updates.

    limit_w: what follows from the limit that the hardware names; None where it names none.
    """

    most_w: float
    update_s: float
    limit_w: float | None = None

    def believed_w(self, usual_w: float) -> float:
        """The watts above which nothing is believed. A limit below what is usual is none."""
        if self.limit_w is not None and usual_w <= self.limit_w:
            return self.limit_w
        return self.most_w

    def allowed_uj(self, watts: float, seconds: np.ndarray) -> np.ndarray:
        """The most that a counter can rise in these times, where `watts` are the most drawn."""
        return watts * (np.maximum(seconds, 0) + self.update_s) * 1e6


def bound_of(kind: type[Meter] | None, resource: str, max_w: float | None = None) -> Bound:
    """The bound of a domain (docs/methodology, rule 4).

    kind: of its meter; None, one that is not known here, may measure anything at any pace.
    max_w: the limit that the hardware names (`max_w` of its domain).
    """
    parts = kind is not None and kind.single_parts
    most_w = MOST_W.get(resource, MOST_OF_A_MACHINE_W) if parts else MOST_OF_A_MACHINE_W
    update_s = UPDATE_S if kind is not None and kind.sampled else COLLECTED_UPDATE_S
    limit_w = None if max_w is None else min(OVER_LIMIT * max_w, most_w)
    return Bound(most_w, update_s, limit_w)
