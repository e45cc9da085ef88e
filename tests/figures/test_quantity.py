import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.figures import quantity


@pytest.mark.parametrize(
    ("kwh", "unit"),
    [(3, "kWh"), (1, "kWh"), (0.5, "Wh"), (2e-5, "mWh"), (3e-8, "µWh"), (1e-15, "µWh"), (0, "kWh")],
)
def test_energy(kwh, unit):
    assert quantity.energy([kwh, kwh / 100, math.nan]).unit == unit


@pytest.mark.parametrize(
    ("ms", "unit"), [(800, "ms"), (5_000, "s"), (110_000, "s"), (600_000, "min"), (1e8, "h")]
)
def test_duration(ms, unit):
    assert quantity.duration([ms]).unit == unit


@given(st.floats(1e-12, 1e6))
def test_scales_change_the_unit_and_not_the_energy(kwh):
    scale = quantity.energy([kwh])
    per_kwh = {"kWh": 1, "Wh": 1e3, "mWh": 1e6, "µWh": 1e9}
    assert scale.factor == per_kwh[scale.unit]
    assert kwh * scale.factor >= 1 or scale.unit == "µWh"


@pytest.mark.parametrize("values", [[], [math.nan], [None]])
def test_nothing_known_still_has_a_unit(values):
    assert quantity.energy(values).unit and quantity.duration(values).unit


def test_money():
    assert quantity.money([2.5], "USD").unit == "USD"
    assert quantity.money([0.0025], "EUR").unit == "10⁻³ EUR"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (math.nan, "–"), (None, "–"), (12.345, "12.3"), (0.0123, "0.0123"), (1234, "1234")],
)
def test_number(value, text):
    assert quantity.number(value) == text


def test_methods_are_never_passed_over():
    assert quantity.methods(["modelled", "counter+modelled"]) == "counter and modelled"
    assert quantity.is_modelled(["counter+modelled"]) and not quantity.is_modelled(["counter"])
    assert quantity.methods(["", None, math.nan]) == "method unknown"


def test_a_missing_column_is_missing_and_not_zero():
    assert quantity.column(pd.DataFrame({"a": [1, 2]}), "b").isna().all()
