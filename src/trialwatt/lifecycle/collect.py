"""`trialwatt collect`: ask meters again that had nothing to say when a run was over."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trialwatt.clock import Stamp, now
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.lifecycle.execute import PROJECT
from trialwatt.meters import kind_of
from trialwatt.meters.base import Domain, MeterError, Past
from trialwatt.meters.choose import headline_domains
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.model import PowerModel
from trialwatt.meters.sample_files import write_collected
from trialwatt.metrics.formulas import MB_PER_GB
from trialwatt.metrics.readings import covered, percent, silences
from trialwatt.provenance.chain import code_version
from trialwatt.provenance.foreign import read_json
from trialwatt.records.later import (
    COLLECTED,
    INSTEAD,
    holder_of_collected,
    power_file,
    readings_beside,
)
from trialwatt.records.manifest import MANIFEST, rewrite_manifest
from trialwatt.records.reader import read_run
from trialwatt.records.samples import read_power
from trialwatt.records.sealed import RecordFile, seal_as
from trialwatt.records.testbed_facts import idle_of

_PLACES = ("runs/*/*/rep*", "scouts/*/*", "warm-ups/*/*")
COMMAND = "trialwatt collect"


def collect_command(results: Path, address: str | None = None, instead: str | None = None) -> str:
    """Fetch what is missing of the runs of a results folder; returns a line per run that changed.

    address: of the server, if it is not where the runs' testbed says. instead: the meter that is to
    be the headline of a run whose headline has no readings, even now. Raises TrialwattError, after
    all have been looked at, where the energy of a run stays unknown, or a meter cannot be asked.
    """
    found = (file for place in _PLACES for file in results.glob(f"{place}/{MANIFEST}"))
    folders = sorted(file.parent for file in found)
    if not folders:
        raise TrialwattError(f"{results}: no results folder, there are no runs in it")
    said, faults = list[str](), list[str]()
    for folder in folders:
        name = folder.relative_to(results).as_posix()
        try:
            run = _Run(results, folder)
            said += [f"{name}: {line}" for line in run.collect(address)]
            said += [f"{name}: {line}" for line in run.choose(instead)]
            faults += (f"{name}: {line}" for line in run.faults)
        except TrialwattError as error:  # its records cannot be used; others' can
            faults.append(f"{name}: {error}")
    if faults:
        raise TrialwattError("\n".join([*said, *faults]))
    return "\n".join(said) or f"nothing is missing in {len(folders)} runs"


class _Lack(NamedTuple):
    """What a run lacks of a meter's readings: the share of its time that is a gap (1 where it has
    none, or one alone, of which no energy follows), and how long before its end they end."""

    share: float
    tail_s: float

    def __str__(self) -> str:
        tail = f" and its last {self.tail_s:.1f} s" if self.tail_s and self.share < 1 else ""
        return f"{percent(self.share)} % of the run{tail}"


_PERIODS = 1.1
"""By so many, the last reading may lie before a run's end, however late a server is asked."""
_ALL, _NOTHING = _Lack(1.0, math.inf), _Lack(0.0, 0.0)


