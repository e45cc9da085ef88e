"""Which strategies there are to be replayed, before it is asked which of them can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trialwatt.suts import get, names

NONE, RANDOM = "none", "random"


class Choice(NamedTuple):
    """A SUT's sampler and pruner, by their common names."""

    sut: str
    sampler: str
    pruner: str

    def __str__(self) -> str:
        pruner = f" + {self.pruner}" if self.pruner != NONE else ""
        return f"{self.sut} {self.sampler}{pruner}"


def choices(
    suts: Sequence[str] = (), sampler: str | None = None, pruner: str | None = None
) -> list[Choice]:
    """Of these SUTs, or all: every sampler without a pruner, and every pruner on random draws; of
    one sampler every pruner, of one pruner every sampler."""
    found = list[Choice]()
    for sut in suts or names():
        kind = get(sut)
        both = list(kind.samplers), list(kind.pruners)
        samplers, pruners = [sampler] if sampler else both[0], [pruner] if pruner else both[1]
        crossed = sampler is not None or pruner is not None
        found += [
            Choice(sut, one, other)
            for one in samplers
            for other in pruners
            if crossed or other == NONE or one == RANDOM
        ]
    return found
