"""Energy that others have measured: a Prometheus with Kepler, Scaphandre or the DCGM exporter.

Nothing is read while the run lasts; range queries fetch the readings afterwards.
"""

from __future__ import annotations

import itertools
import math
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import get_args

from pydantic import ValidationError

from trialwatt.clock import Stamp, now
from trialwatt.config.models import Testbed
from trialwatt.meters.base import (
    NO_LABELS,
    Collected,
    Domain,
    MachineLoad,
    Meter,
    MeterError,
    Method,
    Past,
    Probe,
)
from trialwatt.meters.prometheus_api import Clock, PrometheusApi, Series
from trialwatt.meters.prometheus_options import Prometheus
from trialwatt.meters.promql import Query, cadvisor_queries, queries_of, smoothing_note

CLOCK_WARNING_S = 1.0
_BEFORE = 2  # steps before the start, so that a reading lies on either side of it
_INGESTED_S = 1.0  # the server may still be adding what it scraped so recently


@dataclass(frozen=True)
class _Asked:
    """A query, and the domains that its series are: value of the label `by` → domain."""

    query: Query
    domains: dict[str, Domain]

    def domain_of(self, series: Series) -> Domain | None:
        return self.domains.get(series.labels.get(self.query.by, "") if self.query.by else "")


@dataclass
class _Point:
    """What is known at one moment of the server: domain → (moment of the reading, raw value)."""

    readings: dict[str, tuple[float, float]] = field(default_factory=dict)
    doubled: set[str] = field(default_factory=set)


