"""What turns reservations into money and energy into carbon: prices, intensity, PUE, target."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trialwatt.config.carbon_series import base_step_ns, ends_ns, read_series
from trialwatt.errors import TrialwattError

_FEW = 3
"""Holes of a series that are named."""


@dataclass(frozen=True)
class IntensitySeries:
    """Carbon intensity over time: g_per_kwh[i] holds from utc_ns[i] to ends_utc_ns[i], the next row
    or one step of the series (docs/methodology, rule 9).

    lines: those of the rows in the file `source`, where they come from one.
    """

    utc_ns: np.ndarray
    g_per_kwh: np.ndarray
    source: str
    lines: np.ndarray | None = None

    @cached_property
    def ends_utc_ns(self) -> np.ndarray:
        return ends_ns(self.utc_ns)

    @property
    def end_utc_ns(self) -> int:
        return int(self.ends_utc_ns[-1])

    def require(self, start_utc_ns: int, end_utc_ns: int) -> None:
        """Raises TrialwattError unless the series covers this time, from its start to its end."""
        if start_utc_ns < self.utc_ns[0] or end_utc_ns > self.end_utc_ns:
            raise TrialwattError(
                f"{self.source}: covers {_utc(self.utc_ns[0])} to {_utc(self.end_utc_ns)}, but the "
                f"run lasted from {_utc(start_utc_ns)} to {_utc(end_utc_ns)}; add the missing rows"
            )
        until, following = self.ends_utc_ns[:-1], self.utc_ns[1:]
        unknown = (until < following) & (until < end_utc_ns) & (following > start_utc_ns)
        if len(holes := np.flatnonzero(unknown)):
            said = "; ".join(self._hole(int(at)) for at in holes[:_FEW])
            more = f" (and {len(holes) - _FEW} more)" if len(holes) > _FEW else ""
            step_s = base_step_ns(self.utc_ns) / 1e9
            raise TrialwattError(
                f"{self.source}: {said}{more}: a value holds for one step of the series, "
                f"{step_s:g} s, and the run lasted from {_utc(start_utc_ns)} to "
                f"{_utc(end_utc_ns)}; add the missing rows"
            )

    def _hole(self, at: int) -> str:
        between = f"{_utc(self.ends_utc_ns[at])} to {_utc(self.utc_ns[at + 1])}"
        if self.lines is None:
            return f"has no value from {between}"
        return f"lines {self.lines[at]} to {self.lines[at + 1]}: has no value from {between}"


@dataclass(frozen=True)
class MetricsContext:
    """Plain values of the price and carbon tables. Raises TrialwattError where one cannot be.

    price_per_cpu_h: of a physical vCPU-hour; price_per_gb_h: of 2**30 bytes for an hour;
    intensity: g/kWh, a number or a series. targets: goal's target per dataset, used where the
    workload sets none.
    """

    price_per_cpu_h: float
    price_per_gb_h: float
    currency: str
    price_date: str
    intensity: float | IntensitySeries
    region: str
    carbon_year: int
    pue: float = 1.0
    targets: Mapping[str, float] = field(default_factory=dict)
    price_per_accelerator_h: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        amounts = {
            "price_per_cpu_h": self.price_per_cpu_h,
            "price_per_gb_h": self.price_per_gb_h,
            **{f"price_per_accelerator_h.{k}": v for k, v in self.price_per_accelerator_h.items()},
        }
        if not isinstance(self.intensity, IntensitySeries):
            amounts["intensity"] = self.intensity
        for name, value in amounts.items():
            if value is None or not math.isfinite(value) or value < 0:
                raise TrialwattError(f"{name}: must be a number of at least 0 (got {value})")
        if not math.isfinite(self.pue) or self.pue < 1:
            raise TrialwattError(f"pue: must be at least 1 (got {self.pue})")

    @classmethod
    def of(cls, planned: Mapping[str, Any], series: Iterable[str | Path] = ()) -> MetricsContext:
        """From a plan's context (config.plan_parts.Context), as plain data.

        series: the file of its carbon series, one or none. Raises TrialwattError where it cannot be
        read.
        """
        values = dict(planned)
        for file in series:
            values["intensity"] = read_intensity(Path(file))
        return cls(**values)


def read_intensity(path: Path) -> IntensitySeries:
    """A user's carbon intensity (see config.carbon_series). Raises TrialwattError as that does."""
    times, values, lines = read_series(path)
    starts = np.array(times, np.int64)
    return IntensitySeries(starts, np.array(values), Path(path).name, np.array(lines))


def _utc(ns: int) -> str:
    moment = datetime.datetime.fromtimestamp(int(ns) / 1e9, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
