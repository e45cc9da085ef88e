"""What is cheaper under every power model: less of all that modelled energy is a function of."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from trialwatt.analysis.blocks import block_of
from trialwatt.analysis.columns import is_modelled, number
from trialwatt.analysis.evidence import blocks_for_p
from trialwatt.analysis.paired import paired
from trialwatt.records.outcome import COMPLETED

HELD = ("reserved_core_s", "used_core_s", "reserved_gb_s")
_ACCELERATOR = "accelerator"
COLUMNS = {*HELD, _ACCELERATOR, "energy_method"}
"""Of the runs table, without which there is no remark."""


def remarks(runs: pd.DataFrame, levels: pd.Series, trials: pd.Series | None = None) -> list[str]:
    """A sentence for each level that needs less of all three than others, and no other less than
    it; none where no energy is modelled, or where accelerators draw some of it.

    levels: of each run. trials: by which what a run needs is divided, where trials are compared
    and not jobs. Only completed runs count: one that was cut off needs less for that.
    """
    others = set(runs[_ACCELERATOR].dropna()) - {"cpu", ""} if _ACCELERATOR in runs else set()
    if not is_modelled(runs) or others:
        return []
    names, needed = _needed(runs, levels, trials)
    less = dominating(needed)
    found = [i for i in range(len(names)) if less[i].any() and not less[:, i].any()]
    each = "" if trials is None else "per trial "
    return [
        f"{names[i]} needs {each}less of all three, reserved core-seconds, used core-seconds and "
        f"reserved GB-seconds, than {' and than '.join(itertools.compress(names, less[i]))} in "
        f"{needed.shape[1]} of {needed.shape[1]} blocks: cheaper under every power model that does "
        "not decrease in them."
        for i in found
    ]


def dominating(needed: np.ndarray) -> np.ndarray:
    """(levels, levels): whether the first needs less of all than the second, in every block.

    needed: (quantities, blocks, levels). Nothing is, where so few blocks may all say the same of
    any of the pairs of levels by chance (a sign test, in 5 % or more).
    """
    _, blocks, levels = needed.shape
    pairs = levels * (levels - 1) // 2
    if not pairs or blocks < blocks_for_p(2, pairs):
        return np.zeros((levels, levels), bool)
    return np.all(needed[..., :, None] < needed[..., None, :], axis=(0, 1))


def _needed(
    runs: pd.DataFrame, levels: pd.Series, trials: pd.Series | None
) -> tuple[tuple[str, ...], np.ndarray]:
    """The levels, and (quantities, blocks, levels) what each needed; whole blocks alone."""
    held = pd.DataFrame({name: number(runs, name) for name in HELD})
    if trials is not None:
        held = held.div(trials.where(trials > 0), axis=0)
    known = (runs["status"] == COMPLETED) & held.notna().all(axis=1)
    never = pd.Series(False, runs.index)
    parts = [paired(held[name].where(known), never, levels, block_of(runs)) for name in HELD]
    return parts[0].levels, np.stack([part.values for part in parts])
