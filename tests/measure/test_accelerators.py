"""Accelerators in a block: those that the script may see, whole, and with a price where named."""

import itertools
import time

import pytest
from tests.fake_nvml import Device, install

import trialwatt


@pytest.fixture
def devices(monkeypatch):
    """Two that draw 100 W and more: each reading finds 20 J more."""
    state = install(monkeypatch)
    for first in (0, 10**6):
        state.devices.append(Device(energy_mj=itertools.count(first, 20_000).__next__))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return state


def measured(**options):
    options = {"meters": ["nvml", "model"], "line": False} | options
    with trialwatt.measure(**options) as m, m.trial({"lr": 1}):
        time.sleep(0.5)
    return m.result


def test_they_count_and_are_named(devices):
    found = measured(accelerator="l4")
    assert found.domains == ("cpu", "memory", "gpu-0", "gpu-1")
    assert found.method == "modelled+counter" and found.meters == "model+nvml"
    assert "gpu-0, gpu-1: counted whole, whoever used it" in found.notes
    assert found.energy_j > 2 * 20 * (found.samples - 1) * 0.99
    assert found.trials_j + found.idle_j == pytest.approx(found.energy_j)
    assert devices.opened == 0, "all that was opened is closed"


def test_those_that_the_script_may_not_see_do_not_count(devices, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert measured().domains == ("cpu", "memory", "gpu-1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = measured()
    assert (found.domains, found.meters) == (("cpu", "memory"), "model")


def test_without_a_price_they_are_not_in_the_cost(devices):
    without, priced = measured(), measured(accelerator="l4")
    assert any("not in the cost" in note for note in without.notes)
    assert not any("not in the cost" in note for note in priced.notes)
    more = priced.cost / priced.seconds - without.cost / without.seconds
    assert more == pytest.approx(2 * 0.56 / 3600, rel=1e-6)
