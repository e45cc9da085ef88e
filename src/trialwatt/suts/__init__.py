"""The systems under test: one module each, found through the entry points "trialwatt.suts"."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from trialwatt.errors import TrialwattError

if TYPE_CHECKING:  # a framework's daemons start from here too, and need none of ours
    from trialwatt.suts.base import Sut

GROUP = "trialwatt.suts"


def names(own: bool = False) -> list[str]:
    """Names of all registered SUTs; own: of those of this package only."""
    points = entry_points(group=GROUP)
    return sorted({p.name for p in points if not own or p.module.startswith(f"{__package__}.")})


def get(name: str) -> type[Sut]:
    """The class of a SUT. Raises TrialwattError for a name that nobody registered."""
    for point in entry_points(group=GROUP):
        if point.name == name:
            return point.load()
    raise TrialwattError(f"no SUT {name!r}; there are: {', '.join(names())}")