class PrometheusMeter(Meter):
    """One domain per query, or per value of its label `by`.

    Rows carry the moments at which the exporter was scraped, moved onto our clock by the offset
    that was measured; a step for which the server has nothing is a row without values.
    """

    name = "prometheus"
    packages = ("requests",)
    methods = MappingProxyType(dict.fromkeys(("uj", "w"), get_args(Method)))
    sampled = False

    def __init__(self, config: Prometheus, api: PrometheusApi, asked: list[_Asked], clock: Clock):
        self._config, self._api, self._asked = config, api, asked
        self._clock, self._period_s, self._is_past = clock, config.step_s, False
        self.settle_s = config.step_s + _INGESTED_S

    @classmethod
    def method_of(cls, domain: str, unit: str, testbed: Mapping) -> Method | None:
        """That of the testbed's query whose domain it is."""
        try:
            queries = queries_of(Prometheus.model_validate(testbed.get("prometheus")))
        except ValidationError:
            return None
        own = [q for q in queries if domain == q.name or (q.by and domain.startswith(f"{q.name}-"))]
        return max(own, key=lambda query: len(query.name)).method if own else None

    @classmethod
    def testbed_problems(cls, testbed: Testbed) -> list[tuple[str, str]]:
        if testbed.options(Prometheus) is not None:
            return []
        message = "prometheus needs the section `prometheus`, which says which server to ask"
        return [("", message)]

    @classmethod
    def probe(cls, testbed, power=None) -> Probe:
        """Available where the server answers and each query gives what can be a domain."""
        try:
            meter, notes = _open(testbed)
        except MeterError as error:
            return Probe(False, str(error))
        meter.close()
        return Probe(True, "; ".join(notes), meter.domains)

    @classmethod
    def open(cls, testbed, power=None) -> PrometheusMeter:
        try:
            return _open(testbed)[0]
        except MeterError as error:
            raise MeterError(f"prometheus: {error}") from error

    @classmethod
    def open_past(cls, testbed, past: Past) -> PrometheusMeter:
        """See Meter.open_past. The server's clock is taken as it was measured then; of cAdvisor
        nothing is asked, for what tells the run's containers is gone."""
        try:
            config = _config(testbed).model_dump() | {"cadvisor": None}
            if past.address:
                config["url"] = past.address
            config = Prometheus.model_validate(config)
            offset_s = float(past.parameters.get("clock_offset_s") or 0.0)
            clock = Clock(offset_s, float(past.parameters.get("clock_round_trip_s") or 0.0))
            meter, _ = _connected(config, clock, past.start.utc_ns / 1e9 + offset_s)
        except ValidationError as error:
            raise MeterError(f"prometheus: {error.errors()[0]['msg']}") from error
        except MeterError as error:
            raise MeterError(f"prometheus: {error}") from error
        meter._is_past = True
        return meter

    @property
    def domains(self) -> tuple[Domain, ...]:
        return tuple(domain for asked in self._asked for domain in asked.domains.values())

    def read(self, load: MachineLoad) -> dict[str, float]:
        """Nothing: collect() has the readings."""
        return {}

    def collect(self, start: Stamp, end: Stamp, labels: Mapping[str, str] = NO_LABELS) -> Collected:
        """See Meter.collect. Rows begin some steps before the start and end when asked."""
        try:
            return self._collect(start, end, labels)
        except MeterError as error:
            raise MeterError(f"prometheus: {error}") from error

    def _collect(self, start: Stamp, end: Stamp, labels: Mapping[str, str]) -> Collected:
        notes = []
        if not self._is_past:
            self._clock = self._api.clock()
        if abs(self._clock.offset_s) > CLOCK_WARNING_S:
            notes.append(f"prometheus: {_clock_note(self._clock)}")
        step, offset = self._config.step_s, self._clock.offset_s
        first = round(start.utc_ns / 1e9 + offset - _BEFORE * step, 3)
        last = min(end.utc_ns / 1e9 + step, now().utc_ns / 1e9 - _INGESTED_S) + offset
        count = max(1, int((last - first + 1e-3) / step) + 1)
        points = self._points(first, count, notes)
        moved = _Moved(start, end, offset)
        rows = [(moved.stamp(at), values) for at, values in _rows(points, notes)]
        known = [stamp.mono_ns for stamp, values in rows if values]
        if not known:
            raise MeterError("the server has no reading of this run")
        if len(known) > 2:
            gaps = (b - a for a, b in itertools.pairwise(known))
            self._period_s = round(statistics.median(gaps) / 1e9, 3)
        notes += _smoothing([asked.query for asked in self._asked], self._period_s)
        usage = []
        if self._config.cadvisor:
            try:
                usage = self._usage(labels, first, count, moved)
            except MeterError as error:  # beside our own usage, nothing depends on it
                notes.append(f"prometheus: cadvisor: {error}")
        notes += self._api.warnings
        return Collected(rows, usage, notes)

    @property
    def parameters(self) -> dict:
        """What was asked, whom, how far apart the readings are, and the server's clock."""
        return {
            "url": self._config.url,
            "preset": self._config.preset,
            "queries": {asked.query.name: asked.query.value for asked in self._asked},
            "step_s": self._config.step_s,
            "period_s": self._period_s,
            "clock_offset_s": round(self._clock.offset_s, 4),
            "clock_round_trip_s": round(self._clock.round_trip_s, 4),
        }

    def close(self) -> None:
        self._api.close()

    def _points(self, first: float, count: int, notes: list[str]) -> dict[float, _Point]:
        """`count` steps from `first` on, with what each query gives there."""
        step = self._config.step_s
        points = {round(first + i * step, 3): _Point() for i in range(count)}
        for asked in self._asked:
            query, strangers = asked.query, set()
            values = self._api.range(query.value, first, count, step)
            times = {
                _key(series): dict(_rounded(series.points))
                for series in self._api.range(query.time, first, count, step)
            }
            for series in values:
                domain = asked.domain_of(series)
                if domain is None:
                    strangers.add(series.labels.get(query.by or "", ""))
                    continue
                when = times.get(_key(series), {})
                for at, value in _rounded(series.points):
                    point = points.get(at)
                    if point is None:
                        raise MeterError(f"{query.value}: answers for other moments than asked")
                    if domain.name in point.readings:
                        point.doubled.add(domain.name)
                    point.readings[domain.name] = (when.get(at, at), value * query.factor)
            for name in sorted(strangers):
                notes.append(
                    f"prometheus: {query.name}: {query.by}={name} was not there when the run "
                    "began and is not counted"
                )
        return points

    def _usage(self, labels: Mapping[str, str], first: float, count: int, moved: _Moved) -> list:
        """As cAdvisor has it. Raises MeterError where one of its metrics gives nothing."""
        label, found = self._config.cadvisor.component, {}
        for place, query in enumerate(cadvisor_queries(self._config.cadvisor, labels)):
            series_of = self._api.range(query, first, count, self._config.step_s)
            if not series_of:
                raise MeterError(f"{query} gives nothing")
            for series in series_of:
                for at, value in series.points:
                    if math.isfinite(value):
                        key = (at, series.labels.get(label, ""))
                        found.setdefault(key, [None, None])[place] = value
        return [
            (
                moved.stamp(at),
                component,
                None if cpu_s is None else round(cpu_s * 1e9),
                None if used is None else round(used),
            )
            for (at, component), (cpu_s, used) in sorted(found.items())
        ]


class _Moved:
    """Moments of the server on our two clocks."""

    def __init__(self, start: Stamp, end: Stamp, offset_s: float):
        self._start, self._offset = start, offset_s
        elapsed = end.utc_ns - start.utc_ns
        # Our own UTC may have been slewed during the run; the monotonic clock counts.
        self._pace = (end.mono_ns - start.mono_ns) / elapsed if elapsed > 0 else 1.0

    def stamp(self, server_s: float) -> Stamp:
        utc = round((server_s - self._offset) * 1e9)
        mono = self._start.mono_ns + round((utc - self._start.utc_ns) * self._pace)
        return Stamp(utc, mono)


