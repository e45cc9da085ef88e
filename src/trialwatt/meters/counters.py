"""Counters read back: what they have grown by, where that can be known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialwatt.meters.bounds import Bound

HOLE = 2.0
"""An interval longer than this many usual ones is a hole between readings."""
SAFE_SHARE = 0.5
"""A hole in which a counter, at its usual power, would use up more of its range than this may hide
a wrap. A wrap is believed up to the greatest power that was seen ÷ this."""


@dataclass(frozen=True)
class Rises:
    """What an energy counter has grown by between n neighbouring readings; all arrays (n−1,).

    uj: NaN where it is not known, for one of the reasons that the masks give. restarted: it fell,
    and no wrap explains that. too_fast: it rose by more than `believed_w`, the most that is
    believed of it. rewrapped: it may have wrapped once more than can be seen.
    """

    uj: np.ndarray
    restarted: np.ndarray
    too_fast: np.ndarray
    rewrapped: np.ndarray
    believed_w: float


def rises(seconds: np.ndarray, values: np.ndarray, wraps_at: float | None, bound: Bound) -> Rises:
    """By the rule of docs/methodology, rule 4.

    seconds: (n−1,) between the n readings; values: microjoules, none missing.
    """
    grown, fell = increments(values, wraps_at), np.diff(values) < 0
    possible = (seconds > 0) & (grown <= bound.allowed_uj(bound.most_w, seconds))
    hole = seconds > HOLE * np.median(seconds) if len(seconds) else np.zeros(0, bool)
    watts = grown[possible] * 1e-6 / seconds[possible]
    usual_w = float(np.median(watts)) if len(watts) else 0.0
    seen_w = float(np.max(watts[~(fell | hole)[possible]], initial=usual_w))
    believed_w = bound.believed_w(usual_w)
    beyond = ~(grown <= bound.allowed_uj(believed_w, seconds))  # NaN too
    rewrapped = np.zeros(len(grown), bool)
    if believed_w == bound.limit_w:  # the most that can be drawn is known, at any pace
        rewrapped = believed_w * seconds * 1e6 > (wraps_at or np.inf)
    else:  # readings at the usual pace are close enough together
        beyond |= fell & (grown > bound.allowed_uj(seen_w / SAFE_SHARE, seconds))
        rewrapped = hole & (usual_w * seconds * 1e6 > SAFE_SHARE * (wraps_at or np.inf))
    rewrapped &= ~beyond
    uj = np.where(beyond | rewrapped, np.nan, grown)
    return Rises(uj, fell & beyond, ~fell & beyond, rewrapped, believed_w)


def increments(values, wraps_at: float | None) -> np.ndarray:
    """What a counter has grown between neighbouring readings, in its own unit, as far as its range
    tells: what hardware can do, `rises` says.

    values: n readings, NaN where one is missing. Returns n−1 floats, NaN where a neighbour is
    missing and where the counter fell although it cannot have wrapped (`wraps_at` is None, or it
    fell by more than its range). A fall is taken as one wrap.
    """
    steps = np.diff(np.asarray(values, float))
    fell = steps < 0
    if wraps_at is None:
        return np.where(fell, np.nan, steps)
    steps = np.where(fell, steps + wraps_at, steps)
    return np.where(steps < 0, np.nan, steps)
