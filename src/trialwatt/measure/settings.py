"""What `measure` was asked for, checked: coefficients, prices and intensity by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from trialwatt.config.keys import there_is_no
from trialwatt.config.loading import Problems, validated
from trialwatt.config.models import Model, Testbed
from trialwatt.config.origins import Origins
from trialwatt.config.tables import CarbonRegion, CarbonTable, PowerTable, PriceSet, PriceTable
from trialwatt.config.yaml_files import read_yaml
from trialwatt.measure.places import MeasureError
from trialwatt.meters.coefficients import PowerParameters

SHIPPED = Path(__file__).with_name("tables")
"""Of the package: links to config/ in a checkout, the files themselves where it is installed."""
METERS = ("rapl", "nvml", "model")
ALPHA_3 = {"DE": "DEU", "FR": "FRA", "US": "USA"}
"""Two-letter codes (ISO 3166-1) of the countries that the shipped table has."""

Entry = TypeVar("Entry")
Table = TypeVar("Table", bound=Model)


@dataclass(frozen=True)
class Settings:
    """testbed: what the meters need of one. cores: None for all that this process may use.
    accelerator_price: per hour and device, in the currency of the prices; None where nobody has
    named one."""

    testbed: Testbed
    power: PowerParameters
    prices: PriceSet
    carbon: CarbonRegion
    cores: float | None
    accelerator_price: float | None

    @classmethod
    def of(
        cls,
        region: str,
        prices: str,
        power_model: str,
        pue: float,
        hz: float,
        cores: float | None,
        accelerator: str | None,
        meters: Sequence[str],
        tables: str | Path | None,
    ) -> Settings:
        """Raises MeasureError with everything that is wrong with the options of `measure`."""
        folder = SHIPPED if tables is None else Path(tables)
        wrong = Problems()
        given = {
            "region": ALPHA_3.get(region, region),
            "prices": prices,
            "power_model": power_model,
            "pue": pue,
            "sample_hz": hz,
            "meters": list(meters),
        }
        testbed, _ = validated(Testbed, given, Origins("measure"), wrong)
        if wrong or testbed is None:
            raise MeasureError("\n".join(map(str, wrong)).replace("sample_hz", "hz"))
        if cores is not None and cores <= 0:
            raise MeasureError(f"measure: cores: must be above 0 (got {cores:g})")
        price_set = _entry("prices", prices, _table(folder / "prices.yaml", PriceTable).sets)
        power = _entry("power_model", power_model, _table(folder / "power.yaml", PowerTable).models)
        own = price_set.accelerators_per_h
        return cls(
            testbed,
            PowerParameters.model_validate(
                power.model_dump(include=set(PowerParameters.model_fields))
            ),
            price_set,
            _entry("region", testbed.region, _table(folder / "carbon.yaml", CarbonTable).regions),
            cores,
            None if accelerator is None else _entry("accelerator", accelerator, own),
        )


def _table(path: Path, kind: type[Table]) -> Table:
    data, problems = read_yaml(path, str(path))
    wrong = Problems()
    wrong.add(*problems)
    table = None if data is None else validated(kind, data, Origins(str(path)), wrong)[0]
    if wrong or table is None:
        raise MeasureError("measure: tables:\n" + "\n".join(map(str, wrong)))
    return table


def _entry(option: str, name: str, there: Mapping[str, Entry]) -> Entry:
    if name not in there:
        said = there_is_no("entry", name, list(there))
        raise MeasureError(f"measure: {option}: {said}; `tables=` names a folder with your own")
    return there[name]


def as_dict(entry: Model) -> dict[str, Any]:
    """An entry of a table, with its source and day, as plain data."""
    return entry.model_dump(mode="json")