def _config(testbed) -> Prometheus:
    config = testbed.options(Prometheus)
    if config is None:
        raise MeterError("the testbed has no section `prometheus` that says which server to ask")
    return config


def _open(testbed) -> tuple[PrometheusMeter, list[str]]:
    config = _config(testbed)
    meter, notes = _connected(config)
    return meter, [*notes, *_smoothing(queries_of(config), config.step_s)]


def _connected(
    config: Prometheus, clock: Clock | None = None, at_s: float | None = None
) -> tuple[PrometheusMeter, list[str]]:
    """A meter of what the server has at this moment, or had at one of its own that is past, and
    what is worth knowing of it. clock: as it is known; else it is measured."""
    api = PrometheusApi(config)
    try:
        clock = clock or api.clock()
        notes = [_clock_note(clock)] if abs(clock.offset_s) > CLOCK_WARNING_S else []
        asked = [_ask(api, query, notes, at_s) for query in queries_of(config)]
        names = [domain.name for one in asked for domain in one.domains.values()]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise MeterError(f"several series would be the domain {', '.join(twice)}; rename one")
        return PrometheusMeter(config, api, asked, clock), [*notes, *api.warnings]
    except BaseException:
        api.close()
        raise


def _smoothing(queries: Iterable[Query], period_s: float) -> list[str]:
    found = (smoothing_note(query, period_s) for query in queries)
    return [f"prometheus: {note}" for note in found if note]


def _ask(api: PrometheusApi, query: Query, notes: list[str], at_s: float | None) -> _Asked:
    """The domains that the query has at this moment, or had at that one."""
    series = api.series(query.value, at_s)
    if not series:
        if query.optional:
            notes.append(f"no {query.name}: {query.value} gives nothing")
            return _Asked(query, {})
        raise MeterError(f"{query.name}: {query.value} gives nothing; is the exporter scraped?")
    if query.by is None:
        if len(series) > 1:
            shown = "; ".join(_labels(one) for one in series[:3])
            raise MeterError(
                f"{query.name}: {query.value} gives {len(series)} series ({shown}), which must not "
                "be added blindly: narrow it (`match`), or name the label that tells them apart "
                "(`by`)"
            )
        return _Asked(query, {"": _domain(query, query.name)})
    values = [one.labels.get(query.by, "") for one in series]
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise MeterError(
            f"{query.name}: {query.value} gives several series whose {query.by} is "
            f'"{twice[0]}": narrow it (`match`), one machine at a time'
        )
    return _Asked(query, {v: _domain(query, f"{query.name}-{_plain(v)}") for v in sorted(values)})


def _domain(query: Query, name: str) -> Domain:
    return Domain(name, query.resource, query.unit, query.method)


def _rows(points: dict[float, _Point], notes: list[str]) -> Iterable[tuple[float, dict]]:
    """(moment of the server, values), one per scrape, and one without values per empty step.

    A step that finds the readings of the step before it says nothing new.
    """
    rows, before, doubled, latest = [], {}, {}, -math.inf
    for at, point in points.items():
        for name in point.doubled:
            doubled[name] = doubled.get(name, 0) + 1
        readings = {
            name: reading for name, reading in point.readings.items() if name not in point.doubled
        }
        moments = {name: when for name, (when, _) in readings.items()}
        if readings and moments == before:
            continue
        before = moments
        moment = max(moments.values(), default=at)
        if moment <= latest:  # an empty step lies after the last reading, unless clocks differ
            continue
        latest = moment
        rows.append((moment, {name: value for name, (_, value) in readings.items()}))
    for name, count in doubled.items():
        notes.append(
            f"prometheus: {count} readings of {name} came from several series at once: left empty"
        )
    return rows


def _rounded(points: list[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    return ((round(at, 3), value) for at, value in points)


def _key(series: Series) -> tuple:
    return tuple(sorted(series.labels.items()))


def _labels(series: Series) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(series.labels.items())) or "none"


def _plain(value: str) -> str:
    """A label's value as part of a column's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", value).strip("-") or "none"


def _clock_note(clock: Clock) -> str:
    side = "ahead of" if clock.offset_s > 0 else "behind"
    return (
        f"the server's clock is {abs(clock.offset_s):.2f} s {side} ours; its readings were moved "
        f"by that (known to ±{clock.round_trip_s / 2:.2f} s)"
    )
