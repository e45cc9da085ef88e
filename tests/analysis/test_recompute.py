"""Other coefficients: the recorded ones give the recorded numbers back, others the formula's."""

import csv
import json
import math

import pandas as pd
import pytest

from trialwatt.analysis.recompute import recompute_run, tables_under
from trialwatt.errors import TrialwattError
from trialwatt.meters.base import MachineLoad
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.model import PowerModel
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.extract import extract_run
from trialwatt.metrics.remodel import remodelled
from trialwatt.records.reader import read_run

CONTEXT = MetricsContext(
    0.03, 0.004, "USD", "2026-01-01", 400.0, "world", 2023, targets={"digits": 0.9}
)
RECORDED = PowerParameters(
    min_w=0.68, max_w=4.11, memory_w_per_gb=0.392, included_gb_per_vcpu=1, source="test"
)
DOUBLE = RECORDED.model_copy(update={"min_w": 1.36, "max_w": 8.22, "memory_w_per_gb": 0.784})


@pytest.fixture
def folder(tmp_path, synthetic_run):
    """A run whose power file was written as the sampler does, by the model meter itself."""
    folder = synthetic_run(tmp_path)
    manifest = json.loads((folder / "run.json").read_text())
    host, meter = manifest["host"], PowerModel(RECORDED)
    memory_gb = host["memory_mb"] / 1024
    with (folder / "samples" / "usage.csv").open() as file:
        machine = [row for row in csv.DictReader(file) if row["component"] == "machine"]
    lines = ["t,m,cpu,memory\n"]
    last_m, last_busy = int(machine[0]["m"]) - 50_000_000, int(machine[0]["cpu_ns"]) - 30_000_000
    for row in machine:
        m, busy = int(row["m"]), int(row["cpu_ns"])
        load = MachineLoad(host["cores"], (busy - last_busy) / (m - last_m), memory_gb)
        watts = meter.read(load)
        texts = [repr(round(watts[name], 6)) for name in ("cpu", "memory")]
        lines.append(",".join([row["t"], row["m"], *texts]) + "\n")
        last_m, last_busy = m, busy
    (folder / "samples" / "power-model.csv").write_text("".join(lines))
    manifest["meters"]["model"]["domains"] = [
        {"name": d.name, "resource": d.resource, "unit": d.unit, "method": d.method}
        for d in meter.domains
    ]
    manifest["idle"] = {"meter": "model", "watts": meter.idle_watts(host["cores"], memory_gb)}
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


def same(a, b, rel):
    assert a.keys() == b.keys()
    for name, value in a.items():
        if isinstance(value, float):
            assert b[name] == pytest.approx(value, rel=rel, abs=1e-18, nan_ok=True), name
        else:
            assert b[name] == value, name


def test_the_recorded_coefficients_give_the_recorded_numbers(folder):
    """To 1e-9, not to the last bit: NumPy rounds to 1 µW by another way than Python does."""
    recorded = extract_run(folder, CONTEXT).run
    assert recorded["job_energy_kwh"] > 0 and recorded["energy_to_goal_kwh"] > 0
    same(recorded, recompute_run(folder, CONTEXT, {"again": RECORDED})["again"], 1e-9)


def test_twice_the_watts_is_twice_the_energy_and_the_same_shares(folder):
    """To 1e-6: the watts of either are rounded to 1 µW."""
    rows = recompute_run(folder, CONTEXT, {"one": RECORDED, "two": DOUBLE})
    for name in ("job_energy_kwh", "ept_kwh", "carbon_g", "energy_to_goal_kwh", "wte_kwh"):
        assert rows["two"][name] == pytest.approx(2 * rows["one"][name], rel=1e-6)
    for name in ("wr", "jct_ms", "oc", "utilisation"):
        assert rows["two"][name] == pytest.approx(rows["one"][name], rel=1e-6)


def test_the_whole_machine_by_hand(folder):
    """Energy of job and others = cores·min·T + busy seconds·(max − min) + memory·T."""
    power = PowerParameters(
        min_w=1, max_w=5, memory_w_per_gb=0.5, included_gb_per_vcpu=2, source="test"
    )
    run = recompute_run(folder, CONTEXT, {"set": power})["set"]
    records = read_run(folder)
    start, end = records.window
    machine = records.usage["machine"]
    inside = (machine.times_ns >= start) & (machine.times_ns <= end)
    busy_s = (machine.cpu_ns[inside][-1] - machine.cpu_ns[inside][0]) / 1e9
    seconds = (end - start) / 1e9
    joules = 16 * 1 * seconds + 4 * busy_s + 0.5 * (64 - 32) * seconds
    total = run["job_energy_kwh"] + run["other_energy_kwh"]
    assert total * 3.6e6 == pytest.approx(joules, rel=1e-6)


def test_a_reading_that_failed_stays_missing(folder):
    path = folder / "samples" / "power-model.csv"
    lines = path.read_text().splitlines()
    for i in (5, 6, 7):
        lines[i] = ",".join(lines[i].split(",")[:2]) + ",,"
    path.write_text("\n".join(lines) + "\n")
    recorded = extract_run(folder, CONTEXT).run
    assert recorded["gap_share"] > 0
    same(recorded, recompute_run(folder, CONTEXT, {"again": RECORDED})["again"], 1e-9)


def test_a_measured_run_is_left_alone(tmp_path, synthetic_run):
    folder = synthetic_run(tmp_path, unit="uj")
    records = read_run(folder)
    assert remodelled(records, DOUBLE) is records


def test_a_run_without_samples_stays_unknown(folder):
    (folder / "samples" / "usage.csv").unlink()
    run = recompute_run(folder, CONTEXT, {"set": DOUBLE})["set"]
    assert math.isnan(run["job_energy_kwh"]) and "unknown" in run["flags"]


def test_the_table_under_each_set(folder, tmp_path):
    row = {"treatment": "4", "treatment_value": 4.0, "is_baseline": True}
    run = extract_run(folder, CONTEXT).run
    runs = pd.DataFrame(
        [{"experiment": name} | row | run for name in ("r-node", "baseline")]
        + [{"experiment": "r-node"} | row | run | {"energy_method": "counter", "folder": "gone"}]
    )
    tables = tables_under(runs, tmp_path, CONTEXT, {"as it was": RECORDED, "double": DOUBLE})
    assert list(tables) == ["as recorded", "double"]  # the recorded model counts once
    for table in tables.values():
        assert list(table.columns) == list(runs.columns) and len(table) == 3
        assert list(table["experiment"]) == ["r-node", "baseline", "r-node"]
    energies = {name: table["job_energy_kwh"] for name, table in tables.items()}
    factors = energies["double"] / energies["as recorded"]
    assert list(factors) == pytest.approx([2, 2, 1], rel=1e-6)


def test_damaged_records_name_the_folder(folder):
    (folder / "records" / "harness.jsonl").unlink()
    with pytest.raises(TrialwattError, match=r"rep1: .*harness\.jsonl"):
        recompute_run(folder, CONTEXT, {"set": DOUBLE})
