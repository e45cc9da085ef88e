from __future__ import annotations

import json
import sys
import types
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from trialwatt.config.models import Testbed
from trialwatt.meters import choose
from trialwatt.meters.base import Domain, Meter, MeterError, Probe
from trialwatt.meters.coefficients import PowerParameters

POWER = PowerParameters(
    min_w=1, max_w=4, memory_w_per_gb=0.4, included_gb_per_vcpu=0, source="a table"
)


class Works(Meter):
    """A meter of another package; counts how many are open."""

    name = "works"
    opened = 0

    @classmethod
    def probe(cls, testbed, power=None):
        return Probe(True, "", (Domain("package-0", "cpu", "uj", "counter", 1000),))

    @classmethod
    def open(cls, testbed, power=None):
        Works.opened += 1
        return cls()

    @property
    def domains(self):
        return self.probe(None).domains

    def read(self, load):
        return {"package-0": 1.0}

    def close(self):
        Works.opened -= 1


class Missing(Works):
    name = "missing"

    @classmethod
    def probe(cls, testbed, power=None):
        return Probe(False, "there is no such chip")


class Liar(Works):
    name = "liar"

    @classmethod
    def open(cls, testbed, power=None):
        raise MeterError("liar: gone since the probe")


@pytest.fixture
def more_meters(monkeypatch):
    """The real entry points and those of another package, one of which cannot be imported."""
    module = types.ModuleType("other_package")
    module.Works, module.Missing, module.Liar = Works, Missing, Liar
    monkeypatch.setitem(sys.modules, "other_package", module)
    real = choose.entry_points(group=choose.GROUP)
    others = [
        EntryPoint(name, f"other_package:{name.capitalize()}", choose.GROUP)
        for name in ("works", "missing", "liar")
    ]
    broken = EntryPoint("broken", "no_such_package_at_all:X", choose.GROUP)
    every = EntryPoints([*real, *others, broken])
    monkeypatch.setattr(choose, "entry_points", lambda group: every.select(group=group))
    Works.opened = 0


def test_all_registered_meters_are_probed():
    probes = choose.probe_all(Testbed(), POWER)
    assert {"rapl", "model"} <= probes.keys()
    assert probes["model"].available
    assert probes["rapl"].available or probes["rapl"].reason


def test_coefficients_may_be_dumped_ones_or_missing():
    assert choose.probe_all(Testbed(), POWER.model_dump())["model"].available
    assert not choose.probe_all(Testbed())["model"].available


def test_the_table_has_the_testbeds_meters_first(more_meters):
    rows = choose.meters_table(Testbed(meters=["works", "model"]), POWER)
    assert [row.meter for row in rows][:2] == ["works", "model"]
    table = {row.meter: row for row in rows}
    assert table["works"] == ("works", "headline", "", ("package-0",))
    assert table["missing"] == ("missing", "missing", "there is no such chip", ())
    assert table["model"].use == "recorded" and table["liar"].use == "not named"
    assert table["broken"].use == "missing"
    assert table["model"].domains == ("cpu", "memory")
    assert "no_such_package_at_all" in table["broken"].reason


def test_the_first_available_one_is_the_headline(more_meters):
    testbed = Testbed(meters=["missing", "works", "model"])
    with choose.open_available(testbed, POWER) as chosen:
        assert chosen.headline == "works"
        assert chosen.headline_domains == {"works": ["package-0"]}
        assert list(chosen.meters) == ["works", "model"]
        assert Works.opened == 1
        facts = json.loads(json.dumps(chosen.facts()))
    assert Works.opened == 0
    assert list(facts) == ["missing", "works", "model"]
    assert facts["missing"] == {
        "available": False,
        "reason": "there is no such chip",
        "domains": [],
        "parameters": {},
    }
    assert facts["works"]["domains"] == [
        {
            "name": "package-0",
            "resource": "cpu",
            "unit": "uj",
            "method": "counter",
            "wraps_at": 1000,
            "counts": True,
        }
    ]
    assert facts["model"]["parameters"]["source"] == "a table"


def test_accelerators_add_a_meter_to_the_headline(more_meters):
    boards = {"kind": "gpu", "devices": 2, "watts": 300, "source": "data sheet"}
    testbed = Testbed(meters=["works", "model"], accelerator_board_w=boards)
    with choose.open_available(testbed, POWER, accelerators=True) as chosen:
        assert chosen.headline == "works+model"
        assert chosen.headline_domains == {"works": ["package-0"], "model": ["gpu-0", "gpu-1"]}
    with choose.open_available(testbed, POWER) as chosen:
        assert chosen.headline == "works"


def test_meters_without_processors_are_refused_and_closed(more_meters, monkeypatch):
    board = (Domain("gpu-0", "accelerator", "w", "polled"),)
    monkeypatch.setattr(Works, "domains", property(lambda self: board))
    with pytest.raises(MeterError, match="measure no processors"):
        choose.open_available(Testbed(meters=["works"]), POWER)
    assert Works.opened == 0


def test_only_unavailable_meters_is_an_error_with_each_reason(more_meters):
    with pytest.raises(MeterError) as caught:
        choose.open_available(Testbed(meters=["missing", "broken"]), POWER)
    assert "missing: there is no such chip" in str(caught.value)
    assert "broken: its module cannot be imported" in str(caught.value)
    assert "Add `model`" in str(caught.value)


def test_an_unknown_meter_is_an_error_that_lists_the_known_ones(more_meters):
    with pytest.raises(MeterError, match=r"no meter 'rappl'; registered are: .*rapl"):
        choose.open_available(Testbed(meters=["rappl", "works"]), POWER)
    assert Works.opened == 0


def test_what_was_opened_is_closed_if_another_one_fails(more_meters):
    with pytest.raises(MeterError, match="gone since the probe"):
        choose.open_available(Testbed(meters=["works", "liar"]), POWER)
    assert Works.opened == 0
