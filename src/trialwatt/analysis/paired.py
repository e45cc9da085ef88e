"""Values of a scope side by side: a row per block, a column per level; only whole rows compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialwatt.analysis.blocks import block_of
from trialwatt.analysis.columns import configuration
from trialwatt.records.outcome import COMPLETED

_FEWEST = 2
"""Blocks of which anything can be told."""


@dataclass(frozen=True)
class Paired:
    """levels: sorted. values, censored: (blocks, levels). remarks: what was left out, a sentence
    each."""

    levels: tuple[str, ...]
    values: np.ndarray
    censored: np.ndarray
    remarks: tuple[str, ...] = ()

    @property
    def blocks(self) -> int:
        return len(self.values)

    @property
    def telling(self) -> Paired:
        """Without the blocks in which every value is censored: of which is less they say nothing.

        Where not two blocks would be left they stay.
        """
        silent = np.asarray(self.censored.all(axis=1))
        if not silent.any() or len(silent) - silent.sum() < _FEWEST:
            return self
        count, of = int(silent.sum()), self.blocks
        said = f"In {count} of {of} blocks no level reached the goal: they tell of no difference."
        kept = self.values[~silent], self.censored[~silent]
        return Paired(self.levels, *kept, (*self.remarks, said))


def fewest_blocks(runs: pd.DataFrame) -> int:
    """Of any configuration of these runs that completed at all: in how many blocks it did."""
    done = runs[runs["status"] == COMPLETED]
    same = [done["sut"], configuration(done)]
    return int(block_of(done).groupby(same).nunique().min()) if len(done) else 0


def paired(values: pd.Series, censored: pd.Series, levels: pd.Series, blocks: pd.Series) -> Paired:
    """The blocks in which every level has a value, in their order.

    Aligned series. A level that has values in less than half of the blocks is left out, so that it
    does not take the others with it.
    """
    frame = pd.DataFrame({"v": values, "c": censored.astype(float), "l": levels, "b": blocks})
    cells = frame.dropna().groupby(["b", "l"])[["v", "c"]].median().unstack("l").sort_index()
    if cells.empty:
        return Paired((), np.empty((0, 0)), np.empty((0, 0), bool))
    counts = cells["v"].notna().sum()
    few = counts[2 * counts < len(cells)]
    remarks = [f"{name} has values in {n} of {len(cells)} blocks." for name, n in few.items()]
    kept = cells.drop(columns=list(few.index), level="l")
    whole = kept.dropna()
    if len(whole) < len(cells):
        remarks.append(f"{len(cells) - len(whole)} of {len(cells)} blocks are not complete.")
    names = tuple(str(name) for name in whole["v"].columns)
    return Paired(names, whole["v"].to_numpy(), whole["c"].to_numpy() > 0, tuple(remarks))
