"""Workers get devices, see no others, and their energy is what the records say of them."""

from __future__ import annotations

import json
import sys
import threading
import time

import numpy as np
import pytest
from tests.contexts import PLAIN
from tests.fake_nvml import Device, install
from tests.platforms.processes import python

from trialwatt.clock import now
from trialwatt.config.identity import run_folder, run_hash
from trialwatt.config.models import BoardPower, Testbed
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.inventory import Inventory
from trialwatt.lifecycle.supervisor import Supervisor
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.model import PowerModel
from trialwatt.meters.nvml import Nvml
from trialwatt.meters.sampler import Sampler
from trialwatt.metrics.extract import compute
from trialwatt.platforms import accelerators
from trialwatt.platforms.accelerators import seat_of, seats
from trialwatt.platforms.base import Role
from trialwatt.platforms.local import LocalPlatform
from trialwatt.records.manifest import write_manifest
from trialwatt.records.outcome import LIFECYCLE
from trialwatt.records.reader import read_run
from trialwatt.records.writer import EventWriter
from trialwatt.suts.base import Job

SAY = "print(json.dumps({k: v for k, v in os.environ.items() if k[:4] in ('CUDA', 'TPU_')}))"
POWER = PowerParameters(
    min_w=1, max_w=4, memory_w_per_gb=0.4, included_gb_per_vcpu=4, source="a test"
)


