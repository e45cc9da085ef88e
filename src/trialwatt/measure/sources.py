"""Which meters give the energy of a block, and which of their domains count."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trialwatt.errors import TrialwattError
from trialwatt.meters.base import Domain, Meter
from trialwatt.meters.choose import Chosen
from trialwatt.meters.model import most_watts
from trialwatt.platforms.accelerators import seats


@dataclass(frozen=True)
class Supplied:
    """A meter's domain. idle_w: its static power; None: not known."""

    domain: Domain
    kind: type[Meter]
    idle_w: float | None
    most_w: float = math.inf


@dataclass(frozen=True)
class Source:
    """An opened meter, and those of its domains that are added up."""

    name: str
    meter: Meter
    domains: tuple[Domain, ...]

    def supplied(self, cores: int, memory_gb: float) -> list[Supplied]:
        """Its domains as they are divided, for a machine of this size."""
        idle = self.meter.idle_watts(cores, memory_gb) or {}
        most = most_watts(self.meter.parameters, cores)
        return [
            Supplied(d, type(self.meter), idle.get(d.name), most.get(d.name, math.inf))
            for d in self.domains
        ]


def sources_of(chosen: Chosen) -> list[Source]:
    """Those of the headline; of its accelerators only what this process may see."""
    found = []
    for name, wanted in chosen.headline_domains.items():
        meter = chosen.meters[name]
        kept = [domain for domain in meter.domains if domain.name in wanted]
        if any(domain.resource == "accelerator" for domain in kept):
            seen = _visible()
            kept = [d for d in kept if d.resource != "accelerator" or d.name in seen]
        if kept:
            found.append(Source(name, meter, tuple(kept)))
    return found


def _visible() -> set[str]:
    """Domains of the devices that CUDA_VISIBLE_DEVICES leaves to this process; all without it."""
    try:
        return {seat.device for seat in seats("gpu")}
    except TrialwattError:  # it leaves none
        return set()
