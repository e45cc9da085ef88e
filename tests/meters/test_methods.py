"""The method of a meter is a matter of its kind."""

import pytest

from trialwatt import meters
from trialwatt.meters import kind_of, method_of
from trialwatt.meters.base import Meter
from trialwatt.meters.model import PowerModel
from trialwatt.meters.rapl import Rapl

QUERY = {"query": "sum(x)", "unit": "watts"}
SERVER = {
    "url": "http://localhost:9090",
    "preset": "kepler",
    "queries": {
        "psu": QUERY,
        "psu-all": QUERY | {"method": "attributed", "by": "unit"},
        "dram": QUERY | {"method": "modelled"},
    },
}


def domain(name: str, unit: str) -> dict:
    return {"name": name, "unit": unit}


@pytest.mark.parametrize(
    ("meter", "name", "unit", "method"),
    [
        ("model", "cpu", "w", "modelled"),
        ("model", "cpu", "uj", "modelled"),  # whatever else the record says
        ("rapl", "package-0", "uj", "counter"),
        ("rapl", "package-0", "w", "counter"),
        ("nvml", "gpu-0", "uj", "counter"),
        ("nvml", "gpu-0", "w", "polled"),
        ("nvml", "gpu-0", "kWh", None),
        ("prometheus", "package", "uj", "counter"),
        ("prometheus", "psu", "w", "polled"),
        ("prometheus", "psu-all-2", "w", "attributed"),
        ("prometheus", "dram", "w", "modelled"),  # the user's own goes before the preset's
        ("prometheus", "other", "w", None),
        ("of-another-package", "cpu", "w", None),
    ],
)
def test_each_kind_of_meter(meter, name, unit, method):
    assert method_of(meter, domain(name, unit), {"prometheus": SERVER}) == method


@pytest.mark.parametrize("server", [None, {}, {"url": 1}, []])
def test_a_server_that_is_not_described_tells_nothing(server):
    assert method_of("prometheus", domain("package", "uj"), {"prometheus": server}) is None


def test_what_is_declared_is_what_the_meters_give():
    assert kind_of("rapl") is Rapl
    assert all(d.method in PowerModel.methods[d.unit] for d in PowerModel(None).domains)


def test_a_meter_that_declares_nothing_is_not_judged(monkeypatch):
    class Entry:
        load = staticmethod(lambda: Meter)

    monkeypatch.setattr(meters, "entry_points", lambda **_: [Entry])
    kind_of.cache_clear()
    assert kind_of("quiet") is None and method_of("quiet", domain("cpu", "w"), {}) is None
    kind_of.cache_clear()