class _Run:
    """A finished run. faults: what keeps its energy unknown, a sentence each."""

    def __init__(self, results: Path, folder: Path):
        self._results, self._folder = results, folder
        self._records = read_run(folder)
        self.faults: list[str] = []

    @property
    def _manifest(self) -> dict[str, Any]:
        return self._records.manifest

    def collect(self, address: str | None) -> Iterator[str]:
        """Ask again each meter that is asked after a run, where some of its readings are missing;
        says what came of it."""
        for meter, facts in (self._manifest.get("meters") or {}).items():
            kind = kind_of(meter)
            if not facts.get("available", True) or kind is None or kind.sampled:
                continue
            before = self._lack(meter, power_file(self._folder, self._manifest, meter))
            if before == _NOTHING:
                continue
            try:
                after = self._ask(meter, address, before)
            except MeterError as error:
                self.faults.append(str(error))
                continue
            if after < before:
                yield f"{meter}: had no readings of {before}, now of {after}"

    def choose(self, instead: str | None) -> Iterator[str]:
        """Make another meter the headline where that has no readings; says so, or what to do."""
        manifest = self._manifest
        own = list(manifest.get("headline_domains") or {})
        mute = [name for name in own if not self._has_readings(name)]
        if not mute:
            return
        beside = readings_beside(self._folder, manifest)
        if instead is None or instead not in beside:
            there = "and no other meter has any"
            if beside:
                there = f"{', '.join(beside)} has some ({COMMAND} --instead {beside[0]})"
            self.faults.append(f"{', '.join(mute)} has no readings of it; {there}")
            return
        given: dict[str, Sequence[Domain]] = {}
        for name in self._records.config.testbed.meters:
            use = instead if name == mute[0] else name
            if use in manifest["meters"] and use not in mute and self._has_readings(use):
                given.setdefault(use, [_domain(d) for d in manifest["meters"][use]["domains"]])
        accelerators = self._records.config.workload.workers.accelerator != "cpu"
        chosen = headline_domains(given, accelerators)
        facts = {
            "of": "+".join(own),
            **_on_record(f"{COMMAND} --instead {instead}"),
            "headline_meter": "+".join(chosen),
            "headline_domains": chosen,
            "idle": self._idle(chosen),
        }
        rewrite_manifest(self._folder, {INSTEAD: facts}, {})
        self.faults.clear()
        yield f"its energy is that of {'+'.join(chosen)}, as {', '.join(mute)} has no readings"

    # --- readings -------------------------------------------------------------------------------

    def _ask(self, meter: str, address: str | None, before: _Lack) -> _Lack:
        """Put what the meter gives now into the run, where it is more than it has; returns what is
        lacking then. Raises MeterError where it cannot be asked."""
        kind, facts = kind_of(meter), self._manifest["meters"][meter]
        assert kind is not None
        start, end = self._span()
        past = Past(start, facts.get("parameters") or {}, address)
        asked = kind.open_past(self._records.config.testbed, past)
        try:
            there = {domain.name for domain in asked.domains}
            if lost := [d["name"] for d in facts["domains"] if d["name"] not in there]:
                raise MeterError(f"{meter}: has no {', '.join(lost)} any more")
            found = asked.collect(start, end)
            with tempfile.TemporaryDirectory(prefix="trialwatt-") as place:
                write_collected(Path(place), meter, asked, found)
                samples = Path(place, "samples")
                after = self._lack(meter, samples / f"power-{meter}.csv", asked.parameters)
                if after >= before:
                    return before
                holder = holder_of_collected(meter)
                seal_as(self._folder / holder, samples)
        finally:
            asked.close()
        raw = read_json(self._folder / MANIFEST)
        assert isinstance(raw, dict)
        known = _on_record(COMMAND) | {"parameters": asked.parameters, "notes": found.notes}
        added = {COLLECTED: (raw.get(COLLECTED) or {}) | {meter: known}}
        if meter in (raw.get("headline_domains") or {}):
            added[INSTEAD] = None
        rewrite_manifest(self._folder, added, {holder: sha256(self._folder / holder)})
        self._records = read_run(self._folder)
        return after

    def _span(self) -> tuple[Stamp, Stamp]:
        """The run's first and last moment, on the two clocks that it had."""
        steps = [event for event in self._records.events if event["kind"] == "step"]
        return Stamp(steps[0]["t"], steps[0]["m"]), Stamp(steps[-1]["t"], steps[-1]["m"])

    def _has_readings(self, meter: str) -> bool:
        return self._lack(meter, power_file(self._folder, self._manifest, meter)).share < 1

    def _lack(
        self, meter: str, file: RecordFile, parameters: Mapping[str, Any] | None = None
    ) -> _Lack:
        """Of the domain that lacks most; parameters: of the meter, where not as on record."""
        facts = self._manifest["meters"][meter]
        parameters = facts.get("parameters") or {} if parameters is None else parameters
        period_s = parameters.get("period_s") or 1 / self._records.config.testbed.sample_hz
        if not file.is_file():
            return _ALL
        power, _ = read_power(file, {d["name"]: d["unit"] for d in facts["domains"]})
        first, last = self._records.window
        found = [_NOTHING]
        for values in power.values.values():
            times = power.times_ns[~np.isnan(values)]
            if len(times) < 2 or times[0] >= last or times[-1] <= first:
                return _ALL
            share = covered(silences(times, (first, last), period_s * 1e9)) / (last - first)
            tail_s = (last - times[-1]) / 1e9
            found.append(_Lack(share, tail_s if tail_s > _PERIODS * period_s else 0.0))
        return max(found)

    def _idle(self, chosen: dict[str, list[str]]) -> dict[str, Any]:
        place = self._results / "testbeds" / f"{self._records.config.testbed_name}.json"
        facts, host = read_json(place), self._manifest["host"]
        assert isinstance(facts, dict)
        power = PowerParameters.of(facts["power"])
        defined = {}
        if PowerModel.name in chosen and power is not None:
            model = PowerModel(power, self._records.config.testbed.accelerator_board_w)
            watts = model.idle_watts(host["cores"], host["memory_mb"] / MB_PER_GB)
            defined = {PowerModel.name: watts}
        return idle_of(facts["idle"], chosen, defined)


def _on_record(command: str) -> dict[str, Any]:
    return {"utc_ns": now().utc_ns, "command": command, "code": code_version(PROJECT)}


def _domain(facts: Mapping[str, Any]) -> Domain:
    known = {key: facts[key] for key in Domain.__dataclass_fields__ if key in facts}
    return Domain(**known)
