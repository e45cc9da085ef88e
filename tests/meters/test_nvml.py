"""NVML against a small stand-in for pynvml; a real device is read where there is one."""

from __future__ import annotations

import sys

import pytest
from tests.fake_nvml import Device, install

from trialwatt.config.models import Testbed
from trialwatt.meters.base import MachineLoad, MeterError
from trialwatt.meters.nvml import Nvml
from trialwatt.meters.sampler import Sampler

TESTBED = Testbed()
LOAD = MachineLoad(2, 0, 8)


@pytest.fixture
def nvml(monkeypatch):
    return install(monkeypatch)


def test_without_the_package_the_probe_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    probe = Nvml.probe(TESTBED)
    assert not probe.available and "pip install nvidia-ml-py" in probe.reason


def test_without_a_driver_or_a_device(nvml):
    assert "lists no device" in Nvml.probe(TESTBED).reason
    nvml.driver = False
    probe = Nvml.probe(TESTBED)
    assert not probe.available and "Shared Library Not Found" in probe.reason
    with pytest.raises(MeterError, match="nvml: no NVIDIA driver"):
        Nvml.open(TESTBED)
    assert nvml.opened == 0


def test_counters_of_several_devices_in_microjoules(nvml):
    nvml.devices = [Device(energy_mj=1234, power_mw=5), Device(energy_mj=99, power_mw=5)]
    meter = Nvml.open(TESTBED)
    assert meter.read(LOAD) == {"gpu-0": 1_234_000, "gpu-1": 99_000}
    assert all((d.unit, d.method) == ("uj", "counter") for d in meter.domains)
    assert all(d.resource == "accelerator" and d.wraps_at is None for d in meter.domains)
    meter.close()
    assert nvml.opened == 0
    assert Nvml.probe(TESTBED).reason == ""
    assert nvml.opened == 0


def test_power_is_polled_only_where_there_is_no_counter(nvml):
    nvml.devices = [Device(energy_mj=1, power_mw=5), Device(power_mw=70_500)]
    probe = Nvml.probe(TESTBED)
    assert [(d.unit, d.method) for d in probe.domains] == [("uj", "counter"), ("w", "polled")]
    assert "gpu-1 has no energy counter: its power is polled" in probe.reason
    assert "gpu-0" not in probe.reason
    meter = Nvml.open(TESTBED)
    assert meter.read(LOAD) == {"gpu-0": 1000, "gpu-1": 70.5}
    meter.close()


def test_mig_and_devices_without_any_reading_are_named(nvml):
    nvml.devices = [Device(energy_mj=1, mig=1), Device(), Device(lost=True), Device(2, mig=0)]
    probe = Nvml.probe(TESTBED)
    assert [d.name for d in probe.domains] == ["gpu-0", "gpu-3"]
    assert "gpu-0 is in MIG mode" in probe.reason
    assert "gpu-1 has neither" in probe.reason
    assert "gpu-2 cannot be read (GPU is lost)" in probe.reason
    assert "gpu-3" not in probe.reason


def test_no_usable_device_is_unavailable_and_says_which(nvml):
    nvml.devices = [Device()]
    probe = Nvml.probe(TESTBED)
    assert not probe.available and "gpu-0 has neither" in probe.reason
    assert nvml.opened == 0


def test_a_device_that_is_lost_is_missing_not_zero(nvml):
    nvml.devices = [Device(energy_mj=1), Device(energy_mj=2)]
    meter = Nvml.open(TESTBED)
    nvml.devices[0].lost = True
    assert meter.read(LOAD) == {"gpu-1": 2000}
    meter.close()


def test_memory_and_utilisation_of_each_device(nvml, tmp_path):
    nvml.devices = [Device(1, memory=7, busy=55), Device(1, mig=1, busy=None), Device(1)]
    probe = Nvml.probe(TESTBED)
    assert "gpu-1 does not tell its utilisation" in probe.reason
    assert "gpu-0" not in probe.reason and "gpu-2" not in probe.reason
    with Sampler({"nvml": Nvml.open(TESTBED)}, tmp_path, 5) as sampler:
        nvml.devices[2].lost = True
        sampler.tick()
    lines = (tmp_path / "samples" / "gpu.csv").read_text().splitlines()
    assert lines[0] == "t,m,device,memory_bytes,utilisation_percent"
    rows = [line.split(",")[2:] for line in lines[1:]]
    assert rows[:3] == [["gpu-0", "7", "55"], ["gpu-1", str(1 << 30), ""],
                        ["gpu-2", str(1 << 30), "40"]]  # fmt: skip
    assert rows[-1] == ["gpu-2", "", ""]
    power = (tmp_path / "samples" / "power-nvml.csv").read_text().splitlines()
    assert power[0] == "t,m,gpu-0,gpu-1,gpu-2" and power[-1].endswith(",1000,1000,")
    stamps = [line.split(",")[:2] for line in power[1:]]
    assert [line.split(",")[:2] for line in lines[1::3]] == stamps


def test_a_device_use_that_fails_costs_no_sample(nvml, tmp_path):
    nvml.devices = [Device(1)]
    meter = Nvml.open(TESTBED)
    meter.device_use = lambda: 1 / 0
    with Sampler({"nvml": meter}, tmp_path, 5) as sampler:
        pass
    assert sampler.errors == ["meter nvml: use of devices: ZeroDivisionError: division by zero"]
    assert (tmp_path / "samples" / "gpu.csv").read_text().splitlines()[1].endswith(",gpu-0,,")


@pytest.mark.gpu
def test_the_devices_of_this_machine():
    probe = Nvml.probe(TESTBED)
    if not probe.available:
        pytest.skip(probe.reason)
    meter = Nvml.open(TESTBED)
    try:
        readings = meter.read(LOAD)
        assert readings.keys() == {d.name for d in meter.domains}
        assert all(value > 0 for value in readings.values())
    finally:
        meter.close()
