"""Readable scales and words for what stands on axes and in tables."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from trialwatt.metrics.dictionary import metric


class Scale(NamedTuple):
    """Multiply a value by `factor` and call it `unit`."""

    factor: float
    unit: str


_ENERGY_KWH = (Scale(1, "kWh"), Scale(1e3, "Wh"), Scale(1e6, "mWh"), Scale(1e9, "µWh"))
_TIME_MS = (Scale(1 / 3.6e6, "h"), Scale(1 / 6e4, "min"), Scale(1e-3, "s"), Scale(1, "ms"))
_CARBON_G = (
    Scale(1e-3, "kgCO₂eq"),
    Scale(1, "gCO₂eq"),
    Scale(1e3, "mgCO₂eq"),
    Scale(1e6, "µgCO₂eq"),
)


def energy(kwh: Iterable[float]) -> Scale:
    """For energies given in kWh."""
    return _readable(kwh, _ENERGY_KWH)


def duration(ms: Iterable[float]) -> Scale:
    """For times given in ms. Minutes and hours only from two of them on."""
    return _readable(ms, _TIME_MS, least=2)


def carbon(g: Iterable[float]) -> Scale:
    """For masses given in gCO2eq."""
    return _readable(g, _CARBON_G)


def money(amounts: Iterable[float], currency: str) -> Scale:
    """For amounts given in `currency`; small ones in thousandths or millionths of it."""
    scales = (Scale(1, currency), Scale(1e3, f"10⁻³ {currency}"), Scale(1e6, f"10⁻⁶ {currency}"))
    return _readable(amounts, scales)


def of_column(name: str, values: Iterable[float], runs: pd.DataFrame) -> Scale:
    """For values of a column of the runs table (metrics.dictionary), by its quantity."""
    column = metric(name)
    if column.quantity in _READABLE:
        return _READABLE[column.quantity](values)
    if column.quantity == "cost":
        return money(values, currency(runs))
    if column.quantity == "share":
        return Scale(100, "%")
    return Scale(1, "" if column.quantity == "count" else column.unit.replace("CO2", "CO₂"))


_READABLE = {"energy": energy, "time": duration, "carbon": carbon}


def currency(runs: pd.DataFrame) -> str:
    """The currency of all costs; several, should tables have been mixed, are all named."""
    known = runs["currency"].dropna() if "currency" in runs else []
    return "/".join(sorted({str(c) for c in known if c})) or "currency unknown"


def head(name: str, scale: Scale, runs: pd.DataFrame) -> str:
    """What stands in brackets after a quantity: its unit, and whether it is modelled."""
    words = [scale.unit] if scale.unit else []
    words += ["modelled"] if metric(name).from_energy and is_modelled(runs["energy_method"]) else []
    return ", ".join(words)


def number(value: float) -> str:
    """Three significant digits, without an exponent where that can be read."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if -4 <= size < 6:
        return f"{value:.{max(0, 2 - size)}f}"
    return f"{value:.2e}"


def methods(values: Iterable) -> str:
    """Energy methods of some rows as words: "modelled"; of "counter+modelled" both."""
    texts = {value for value in values if isinstance(value, str) and value}
    names = sorted({name for text in texts for name in text.split("+")})
    return " and ".join(names) if names else "method unknown"


def is_modelled(values: Iterable) -> bool:
    """Whether any of these energies is modelled, if only in part."""
    return "modelled" in methods(values)


def spread(values: Iterable[float]) -> str:
    """ "0.5" where all are equal, "0.25–2" otherwise, "?" where nothing is known."""
    known = sorted({float(v) for v in values if v is not None and not math.isnan(v)})
    if not known:
        return "?"
    return f"{known[0]:g}" if len(known) == 1 else f"{known[0]:g}–{known[-1]:g}"


def column(frame: pd.DataFrame, name: str) -> pd.Series:
    """A numeric column; all NaN where the table does not have it."""
    if name not in frame:
        return pd.Series(math.nan, index=frame.index, name=name)
    return pd.to_numeric(frame[name], errors="coerce")


def _readable(values: Iterable[float], scales: tuple[Scale, ...], least: float = 1) -> Scale:
    """The coarsest scale on which the largest value is at least `least`."""
    sizes = [abs(v) for v in values if v is not None and math.isfinite(v)]
    largest = max(sizes, default=0)
    if largest == 0:
        return scales[0] if least == 1 else scales[2]
    for scale in scales:
        if largest * scale.factor >= least:
            return scale
    return scales[-1]
