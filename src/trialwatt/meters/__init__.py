"""Where watts come from: one module per meter, and the sampler that reads them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a testbed's section is read without its meter
    from trialwatt.meters.base import Meter, Method

GROUP = "trialwatt.meters"
"""Entry points of the meters; another package adds one by registering there."""


@cache
def kind_of(meter: str) -> type[Meter] | None:
    """The class of a meter that says how its readings come about; None: not known here, as of a
    meter of another package that is not installed."""
    for entry in entry_points(group=GROUP, name=meter):
        try:
            kind = entry.load()
        except ImportError:
            return None
        return kind if getattr(kind, "methods", None) else None
    return None


def method_of(meter: str, domain: Mapping, testbed: Mapping) -> Method | None:
    """The method of a domain (as it stands in a manifest), which follows from its kind of meter,
    whatever a record says; None where the kind cannot tell.

    testbed: as it stands in the run's configuration.
    """
    kind = kind_of(meter)
    return kind and kind.method_of(str(domain.get("name")), str(domain.get("unit")), testbed)
