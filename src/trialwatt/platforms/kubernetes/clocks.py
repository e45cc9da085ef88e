"""How the clocks of the components differ from the coordinator's, by way of the hub's."""

from __future__ import annotations

from dataclasses import dataclass, field

from trialwatt.clock import now
from trialwatt.platforms.kubernetes.hub_proxy import HubProxy

ROUNDS = 5
SAME_CLOCK_NS = 5_000_000
"""Two lives whose offsets differ by less were on one machine, or it does not matter."""


@dataclass(frozen=True)
class Ahead:
    """How far one clock pair is ahead of another; the truth is within half the round trip."""

    mono_ns: int
    utc_ns: int
    round_trip_ns: int


def hub_ahead(proxy: HubProxy, rounds: int = ROUNDS) -> Ahead:
    """The hub's clocks against those of here: of the quickest of some questions."""
    found = []
    for _ in range(rounds):
        before = now()
        there, after = proxy.clock(), now()
        trip = after.mono_ns - before.mono_ns
        mono_ns = there["mono"] - after.mono_ns + trip // 2
        found.append((trip, mono_ns, there["utc"] - after.utc_ns + trip // 2))
    trip, mono_ns, utc_ns = min(found)
    return Ahead(mono_ns, utc_ns, trip)


@dataclass
class Clocks:
    """What was measured in a run: the hub at its start and its end, a life once a minute too."""

    hub: list[Ahead] = field(default_factory=list)  # the hub against the coordinator
    lives: dict[str, list[Ahead]] = field(default_factory=dict)  # the hub against a life
    component: dict[str, str] = field(default_factory=dict)  # life → its component

    def offset_ns(self, life: str) -> int | None:
        """What is added to its monotonic stamps to be on the coordinator's clock.

        The mean of the first and the last measurement: clocks drift evenly over a run.
        """
        known = self.lives.get(life)
        if not known or not self.hub:
            return None
        return _middle([a.mono_ns for a in known]) - _middle([a.mono_ns for a in self.hub])

    def offsets_ns(self) -> dict[str, int]:
        """By component, of its first life: the later ones' records are moved onto its clock."""
        found: dict[str, int] = {}
        for life, component in self.component.items():
            offset = self.offset_ns(life)
            if component not in found and offset is not None:
                found[component] = offset
        return found

    def facts(self) -> dict:
        """For the manifest."""
        uncertain, utc, drift = {}, {}, {}
        for life, component in self.component.items():
            known = self.lives.get(life)
            if not known or not self.hub or component in uncertain:
                continue
            trips = min(a.round_trip_ns for a in known) + min(a.round_trip_ns for a in self.hub)
            drift[component] = _drift(known) - _drift(self.hub)
            uncertain[component] = trips // 2 + abs(drift[component]) // 2
            hub_utc = _middle([a.utc_ns for a in self.hub])
            utc[component] = _middle([a.utc_ns for a in known]) - hub_utc
        return {
            "source": "CLOCK_MONOTONIC of each node, by way of the run's hub",
            "method": "offset of the quickest of several exchanges, mean of the first and the last",
            "uncertainty_ns": uncertain,
            "utc_offset_ns": utc,
            "drift_ns": drift,
            "measurements": {"hub": len(self.hub)}
            | {life: len(known) for life, known in self.lives.items()},
        }


def _drift(measured: list[Ahead]) -> int:
    return measured[-1].mono_ns - measured[0].mono_ns


def _middle(values: list[int]) -> int:
    return (values[0] + values[-1]) // 2
