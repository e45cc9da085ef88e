"""The dated tables that turn reservations into money and energy into carbon, with their sources."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from trialwatt.config.models import Model, Name, TableKey


def _real_day(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"must be a day such as 2026-01-31 (got {text!r})") from error
    return text


Day = Annotated[str, Field(json_schema_extra={"format": "date"}), AfterValidator(_real_day)]
"""An ISO date as text, so that a table stays plain JSON."""


def _three_letters(text: str) -> str:
    if not re.fullmatch(CURRENCY, text):
        raise ValueError(f"must be the three letters of a currency, such as USD (got {text!r})")
    return text


CURRENCY = "[A-Z]{3}"
Currency = Annotated[
    str, Field(json_schema_extra={"pattern": f"^{CURRENCY}$"}), AfterValidator(_three_letters)
]
"""As ISO 4217 has it."""
Source = Annotated[str, Field(min_length=1)]
Price = Annotated[float, Field(ge=0)]


class PriceSet(Model):
    """Prices of reserved resources per hour, in `currency`.

    `date` is the day of the entry; prices change.
    """

    currency: Currency = "USD"
    per_vcpu_h: Price
    per_gb_h: Price
    accelerators_per_h: dict[str, Price] = {}
    date: Day
    source: Source
    note: str = ""


class PriceTable(Model):
    """config/prices.yaml: named sets of prices; a testbed names the one that it is charged by."""

    sets: Annotated[dict[Name, PriceSet], Field(min_length=1)]


class CarbonRegion(Model):
    """Location-based carbon intensity of electricity: a yearly mean of a country or region."""

    intensity_g_per_kwh: Annotated[float, Field(ge=0)]
    year: Annotated[int, Field(ge=1990, le=2100)]
    date: Day
    source: Source
    note: str = ""


class CarbonTable(Model):
    """config/carbon.yaml: intensities by region; a testbed names its region."""

    regions: Annotated[dict[TableKey, CarbonRegion], Field(min_length=1)]


class PowerModel(Model):
    """W = cores·min_w + busy cores·(max_w − min_w) + memory beyond the included·memory_w_per_gb.

    `min_w` and `max_w` are watts per vCPU at no and at full utilisation.
    """

    min_w: Annotated[float, Field(ge=0)]
    max_w: Annotated[float, Field(gt=0)]
    memory_w_per_gb: Annotated[float, Field(ge=0)]
    included_gb_per_vcpu: Annotated[float, Field(ge=0)]
    date: Day
    source: Source
    note: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max_w < self.min_w:
            raise ValueError(f"max_w must not be below min_w (got {self.max_w} and {self.min_w})")
        return self


class PowerTable(Model):
    """config/power.yaml: coefficient sets of the linear power model, used without a counter."""

    models: Annotated[dict[Name, PowerModel], Field(min_length=1)]
