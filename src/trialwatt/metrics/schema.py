"""A table against the data dictionary: its columns, types and ranges."""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.compute as pc

from trialwatt.errors import TrialwattError
from trialwatt.metrics.dictionary import Column, schema


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
                f"{name}: {column.name} holds {low} to {high}, "
                f"allowed is {column.low} to {column.high}"
            )