@pytest.fixture(autouse=True)
def nvml(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return install(monkeypatch)


def names(found) -> list[str]:
    return [seat.device for seat in found]


def visible(found) -> list[str]:
    return [seat.variables["CUDA_VISIBLE_DEVICES"] for seat in found]


def test_devices_are_named_as_the_meter_names_its_domains(nvml):
    nvml.devices = [Device(1), Device(lost=True), Device(1)]
    found = seats("gpu")
    assert names(found) == [domain.name for domain in Nvml.probe(Testbed()).domains]
    assert visible(found) == ["GPU-0abc", "GPU-2abc"]
    assert nvml.opened == 0


def test_one_each_while_there_are_enough_and_round_robin_beyond(nvml):
    nvml.devices = [Device(1), Device(1)]
    found = seats("gpu")
    assert [seat_of("gpu", found, worker).device for worker in range(5)] == [
        *("gpu-0", "gpu-1"),
        *("gpu-0", "gpu-1"),
        "gpu-0",
    ]


def test_instances_of_divided_devices_are_spread(nvml):
    divided = [Device(1, mig=1, instances=[f"MIG-{i}{n}" for n in range(2)]) for i in range(2)]
    nvml.devices = [*divided, Device(1, mig=0)]
    found = seats("gpu")
    assert names(found) == ["gpu-0", "gpu-1", "gpu-2", "gpu-0", "gpu-1"]
    assert visible(found) == ["MIG-00", "MIG-10", "GPU-2abc", "MIG-01", "MIG-11"]


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [("2,0", ["gpu-2", "gpu-0"]), ("GPU-1", ["gpu-1"]), ("1, GPU-1abc", ["gpu-1"])],
)
def test_devices_that_were_taken_from_us_are_not_given_on(nvml, monkeypatch, allowed, expected):
    nvml.devices = [Device(1), Device(1), Device(1)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert names(seats("gpu")) == expected


@pytest.mark.parametrize("allowed", ["", "9"])
def test_no_device_is_refused(nvml, monkeypatch, allowed):
    nvml.devices = [Device(1)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    with pytest.raises(TrialwattError, match="accelerator gpu: no device"):
        seats("gpu")


def test_without_nvml_the_testbed_says_how_many_boards_there_are(nvml):
    nvml.driver = False
    with pytest.raises(TrialwattError, match="accelerator_board_w"):
        seats("gpu")
    boards = BoardPower(devices=2, watts=350, source="data sheet")
    found = seats("gpu", boards)
    model = PowerModel(POWER, boards)
    assert names(found) == [d.name for d in model.domains if d.resource == "accelerator"]
    assert found[1].variables == {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def test_a_tpu_cannot_be_shared(monkeypatch):
    monkeypatch.setattr(accelerators, "_tpus", list)
    boards = BoardPower(kind="tpu", devices=2, watts=200, source="data sheet")
    found = seats("tpu", boards)
    assert names(found) == ["tpu-0", "tpu-1"]
    assert seat_of("tpu", found, 1).variables["TPU_VISIBLE_CHIPS"] == "1"
    with pytest.raises(TrialwattError, match=r"one too many: lower workers\.count"):
        seat_of("tpu", found, len(found))


def test_a_process_sees_its_own_device_and_no_other(local, nvml, monkeypatch):
    nvml.devices = [Device(1), Device(1)]
    seen = {}
    for role in (
        python(SAY, index=1, accelerator="gpu", environment={"CUDA_VISIBLE_DEVICES": "0"}),
        python(SAY, index=2, accelerator="gpu"),
        python(SAY, index=3),
        python(SAY, name="driver", kind="service", accelerator="gpu"),
    ):
        local.start(role)
        message = local.inbox.get(timeout=120)
        while message.body is None:
            message = local.inbox.get(timeout=120)
        seen[role.component] = message.body["CUDA_VISIBLE_DEVICES"]
    first, second = "GPU-0abc", "GPU-1abc"
    assert seen == {"worker-1": second, "worker-2": first, "worker-3": "", "driver": first}
    limits = local.facts["components"]
    assert limits["worker-1"]["devices"] == ["gpu-1"]
    assert "devices" not in limits["worker-3"] and "devices" not in limits["driver"]


def test_a_service_that_computes_nothing_sees_none(local, nvml, tmp_path):
    nvml.devices = [Device(1)]
    told = tmp_path / "told"
    source = f"open({str(told)!r}, 'w').write(os.environ['CUDA_VISIBLE_DEVICES'] + '.')"
    handle = local.start(
        python(source, name="head", kind="service", speaks=False, accelerator="gpu")
    )
    assert local.inbox.get(timeout=120).ending.code == 0
    assert told.read_text() == "." and local.devices(handle.role) == ()


def test_from_the_supervisor_to_the_metrics(nvml, monkeypatch, run_config, tmp_path, run_id):
    """Three workers on two devices: the real supervisor, sampler and meters, then extraction."""
    sampled_at = threading.local()  # a reading is of the moment that its row bears

    def stamp():
        made = now()
        sampled_at.ns = made.mono_ns
        return made

    def millijoules(watts):
        return lambda: getattr(sampled_at, "ns", time.monotonic_ns()) * watts // 10**6

    monkeypatch.setattr("trialwatt.meters.sampler.now", stamp)
    nvml.devices = [Device(millijoules(watts)) for watts in (100, 40, 7)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    bed = {"meters": ["model", "nvml"], "sample_hz": 20, "enforcement": "soft"}
    config = run_config(
        testbed=bed, workers={"count": 3, "cpu": 1, "memory_mb": 64, "accelerator": "gpu"}
    )
    folder = tmp_path / "rep1"
    job = Job("r1", config, 1, 7, str(folder), "", 1, 0.5)
    events = EventWriter(folder, "r1", "harness")
    meters = {"model": PowerModel(POWER), "nvml": Nvml.open(config.testbed)}
    platform = LocalPlatform.open(run_id, config.testbed, folder)
    with Sampler(meters, folder, config.testbed.sample_hz) as sampler:
        deadline, inventory = time.monotonic() + 600, Inventory(job, "build it anew")
        supervisor = Supervisor(job, platform, sampler, events, deadline, inventory)
        try:
            at = sampler.tick()
            events.write("step", at=at, step="deploy", status="start")
            command = (sys.executable, "-c", "import time; time.sleep(600)")
            supervisor.deploy(
                [Role("worker", "worker", command, 0.5, 64, i, speaks=False) for i in range(3)]
            )
            time.sleep(0.5)
        finally:
            supervisor.stop(0.5)
            platform.remove()
        at = sampler.tick()
        events.write("step", at=at, step="deploy", status="end")
    events.close()
    started = [json.loads(x) for x in (folder / "records/harness.jsonl").read_text().splitlines()]
    assert [e["devices"] for e in started if e.get("status") == "start" and "component" in e] == [
        *(["gpu-0"], ["gpu-1"], ["gpu-0"])
    ]

    keys = ("name", "resource", "unit", "method", "wraps_at", "counts")
    domains = {
        name: [{key: getattr(d, key) for key in keys} for d in meter.domains]
        for name, meter in meters.items()
    }
    write_manifest(
        folder,
        {
            "format": 1,
            "run_id": "r1",
            "folder": run_folder(config),
            "hash": run_hash(config),
            "repetition": 1,
            "config": config.model_dump(mode="json"),
            "host": {"cores": 2, "memory_mb": 4096},
            "meters": {name: {"domains": own} for name, own in domains.items()},
            "headline_meter": "model+nvml",
            "headline_domains": {n: [d["name"] for d in own] for n, own in domains.items()},
            "idle": {"meter": "model+nvml", "watts": {"cpu": 2.0, "memory": 0.0}},
        },
    )
    records = read_run(folder)
    assert set(records.steps) < set(LIFECYCLE)
    run = compute(records, PLAIN).run
    machine = 0.0
    for name in ("cpu", "memory", "gpu-0", "gpu-1", "gpu-2"):
        times, values = records.power.of(name)
        inside = (times >= records.window[0]) & (times <= records.window[1])
        steps = np.diff(times[inside]) / 1e9
        values = values[inside]
        counted = name.startswith("gpu")
        machine += (values[-1] - values[0]) / 1e6 if counted else (values[1:] * steps).sum()
    whole = (run["job_energy_kwh"] + run["other_energy_kwh"]) * 3.6e6
    assert whole == pytest.approx(machine, rel=1e-9)
    # the workers hold two devices for all but a moment; the third is nobody's
    lives = [c.lives[0] for c in records.components]
    shared = max(lives[0][1], lives[2][1]) - min(lives[0][0], lives[2][0])
    devices_j = (100 * shared + 40 * (lives[1][1] - lives[1][0])) / 1e9
    assert run["idle_energy_kwh"] * 3.6e6 == pytest.approx(devices_j, rel=0.15)
    assert run["idle_energy_kwh"] * 3.6e6 > 0.95 * devices_j
    assert "accelerators" not in run["flags"]
