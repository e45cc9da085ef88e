"""What the prometheus meter asks: PromQL of the presets, and of the user's own queries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from trialwatt.meters.base import Method
from trialwatt.meters.prometheus_options import Cadvisor, Prometheus, PrometheusQuery

_UNITS = {
    "joules": ("uj", 1e6),
    "millijoules": ("uj", 1e3),
    "microjoules": ("uj", 1.0),
    "watts": ("w", 1.0),
    "milliwatts": ("w", 1e-3),
    "microwatts": ("w", 1e-6),
}


_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`")
_RANGE = re.compile(r"(?:([A-Za-z_]\w*)\s*\(\s*)?[\w:]*(?:\{[^}]*\})?\s*\[([^\]:]+)(?::[^\]]*)?\]")
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_OF_TWO = ("irate", "idelta", "last_over_time")
"""They look at the last readings of their range only."""
_SMOOTH_PERIODS = 2


@dataclass(frozen=True)
class Query:
    """One thing to ask for.

    value, time: PromQL of the readings, and of the moments (UTC seconds) at which they were made.
    factor: what turns a value into the domain's unit. by: the label whose values are domains of
    their own; None: there may be one series only. optional: its absence is a note, no fault.
    """

    name: str
    value: str
    time: str
    unit: str  # "uj" or "w"
    factor: float
    resource: str
    method: Method
    by: str | None = None
    optional: bool = False


def queries_of(config: Prometheus) -> list[Query]:
    """The preset's queries, and the user's own after them; a name of both is the user's."""
    found = {query.name: query for query in _PRESETS[config.preset](config.match)}
    found |= {name: _own(name, query) for name, query in config.queries.items()}
    return list(found.values())


def smoothing_note(query: Query, period_s: float) -> str:
    """What is to be known of power that is a mean over the past; empty where it is not known to be.

    A counter of joules tells the energy between two readings exactly; a mean over a range lags
    behind by half of it, and a short run fades in it. What a recording rule does is not seen here.
    """
    if query.unit == "uj":
        return ""
    text = _QUOTED.sub("", query.value)
    spans = [_seconds(span) for function, span in _RANGE.findall(text) if function not in _OF_TWO]
    advice = "ask for the raw counter of joules"
    if spans and (longest := max(spans)) > _SMOOTH_PERIODS * period_s:
        return (
            f"{query.name} is no counter but a mean over {longest:g} s, more than "
            f"{_SMOOTH_PERIODS} periods of {period_s:g} s: its power lags and fades; {advice}"
        )
    if re.search(r"[A-Za-z_]\w*:\w+", re.sub(r"\[[^\]]*\]", "", text)):
        return f"{query.name} is of a recording rule, which may lag and fade: {advice}"
    return ""


def _seconds(duration: str) -> float:
    return sum(int(count) * _SECONDS[unit] for count, unit in _DURATION.findall(duration))


def cadvisor_queries(config: Cadvisor, labels: Mapping[str, str]) -> tuple[str, str]:
    """PromQL of each component's CPU seconds and of its bytes in memory.

    labels: what tells the run's containers from others' (every run has a pod `worker-0-1`); the
    testbed's `match` has the last word, for a server that renames labels.
    In a pod, cAdvisor lists the containers, their sandbox and the pod itself as well: only the
    containers are added up.
    """
    matchers = [f'{config.component}!=""']
    if config.component in ("pod", "container"):
        matchers += ['container!=""', 'container!="POD"']
    inside = ",".join([*matchers, *_matchers({**labels, **config.match})])
    metrics = ("container_cpu_usage_seconds_total", "container_memory_working_set_bytes")
    cpu, memory = (f"sum by ({config.component}) ({metric}{{{inside}}})" for metric in metrics)
    return cpu, memory


def _kepler(match: Mapping[str, str]) -> list[Query]:
    """Kepler 0.11: one zone each. Zones hold one another (psys the packages): never added up."""
    metric = "kepler_node_cpu_joules_total"
    return [
        _selected("package", _selector(metric, {"zone": "package"} | match), "joules", "cpu"),
        _selected(
            "dram", _selector(metric, {"zone": "dram"} | match), "joules", "memory", optional=True
        ),
    ]


def _scaphandre(match: Mapping[str, str]) -> list[Query]:
    """Scaphandre 1.0: the host's counter, in microjoules."""
    selector = _selector("scaph_host_energy_microjoules", match)
    return [_selected("host", selector, "microjoules", "cpu")]


def _dcgm(match: Mapping[str, str]) -> list[Query]:
    """The DCGM exporter: each device's counter, in millijoules.

    The exporter lists a device once per MIG instance, and under other labels when it is given to
    another pod, each time with the device's own counter: the highest is the newest.
    """
    selector = _selector("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", match)
    unit, factor = _UNITS["millijoules"]
    device = "max by (Hostname, gpu)"
    return [
        Query(
            name="gpu",
            value=f"{device} ({selector})",
            time=f"{device} (timestamp({selector}))",
            unit=unit,
            factor=factor,
            resource="accelerator",
            method="counter",
            by="gpu",
        )
    ]


_PRESETS = {
    "kepler": _kepler,
    "scaphandre": _scaphandre,
    "dcgm": _dcgm,
    "custom": lambda match: [],
}


def _own(name: str, query: PrometheusQuery) -> Query:
    found = _selected(name, query.query, query.unit, query.resource)
    method = query.method or found.method
    return Query(**vars(found) | {"method": method, "by": query.by})


def _selected(name: str, value: str, unit: str, resource: str, optional: bool = False) -> Query:
    short, factor = _UNITS[unit]
    return Query(
        name=name,
        value=value,
        time=f"timestamp({value})",
        unit=short,
        factor=factor,
        resource=resource,
        method="counter" if short == "uj" else "polled",
        optional=optional,
    )


def _selector(metric: str, match: Mapping[str, str]) -> str:
    return f"{metric}{{{','.join(_matchers(match))}}}"


def _matchers(match: Mapping[str, str]) -> list[str]:
    quoted = {k: v.replace("\\", "\\\\").replace('"', '\\"') for k, v in match.items()}
    return [f'{label}="{value}"' for label, value in quoted.items()]
