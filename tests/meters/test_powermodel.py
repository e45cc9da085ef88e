from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trialwatt.config.models import Testbed
from trialwatt.meters.base import MachineLoad, MeterError
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.model import PowerModel, machine_watts

POWER = PowerParameters(
    min_w=0.5, max_w=4.5, memory_w_per_gb=0.4, included_gb_per_vcpu=2, source="a table"
)


def test_watts_by_hand():
    watts = machine_watts(POWER, cores=4, busy_cores=1.5, memory_gb=10)
    assert watts["cpu"] == pytest.approx(4 * 0.5 + 1.5 * 4.0)
    assert watts["memory"] == pytest.approx(0.4 * 2)


def test_included_memory_costs_nothing_extra():
    assert machine_watts(POWER, 4, 0, 8)["memory"] == 0
    assert machine_watts(POWER, 4, 0, 1)["memory"] == 0


def test_arrays_give_arrays():
    watts = machine_watts(POWER, 2, np.array([0.0, 1.0, np.nan]), 6)
    np.testing.assert_allclose(watts["cpu"], [1.0, 5.0, np.nan])
    memory = machine_watts(POWER, np.array([1, 2, 4]), 0, np.array([6.0, 6.0, 6.0]))["memory"]
    np.testing.assert_allclose(memory, [1.6, 0.8, 0.0])


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=30), st.integers(1, 64))
def test_energy_does_not_depend_on_how_the_time_is_cut(busy_ns, cores):
    """Also where ticks make one interval show more busy cores than there are."""
    seconds = 0.01
    busy = np.array(busy_ns) / 1e9 / seconds
    pieces = machine_watts(POWER, cores, busy, 8)["cpu"].sum() * seconds
    whole = machine_watts(POWER, cores, busy.mean(), 8)["cpu"] * seconds * len(busy)
    assert pieces == pytest.approx(whole, rel=1e-12)


def test_the_meter_reads_the_model():
    meter = PowerModel.open(Testbed(), POWER)
    assert meter.read(MachineLoad(4, 1.5, 10)) == pytest.approx({"cpu": 8.0, "memory": 0.8})
    assert meter.idle_watts(4, 10) == pytest.approx({"cpu": 2.0, "memory": 0.8})
    assert {d.name: d.resource for d in meter.domains} == {"cpu": "cpu", "memory": "memory"}
    assert all(d.method == "modelled" and d.unit == "w" for d in meter.domains)
    assert meter.parameters["source"] == "a table" and meter.parameters["max_w"] == 4.5


def test_the_probe_says_modelled_and_names_the_source():
    probe = PowerModel.probe(Testbed(), POWER)
    assert probe.available and "modelled" in probe.reason and "a table" in probe.reason


def test_without_coefficients_it_is_not_available():
    probe = PowerModel.probe(Testbed(power_model="no-such"), None)
    assert not probe.available and "no-such" in probe.reason
    with pytest.raises(MeterError, match="no-such"):
        PowerModel.open(Testbed(power_model="no-such"))


def test_accelerators_draw_the_power_of_their_boards_all_the_time():
    boards = {"kind": "tpu", "devices": 2, "watts": 170.5, "source": "chip data sheet"}
    testbed = Testbed(accelerator_board_w=boards)
    meter = PowerModel.open(testbed, POWER)
    devices = [d for d in meter.domains if d.resource == "accelerator"]
    assert [(d.name, d.unit, d.method) for d in devices] == [
        ("tpu-0", "w", "modelled"),
        ("tpu-1", "w", "modelled"),
    ]
    for busy in (0, 4):
        reading = meter.read(MachineLoad(4, busy, 10))
        assert (reading["tpu-0"], reading["tpu-1"]) == (170.5, 170.5)
    assert meter.idle_watts(4, 10)["tpu-1"] == 170.5
    assert meter.parameters["accelerator_board_w"]["source"] == "chip data sheet"
    probe = PowerModel.probe(testbed, POWER)
    assert "170.5 W per tpu, all the time (chip data sheet)" in probe.reason
    assert probe.domains == meter.domains


@pytest.mark.parametrize(
    "change", [{"min_w": -1}, {"max_w": 0.1}, {"source": ""}, {"min_w": float("nan")}, {"tdp": 5}]
)
def test_bad_coefficients_are_refused(change):
    with pytest.raises(ValidationError):
        PowerParameters(**POWER.model_dump() | change)


def test_from_a_table_entry_a_record_or_nothing():
    class Entry:
        min_w, max_w, memory_w_per_gb, included_gb_per_vcpu = 0.5, 4.5, 0.4, 2.0
        source, date, note = "a table", "2024-01-01", "more than we need"

    assert PowerParameters.of(Entry()) == POWER
    assert PowerParameters.of(POWER.model_dump()) == POWER
    assert PowerParameters.of(POWER) == POWER
    assert PowerParameters.of(None) is None
