"""Which meters work here, which of them a testbed uses, and which domains make up the headline."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

from trialwatt.clock import Stamp
from trialwatt.config.models import Testbed
from trialwatt.meters import GROUP
from trialwatt.meters.base import NO_LABELS, Domain, Meter, MeterError, Probe
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.sample_files import write_collected

_GAP = "  "
_LEAST = 30  # columns for a sentence, however narrow the terminal is


class MeterUse(NamedTuple):
    """One meter in the table of `trialwatt meters`.

    use: "headline" (the figures use it), "recorded" (beside it), "not named" by the testbed, or
    "missing" here; reason: why, or what a reader of its figures should know.
    """

    meter: str
    use: str
    reason: str
    domains: tuple[str, ...]


@dataclass
class Chosen:
    """The opened meters of a testbed.

    headline_domains: meter → the domains that the figures use.
    """

    meters: dict[str, Meter]
    headline_domains: dict[str, list[str]]
    probes: dict[str, Probe]
    _said: dict[str, list[str]] = field(default_factory=dict)
    _away: dict[str, str] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The meters that the figures use, joined by +: one, or one more for accelerators."""
        return "+".join(self.headline_domains)

    @property
    def errors(self) -> list[str]:
        """Of meters that are asked afterwards: what could not be had, and what is worth knowing."""
        return [text for said in self._said.values() for text in said]

    @property
    def missing(self) -> str:
        """Which meters of the headline had nothing when they were last asked, and what to do: one
        line for the user; empty where none."""
        away = [why for name, why in self._away.items() if name in self.headline_domains]
        if not away:
            return ""
        return (
            f"energy of this run is not known, or not to its end: {', '.join(away)}; once it can "
            "be asked again, `trialwatt collect RESULTS` fetches what is missing"
        )

    def collect(
        self,
        folder: Path,
        start: Stamp,
        end: Stamp,
        labels: Mapping[str, str] = NO_LABELS,
        settle: bool = False,
    ) -> None:
        """Have the meters that are not sampled write their samples of this time.

        May be called again for a later end; a call that fails leaves what an earlier one wrote,
        and is remembered in `errors`. labels: Platform.series_labels of the run. settle: wait
        until the readings of `end` are there.
        """
        later = {name: meter for name, meter in self.meters.items() if not meter.sampled}
        for name, meter in later.items():
            if settle:
                passed_s = (time.monotonic_ns() - end.mono_ns) / 1e9
                time.sleep(max(0.0, meter.settle_s - passed_s))
            try:
                collected = meter.collect(start, end, labels)
                write_collected(folder, name, meter, collected)
                self._said[name] = collected.notes
                self._away.pop(name, None)
            except MeterError as error:
                self._away[name] = str(error)
                self._said[name] = [*self._said.get(name, []), str(error)]

    def facts(self) -> dict:
        """For the manifest (`meters`): every meter that the testbed names, available or not."""
        return {
            name: {
                "available": probe.available,
                "reason": probe.reason,
                "domains": [d.facts() for d in (meter.domains if meter else probe.domains)],
                "parameters": meter.parameters if meter else {},
            }
            for name, probe in self.probes.items()
            for meter in [self.meters.get(name)]
        }

    def defined_idle(self, cores: float, memory_gb: float) -> dict[str, dict[str, float] | None]:
        """Meter → its idle watts by definition for a machine of this size; None: measured."""
        return {name: meter.idle_watts(cores, memory_gb) for name, meter in self.meters.items()}

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


def meters_table(testbed: Testbed, power=None) -> list[MeterUse]:
    """The rows of `trialwatt meters`: the testbed's meters in its order, then the others."""
    probes = probe_all(testbed, power)
    named = [name for name in testbed.meters if name in probes]
    there = {name: probes[name].domains for name in named if probes[name].available}
    try:
        headline = headline_domains(there, accelerators=True)
    except MeterError:  # said again, with the reason, by whoever wants to measure
        headline = {}

    def use(name: str) -> str:
        if not probes[name].available:
            return "missing"
        if name not in named:
            return "not named"
        return "headline" if name in headline else "recorded"

    order = named + [name for name in probes if name not in named]
    return [
        MeterUse(name, use(name), probes[name].reason, tuple(d.name for d in probes[name].domains))
        for name in order
    ]


def open_available(testbed: Testbed, power=None, accelerators: bool = False) -> Chosen:
    """Open every available meter that the testbed names, and say which give the headline.

    accelerators: whether the run's workers hold some (see headline_domains). Raises
    MeterError if the testbed names an unknown meter, or none that works and measures processors.
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
        domains = {name: meter.domains for name, meter in meters.items()}
        chosen = Chosen(meters, headline_domains(domains, accelerators), probes)
        stack.pop_all()  # all are open: the caller closes them
    return chosen


def _registered() -> dict:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP))}


def _probe(name: str, testbed: Testbed, power) -> Probe:
    try:
        meter = _registered()[name].load()
    except ImportError as error:
        return Probe(False, f"its module cannot be imported: {error}")
    return meter.probe(testbed, PowerParameters.of(power))


_HEAD = MeterUse("meter", "use", "what to know", ("domains",))


def listed(rows: Sequence[MeterUse], width: int) -> str:
    """Aligned columns; a long sentence goes on below itself. width: columns of the terminal."""
    table = [(r.meter, r.use, ", ".join(r.domains) or "-", r.reason or "-") for r in (_HEAD, *rows)]
    widths = [max(len(line[column]) for line in table) for column in range(3)]
    margin = sum(widths) + len(_GAP) * 3
    lines = []
    for *cells, reason in table:
        parts = [cell.ljust(size) for cell, size in zip(cells, widths, strict=True)]
        said = textwrap.wrap(reason, max(_LEAST, width - margin), break_on_hyphens=False)
        lines.append(_GAP.join([*parts, said[0]]))
        lines += [" " * margin + more for more in said[1:]]
    return "\n".join(lines)


def headline_domains(
    meters: Mapping[str, Sequence[Domain]], accelerators: bool
) -> dict[str, list[str]]:
    """Meter → the domains of it that are added up; no part of the machine is counted twice.

    Definition: docs/methodology, rule 3.

    meters: the available ones, in the testbed's order. The first that measures processors gives
    processors and memory; with `accelerators` (the run's workers hold some), the first that
    measures accelerators gives those. Raises MeterError where no meter measures processors: the
    figures would leave most of a job out.
    """
    machine = _first(meters, lambda domain: domain.resource == "cpu")
    if machine is None:
        raise MeterError(
            f"meters: {', '.join(meters)} measure no processors, and a job's energy without them "
            "would be wrong. Add `model` to the testbed's meters for modelled energy."
        )
    parts = [(machine, ("cpu", "memory"))]
    boards = _first(meters, lambda domain: domain.resource == "accelerator")
    if accelerators and boards is not None:
        parts.append((boards, ("accelerator",)))
    chosen: dict[str, list[str]] = {}
    for meter, resources in parts:
        names = [d.name for d in meters[meter] if d.counts and d.resource in resources]
        chosen.setdefault(meter, []).extend(names)
    names = [name for part in chosen.values() for name in part]
    if len(set(names)) < len(names):
        raise MeterError(
            f"meters: {' and '.join(chosen)} have domains of the same name "
            f"({', '.join(sorted({n for n in names if names.count(n) > 1}))}); rename the query"
        )
    return chosen


def _first(meters: Mapping[str, Sequence[Domain]], wanted) -> str | None:
    return next(
        (name for name, domains in meters.items() if any(d.counts and wanted(d) for d in domains)),
        None,
    )
