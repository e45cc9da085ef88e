from __future__ import annotations

import json
import os
import platform
import time

import pytest

from trialwatt.config.models import Testbed
from trialwatt.meters import sampler
from trialwatt.meters.base import Domain, Meter
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.model import PowerModel
from trialwatt.records import testbed_facts
from trialwatt.records.testbed_facts import (
    describe,
    host_facts,
    idle_of,
    measure_idle,
    write_testbed,
)

POWER = PowerParameters(
    min_w=0.7, max_w=4, memory_w_per_gb=0.4, included_gb_per_vcpu=0, source="a table"
)
WATTS, RANGE = 8.0, 300_000


class Socket(Meter):
    """A counter of a package at 8 W that wraps every 37 ms, and a polled device at 30 W."""

    name = "socket"
    dead = False
    clock = time

    @classmethod
    def probe(cls, testbed, power=None): ...

    @classmethod
    def open(cls, testbed, power=None): ...

    @property
    def domains(self):
        return (
            Domain("package-0", "cpu", "uj", "counter", RANGE),
            Domain("gpu-0", "accelerator", "w", "polled"),
            Domain("dram-0", "memory", "uj", "counter", RANGE),
        )

    def read(self, load):
        if self.dead:
            return {}
        return {"package-0": int(self.clock.monotonic() * WATTS * 1e6) % RANGE, "gpu-0": 30.0}


def test_host_facts_name_no_machine():
    facts = host_facts()
    assert platform.node() not in json.dumps(facts)
    assert len(facts["name_hash"]) == 12 and int(facts["name_hash"], 16) >= 0
    assert facts["cores"] == os.cpu_count()
    assert facts["memory_mb"] > 100
    assert facts["python"] == platform.python_version() and facts["cpu_model"]
    assert facts.keys() == {
        "name_hash",
        "cpu_model",
        "cores",
        "memory_mb",
        "kernel",
        "system",
        "python",
    }


class PatientClock:
    """Time passes while it is slept, and each third sleep takes half as long again."""

    def __init__(self):
        self.seconds, self.sleeps = 7.0, 0

    def monotonic(self):
        return self.seconds

    def monotonic_ns(self):
        return round(self.seconds * 1e9)

    def sleep(self, seconds):
        self.sleeps += 1
        self.seconds += seconds * (1.5 if self.sleeps % 3 == 0 else 1)


def test_idle_of_a_counter_is_measured_through_its_wraps(monkeypatch):
    """By a clock of its own: a delay longer than a wrap would lose that one, as it must."""
    socket = Socket()
    socket.clock = PatientClock()
    for module in (testbed_facts, sampler):
        monkeypatch.setattr(module, "time", socket.clock)
    idle = measure_idle({"socket": socket}, seconds=0.6, hz=50)
    found = idle["meters"]["socket"]
    package = found["domains"]["package-0"]
    assert found["by"] == "measurement"
    assert package["watts"] == pytest.approx(WATTS, rel=1e-3)
    assert package["watts_q1"] == pytest.approx(WATTS, rel=1e-3)
    assert package["watts_q3"] == pytest.approx(WATTS, rel=1e-3)
    assert package["intervals"] == socket.clock.sleeps == pytest.approx(30, abs=1)
    assert found["domains"]["gpu-0"]["watts"] == 30.0
    assert (idle["seconds"], idle["hz"]) == (0.6, 50)


class Restarting(Socket):
    """Begins again at 0 after a second."""

    def read(self, load):
        at_s = self.clock.monotonic() - 7.0
        return {"package-0": int((200e3 if at_s < 1 else -WATTS) * 1e6 + at_s * WATTS * 1e6)}

    @property
    def domains(self):
        return (Domain("package-0", "cpu", "uj", "counter", 262_143_328_850),)


def test_a_counter_that_begins_again_leaves_its_interval_out_of_the_idle_power(monkeypatch):
    socket = Restarting()
    socket.clock = PatientClock()
    for module in (testbed_facts, sampler):
        monkeypatch.setattr(module, "time", socket.clock)
    found = measure_idle({"socket": socket}, seconds=2, hz=5)["meters"]["socket"]
    package = found["domains"]["package-0"]
    assert package["watts_q1"] == package["watts_q3"] == pytest.approx(WATTS, rel=1e-3)
    assert package["intervals"] == socket.clock.sleeps - 1


