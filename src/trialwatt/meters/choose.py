"""Which meters work here, and which of them a testbed uses."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from typing import NamedTuple

from trialwatt.config.models import Testbed
from trialwatt.meters.base import Meter, MeterError, Probe
from trialwatt.meters.model import PowerParameters

GROUP = "trialwatt.meters"
"""Entry points of the meters; another package adds one by registering there."""


class Row(NamedTuple):
    """One meter in the table of `trialwatt meters`."""

    meter: str
    available: bool
    reason: str
    domains: tuple[str, ...]


@dataclass
class Chosen:
    """The opened meters of a testbed. `headline` names the one that the figures use."""

    meters: dict[str, Meter]
    headline: str
    probes: dict[str, Probe]

    def facts(self) -> dict:
        """For the manifest (`meters`): every meter that the testbed names, available or not."""
        return {
            name: {
                "available": probe.available,
                "reason": probe.reason,
                "domains": [asdict(domain) for domain in probe.domains],
                "parameters": self.meters[name].parameters if name in self.meters else {},
            }
            for name, probe in self.probes.items()
        }

    def close(self) -> None:
        with ExitStack() as stack:  # each is closed even if another one fails to
            for meter in self.meters.values():
                stack.callback(meter.close)

    def __enter__(self) -> Chosen:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def probe_all(testbed: Testbed, power=None) -> dict[str, Probe]:
    """Every registered meter, whether the testbed names it or not.

    power: the coefficients that the testbed names: an entry of the power table, or
    PowerParameters as they were dumped into a record.
    """
    return {name: _probe(name, testbed, power) for name in _registered()}


def meters_table(testbed: Testbed, power=None) -> list[Row]:
    """The rows of `trialwatt meters`: the testbed's meters in its order, then the others."""
    probes = probe_all(testbed, power)
    order = [name for name in testbed.meters if name in probes]
    order += [name for name in probes if name not in order]
    return [
        Row(name, probe.available, probe.reason, tuple(d.name for d in probe.domains))
        for name in order
        for probe in [probes[name]]
    ]


def open_available(testbed: Testbed, power=None) -> Chosen:
    """Open every available meter that the testbed names; the first of them is the headline.

    Raises MeterError if the testbed names an unknown meter, or only unavailable ones.
    """
    known = _registered()
    unknown = [name for name in testbed.meters if name not in known]
    if unknown:
        raise MeterError(
            f"meters: there is no meter {', '.join(map(repr, unknown))}; "
            f"registered are: {', '.join(known)}"
        )
    probes = {name: _probe(name, testbed, power) for name in testbed.meters}
    if not any(probe.available for probe in probes.values()):
        reasons = "\n".join(f"  {name}: {probe.reason}" for name, probe in probes.items())
        raise MeterError(
            "meters: none of the testbed's meters is available here:\n"
            f"{reasons}\nAdd `model` to the testbed's meters for modelled energy."
        )
    meters: dict[str, Meter] = {}
    with ExitStack() as stack:
        for name, probe in probes.items():
            if probe.available:
                meters[name] = known[name].load().open(testbed, PowerParameters.of(power))
                stack.callback(meters[name].close)
        stack.pop_all()  # all are open: the caller closes them
    return Chosen(meters, next(iter(meters)), probes)


def _registered() -> dict:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP))}


def _probe(name: str, testbed: Testbed, power) -> Probe:
    try:
        meter = _registered()[name].load()
    except ImportError as error:
        return Probe(False, f"its module cannot be imported: {error}")
    return meter.probe(testbed, PowerParameters.of(power))
