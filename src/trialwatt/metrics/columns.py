"""What a column of the tables is: its name and unit, what it is an amount of, where it is shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from trialwatt.errors import TrialwattError

Kind = Literal["text", "whole", "real", "flag"]
Quantity = Literal[
    "", "energy", "time", "cost", "carbon", "intensity", "share", "score", "count", "size", "rate"
]
Place = Literal[
    "results",
    "paper_resource",
    "paper_search",
    "resource",
    "search",
    "overhead",
    "page",
    "run",
    "configuration",
    "lifecycle",
    "impact",
]
"""Results table; its columns that the paper has room for; figures; the page's further panels; what
the page tells of a run; the groups of the correlations. The page begins with those of `resource`.
"""

_TYPES = {"text": pa.string(), "whole": pa.int64(), "real": pa.float64(), "flag": pa.bool_()}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    low, high: bounds of its values, both allowed; missing values are null. quantity: what its
    values are amounts of, which chooses the scale that they are shown in. of: what a share, a rate
    or a mass is made from, where that is another quantity. short: in heads of tables, over small
    panels and in heat maps; title: in full, without a symbol that `short` is; label: on an axis.
    shown: place → rank there; columns of equal rank are in the order of their table.
    """

    name: str
    kind: Kind
    unit: str
    definition: str
    method: str
    low: float = -math.inf
    high: float = math.inf
    quantity: Quantity = ""
    of: Quantity = ""
    short: str = ""
    title: str = ""
    label: str = ""
    shown: Mapping[Place, int] = field(default_factory=dict)

    @property
    def made_of(self) -> Quantity:
        """The quantity that is measured or priced to get it."""
        return self.of or self.quantity

    @property
    def from_energy(self) -> bool:
        """Whether it is as good as the energy behind it, so that the energy's method is said."""
        return self.made_of == "energy"

    @property
    def heading(self) -> str:
        """`EPT: energy per completed trial`: its symbol, if it has one, and its title."""
        return f"{self.short}: {self.title}" if self.short.isupper() else self.title


def shown_in(place: Place, columns: Iterable[Column]) -> list[Column]:
    """Those of these columns that are shown there, in the order in which they are."""
    there = [column for column in columns if place in column.shown]
    return sorted(there, key=lambda column: column.shown[place])


def schema(columns: Iterable[Column]) -> pa.Schema:
    """Of a table that has these columns."""
    return pa.schema([(column.name, _TYPES[column.kind]) for column in columns])


def validate(table: pa.Table, columns: list[Column], name: str) -> None:
    """Raises TrialwattError for a column or type that must not be, or a value out of range."""
    expected = schema(columns)
    unknown = sorted(set(table.column_names) - set(expected.names))
    missing = sorted(set(expected.names) - set(table.column_names))
    if unknown or missing:
        raise TrialwattError(
            f"{name}: unknown columns: {', '.join(unknown) or 'none'}; "
            f"missing columns: {', '.join(missing) or 'none'}"
        )
    for column in columns:
        found = table.schema.field(column.name).type
        if pa.types.is_dictionary(found):
            found = found.value_type
        if found != expected.field(column.name).type:
            raise TrialwattError(f"{name}: {column.name} is {found}, not a {column.kind}")
        if math.isinf(column.low) and math.isinf(column.high):
            continue
        values = table[column.name]
        if column.kind == "real":
            values = pc.filter(values, pc.invert(pc.is_nan(values)))
        bounds = pc.min_max(values).as_py()
        low, high = bounds["min"], bounds["max"]
        if low is not None and (low < column.low or high > column.high):
            raise TrialwattError(
                f"{name}: {column.name} holds {low} to {high}, allowed is {column.low} to "
                f"{column.high}{_place(table, column)}"
            )


def _place(table: pa.Table, column: Column) -> str:
    """Where the first value out of range stands: the folder of its run, and its trial."""
    values = table[column.name]
    outside = pc.or_(pc.less(values, column.low), pc.greater(values, column.high))
    row = pc.index(outside, True).as_py()
    names = [name for name in ("folder", "trial") if name in table.column_names and row >= 0]
    found = ", ".join(f"{name} {table[name][row].as_py()}" for name in names)
    return f" ({found})" if found else ""


def entries(columns: Iterable[Column]) -> list[dict[str, str]]:
    """The data dictionary of these columns as plain data."""
    told = ("name", "title", "unit", "quantity", "definition", "method")
    return [{name: getattr(column, name) for name in told} for column in columns]