def test_a_domain_that_cannot_be_read_has_no_watts_and_is_named():
    socket = measure_idle({"socket": Socket()}, 0.1, 50)["meters"]["socket"]
    assert socket["domains"]["dram-0"] == {"watts": None}
    assert socket["reason"] == "no reading of dram-0"
    dead = Socket()
    dead.dead = True
    socket = measure_idle({"socket": dead}, 0.1, 50)["meters"]["socket"]
    assert socket["by"] == "none" and all(d["watts"] is None for d in socket["domains"].values())


def test_a_busy_machine_is_seen():
    class Burner(Socket):
        burnt_s = 0.0

        def read(self, load):
            began = time.thread_time()
            while time.thread_time() < began + 0.1:
                pass
            self.burnt_s += time.thread_time() - began
            return super().read(load)

    burner, began = Burner(), time.monotonic()
    idle = measure_idle({"socket": burner}, 0.4, 10)
    took_s = time.monotonic() - began  # 0.4 s, and what this process had to wait for the others
    assert 0.6 * burner.burnt_s / took_s / os.cpu_count() <= idle["busy_share"] <= 1.1


def test_a_model_is_idle_by_definition_and_nothing_is_waited_for():
    started = time.monotonic()
    idle = measure_idle({"model": PowerModel(POWER)}, seconds=30, hz=5)
    assert time.monotonic() - started < 25
    model = idle["meters"]["model"]
    assert model["by"] == "definition"
    assert model["domains"]["cpu"]["watts"] == pytest.approx(0.7 * os.cpu_count())
    assert model["domains"]["memory"]["watts"] == pytest.approx(
        0.4 * host_facts()["memory_mb"] / 1024, rel=1e-12
    )
    assert idle["busy_share"] is None and idle["seconds"] == 0


def test_no_window_is_said_and_is_no_zero():
    idle = measure_idle({"socket": Socket(), "model": PowerModel(POWER)}, seconds=0, hz=5)
    assert idle["meters"]["socket"]["by"] == "none"
    assert "idle_s" in idle["meters"]["socket"]["reason"]
    assert idle["meters"]["socket"]["domains"]["package-0"] == {"watts": None}
    assert idle["meters"]["model"]["by"] == "definition"


def test_a_testbed_that_is_not_this_machine():
    meters = {"socket": Socket(), "model": PowerModel(POWER)}
    idle = measure_idle(meters, seconds=0.2, hz=50, size=(8, 64.0))
    expected = PowerModel(POWER).idle_watts(8, 64.0)
    domains = idle["meters"]["model"]["domains"]
    assert {name: domain["watts"] for name, domain in domains.items()} == expected
    assert idle["meters"]["socket"]["by"] == "measurement"
    assert idle["busy_share"] is None  # nobody knows here how busy it was

    # a run that has reserved a part of it idles at less; what was measured stays
    part = PowerModel(POWER).idle_watts(2, 4.0)
    defined = {"model": part, "socket": None}
    assert idle_of(idle, {"model": ["cpu", "memory"]}, defined)["watts"] == part
    measured = idle["meters"]["socket"]["domains"]["package-0"]["watts"]
    assert idle_of(idle, {"socket": ["package-0"]}, defined)["watts"] == {"package-0": measured}


def test_the_manifests_entry():
    idle = measure_idle({"socket": Socket(), "model": PowerModel(POWER)}, seconds=0.2, hz=50)
    entry = idle_of(idle, {"model": ["cpu", "memory"]})
    assert (entry["meter"], entry["by"], entry["busy_share"]) == ("model", "definition", None)
    assert entry["watts"].keys() == {"cpu", "memory"}
    assert idle_of(idle, {"socket": ["package-0"]})["busy_share"] == idle["busy_share"]
    assert idle_of(idle, {"rapl": ["package-0"]}) == {
        "meter": "rapl",
        "by": "none",
        "busy_share": None,
        "watts": {},
    }


def test_the_record_is_written_whole(tmp_path):
    testbed = Testbed(pue=1.2)
    facts = describe("local", testbed, POWER, {"model": {"available": True}}, {"meters": {}})
    path = tmp_path / "testbeds" / "local.json"
    write_testbed(path, facts)
    read = json.loads(path.read_text())
    assert read == facts
    assert read["testbed_name"] == "local" and read["testbed"]["pue"] == 1.2
    assert PowerParameters.of(read["power"]) == POWER
    assert [p.name for p in path.parent.iterdir()] == ["local.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_record_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "local.json"
    write_testbed(path, {"old": True})

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trialwatt.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_testbed(path, {"old": False})
    assert json.loads(path.read_text()) == {"old": True}
    assert [p.name for p in tmp_path.iterdir()] == ["local.json"]
