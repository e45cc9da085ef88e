"""Records whose headline is made of two meters, read at different moments."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.extract import extract_run
from trialwatt.provenance.trace import trace_command
from trialwatt.records.manifest import checksums
from trialwatt.records.reader import read_run
from trialwatt.records.samples import Power, merged

RECORD = Path(__file__).resolve().parents[2] / "docs" / "example" / "worked"
UTC_NS, MONO_NS = 1767268800 * 10**9, 1000 * 10**9
CONTEXT = MetricsContext(
    price_per_cpu_h=0.036,
    price_per_gb_h=0.0036,
    currency="USD",
    price_date="2026-01-01",
    intensity=400.0,
    region="world",
    carbon_year=2023,
    price_per_accelerator_h={"gpu": 1.0},
)
GPU = {"resource": "accelerator", "unit": "uj", "method": "counter", "wraps_at": None}


@pytest.fixture
def gpu_run(tmp_path) -> Path:
    """The example as if worker-0 had held gpu-0, which draws 100 W and is read every 7 s."""
    folder = tmp_path / "rep1"
    shutil.copytree(RECORD, folder)
    run = json.loads((folder / "run.json").read_text())
    run["config"]["workload"]["workers"]["accelerator"] = "gpu"
    run["headline_meter"] = run["idle"]["meter"] = "prometheus+nvml"
    run["headline_domains"] = {"prometheus": ["package"], "nvml": ["gpu-0"]}
    run["meters"]["nvml"] = {
        "available": True,
        "reason": "",
        "domains": [GPU | {"name": name, "counts": True} for name in ("gpu-0", "gpu-1")],
        "parameters": {"period_s": 7},
    }
    lines = ["t,m,gpu-0,gpu-1"]
    for s in range(-7, 113, 7):
        ns = s * 10**9
        lines.append(f"{UTC_NS + ns},{MONO_NS + ns},{(s + 7) * 100 * 10**6},{5 * (s + 7) * 10**6}")
    (folder / "samples" / "power-nvml.csv").write_text("\n".join(lines) + "\n")
    write(folder, run)
    give(folder, "worker-0", "gpu-0")
    return folder


def give(folder: Path, worker: str, device: str) -> None:
    events = folder / "records" / "harness.jsonl"
    start = f'"component":"{worker}","role":"worker","type":"worker","status":"start"'
    text = events.read_text()
    assert text.count(start) == 1
    events.write_text(text.replace(start, f'{start},"devices":["{device}"]'))
    write(folder, json.loads((folder / "run.json").read_text()))


def write(folder: Path, run: dict) -> Path:
    (folder / "run.json").write_text(json.dumps(run | {"files": checksums(folder)}))
    return folder


def test_the_device_goes_to_its_worker_beside_the_processors(gpu_run):
    plain = extract_run(RECORD, CONTEXT).run
    metrics = extract_run(gpu_run, CONTEXT)
    run, trials = metrics.run, metrics.trials.set_index("trial")
    assert run["job_energy_kwh"] * 3.6e6 == pytest.approx(3600 + 100 * 100)
    assert run["other_energy_kwh"] == pytest.approx(plain["other_energy_kwh"])
    assert trials.loc["worker-0/0", "energy_kwh"] * 3.6e6 == pytest.approx(620 + 20 * 100)
    assert trials.loc["worker-1/0", "energy_kwh"] * 3.6e6 == pytest.approx(300)
    parts = [run[f"{p}_energy_kwh"] for p in ("trials", "idle", "services", "harness")]
    assert sum(parts) == pytest.approx(run["job_energy_kwh"], rel=1e-9)
    assert (run["energy_meter"], run["energy_domains"]) == ("prometheus+nvml", "gpu-0+package")
    assert run["sample_hz"] == 0.1 and run["gap_share"] == 0
    assert run["samples"] == 11  # of the slower meter
    assert run["flags"] == (
        "no record of the gpus of worker-1: their energy is in other; fewer than 60 samples"
    )


def test_a_device_that_two_workers_share_is_split_evenly_and_paid_once(gpu_run):
    plain = extract_run(RECORD, CONTEXT)
    give(gpu_run, "worker-1", "gpu-0")
    metrics = extract_run(gpu_run, CONTEXT)
    run, trials = metrics.run, metrics.trials.set_index("trial")
    assert run["job_energy_kwh"] * 3.6e6 == pytest.approx(3600 + 100 * 100)
    assert run["other_energy_kwh"] == pytest.approx(plain.run["other_energy_kwh"])
    assert trials.loc["worker-0/0", "energy_kwh"] * 3.6e6 == pytest.approx(620 + 20 * 50)
    assert trials.loc["worker-1/0", "energy_kwh"] * 3.6e6 == pytest.approx(300 + 10 * 50)
    parts = [run[f"{p}_energy_kwh"] for p in ("trials", "idle", "services", "harness")]
    assert sum(parts) == pytest.approx(run["job_energy_kwh"], rel=1e-9)
    assert run["oc"] == pytest.approx(plain.run["oc"] + 1.0 * 100 / 3600)
    assert trials.loc["worker-0/0", "cost"] == pytest.approx(20 / 3600 * (0.0396 + 0.5))
    assert run["flags"] == "fewer than 60 samples"


def test_devices_of_ones_own_are_paid_each_and_one_without_a_meter_is_flagged(gpu_run):
    plain = extract_run(RECORD, CONTEXT).run
    give(gpu_run, "worker-1", "gpu-1")  # which is no part of the headline
    run = extract_run(gpu_run, CONTEXT).run
    assert run["oc"] == pytest.approx(plain["oc"] + 2 * 1.0 * 100 / 3600)
    assert run["flags"].startswith("no meter of gpu-1: their energy is not counted")
    unpriced = dataclasses.replace(CONTEXT, price_per_accelerator_h={"tpu": 1.0})
    run = extract_run(gpu_run, unpriced).run
    assert np.isnan(run["oc"]) and "no price of accelerator gpu" in run["flags"]


def test_a_device_that_nobody_meters_is_flagged(gpu_run):
    run = json.loads((gpu_run / "run.json").read_text())
    run |= {"headline_meter": "prometheus", "headline_domains": {"prometheus": ["package"]}}
    run["idle"]["meter"] = "prometheus"
    row = extract_run(write(gpu_run, run), CONTEXT).run
    assert "no meter of accelerators: the energy of gpus is not counted" in row["flags"]
    assert row["job_energy_kwh"] * 3.6e6 == pytest.approx(3600)


def test_a_meter_whose_file_is_missing_is_flagged_and_not_zero(gpu_run):
    (gpu_run / "samples" / "power-nvml.csv").unlink()
    row = extract_run(gpu_run, CONTEXT).run
    assert "domain gpu-0 has no readings" in row["flags"]
    assert "samples/power-nvml.csv: missing" in row["notes"]
    assert row["energy_domains"] == "package"


def test_a_record_without_named_domains_has_all_that_count(gpu_run):
    run = json.loads((gpu_run / "run.json").read_text())
    del run["headline_domains"]
    run["headline_meter"] = "nvml"
    run["meters"]["nvml"]["domains"][1]["counts"] = False
    records = read_run(write(gpu_run, run))
    assert [(d["name"], d["period_s"]) for d in records.domains] == [("gpu-0", 7)]


def test_steps_without_a_reading_are_gaps_in_the_meters_own_period(tmp_path):
    folder = tmp_path / "rep1"
    shutil.copytree(RECORD, folder)
    path = folder / "samples" / "power-prometheus.csv"
    lines = path.read_text().splitlines()
    lines[5] = lines[5].rsplit(",", 1)[0] + ","
    path.write_text("\n".join(lines) + "\n")
    row = extract_run(folder, CONTEXT).run
    assert row["gap_share"] == pytest.approx(0.2)  # from 30 to 50 s
    assert "gaps over 5%" in row["flags"]
    # the counter has gone on meanwhile: nothing is lost
    machine = row["job_energy_kwh"] + row["other_energy_kwh"]
    assert machine * 3.6e6 == pytest.approx(6040)


def test_no_sample_at_all_is_unknown_and_not_zero(tmp_path):
    folder = tmp_path / "rep1"
    shutil.copytree(RECORD, folder)
    (folder / "samples" / "power-prometheus.csv").write_text("t,m,package\n")
    row = extract_run(folder, CONTEXT).run
    assert np.isnan(row["job_energy_kwh"]) and np.isnan(row["ept_kwh"])
    assert "energy unknown" in row["flags"]


def test_the_trace_names_both_meters(gpu_run, capsys):
    assert trace_command(gpu_run, as_json=False) == 0
    assert "counter (meter: prometheus+nvml)" in capsys.readouterr().out


def test_readings_of_different_moments_on_one_axis():
    one = Power(np.array([0.0, 2.0, 4.0]), {"a": np.array([1.0, np.nan, 3.0])})
    two = Power(np.array([1.0, 2.0]), {"b": np.array([7.0, 8.0])})
    both = merged([one, two])
    assert both.times_ns.tolist() == [0, 1, 2, 4]
    np.testing.assert_array_equal(both.values["a"], [1, np.nan, np.nan, 3])
    times, values = both.of("a")
    assert times.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(values, [1, np.nan, 3])
    assert [column.tolist() for column in both.of("b")] == [[1, 2], [7, 8]]
    assert merged([one]) is one
    assert merged([]).values == {}
