"""What is compared with each other: a SUT on a testbed, apart by sampler where one has several."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from trialwatt.figures import treatments
from trialwatt.figures.suts import DASHED, in_order


class Group(NamedTuple):
    """Runs of one SUT on one testbed, and with one sampler unless the sampler is the treatment.

    name: for legends and rows; testbed and sampler are in it where groups differ by them.
    order: number of its testbed and sampler among all, which chooses its dashes.
    """

    sut: str
    testbed: str
    sampler: str
    name: str
    order: int
    runs: pd.DataFrame

    @property
    def dashes(self) -> str:
        """Of its lines, which its SUT colours."""
        return DASHED[self.order % len(DASHED)]


def groups(runs: pd.DataFrame) -> list[Group]:
    """The groups of an experiment, in the order of the legend.

    Where a SUT has no grid and stands for itself with another sampler, that is named; where the
    control runs both, they are two groups.
    """
    if runs.empty:
        return []
    named = treatments.sampler_differs_within(runs)
    apart = runs["sampler"].fillna("").astype(str) if named else pd.Series("", index=runs.index)
    several = runs["testbed"].nunique() > 1
    kinds = sorted(set(zip(runs["testbed"], apart, strict=True)), key=_grid_first)
    found = []
    for sut in in_order(runs["sut"]):
        for testbed, sampler in kinds:
            here = runs[(runs["sut"] == sut) & (runs["testbed"] == testbed) & (apart == sampler)]
            if here.empty:
                continue
            extra = [part for part in (sampler, testbed if several else "") if part]
            name = f"{sut} ({'; '.join(extra)})" if extra else sut
            order = kinds.index((testbed, sampler))
            found.append(Group(sut, testbed, sampler, name, order, here))
    return found


def _grid_first(kind: tuple[str, str]) -> tuple:
    testbed, sampler = kind
    return testbed, sampler != "grid", sampler
