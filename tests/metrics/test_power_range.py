"""The range of power models: its corners, and that they tell all that a model within it can."""

import itertools
import math

import numpy as np
import pytest
import yaml
from tests.contexts import PLAIN

from trialwatt.analysis.recompute import recompute_run
from trialwatt.config.tables import PowerModel, PowerTable
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.model import machine_watts
from trialwatt.metrics.power_range import BUSY_W, Concave, models
from trialwatt.records.reader import read_run

LINEAR = PowerParameters(
    min_w=1, max_w=5, memory_w_per_gb=0.5, included_gb_per_vcpu=0, source="a test"
)
STEEP = LINEAR.model_copy(update={"min_w": 0.01})  # below a tenth: outside of the range


@pytest.fixture(scope="module")
def shipped(request):
    path = request.config.rootpath / "config" / "power.yaml"
    table = PowerTable.model_validate(yaml.safe_load(path.read_text()))
    return {name: PowerParameters.of(model) for name, model in table.models.items()}


def test_the_corners_of_the_range(shipped):
    found = models({})
    assert len(found) == 6 and len({str(power) for power in found.values()}) == 6
    assert {power.min_w / power.max_w for power in found.values()} == {0.1, 0.7}
    assert {power.memory_w_per_gb for power in found.values()} == {0, 0.4}
    assert {type(power) for power in found.values()} == {PowerParameters, Concave}
    assert min(power.max_w for power in shipped.values()) >= BUSY_W


def test_what_the_corners_tell_already_is_not_counted_again(shipped):
    assert models(shipped) == models({})


def test_equal_sets_outside_of_the_range_count_once():
    same = STEEP.model_copy(update={"source": "another table"})
    found = models({"inside": LINEAR, "steep": STEEP, "again": same})
    assert list(found)[6:] == ["steep"]


def test_concave_power_by_hand():
    power = Concave(**LINEAR.model_dump())
    busy = np.array([0.0, 0.16, 1.0, 4.0, 5.0, math.nan])
    watts = machine_watts(power, 4, busy, 8)["cpu"]
    by_hand = [4, 4 + 4 * 4 * 0.2, 4 + 4 * 4 * 0.5, 20, 24, math.nan]
    assert watts == pytest.approx(by_hand, nan_ok=True)  # above its cores as linear power
    assert machine_watts(power, 4, 1.0, 8)["cpu"] == pytest.approx(12)
    full, idle = (machine_watts(LINEAR, 4, busy, 8)["cpu"] for busy in (4, 0))
    assert (watts[3], watts[0]) == (full, idle)


def test_the_whole_machine_under_concave_power(run_folder):
    run = recompute_run(run_folder, PLAIN, {"c": Concave(**LINEAR.model_dump())})["c"]
    records = read_run(run_folder)
    machine, cores = records.usage["machine"], records.manifest["host"]["cores"]
    start, end = records.window
    joules = 0.0
    for i, (a, b) in enumerate(itertools.pairwise(machine.times_ns)):
        used = (machine.cpu_ns[i + 1] - machine.cpu_ns[i]) / (b - a) / cores
        watts = cores * (1 + 4 * math.sqrt(used)) if used < 1 else cores * (1 + 4 * used)
        joules += watts * max(0, min(b, end) - max(a, start)) / 1e9
    if any(domain["name"] == "memory" for domain in records.domains):
        joules += 0.5 * records.manifest["host"]["memory_mb"] / 1024 * (end - start) / 1e9
    total = (run["job_energy_kwh"] + run["other_energy_kwh"]) * 3.6e6
    assert total == pytest.approx(joules, rel=1e-3)


def test_no_model_within_the_range_says_what_no_corner_says(run_folder, shipped):
    """The same of any two energies of runs: their ratio lies between those of the corners."""
    edge = PowerParameters.of(PowerModel(**shipped["gcp-median"].model_dump(), date="2026-01-01"))
    inner = shipped | {"edge": edge.model_copy(update={"min_w": 0.69 * edge.max_w})}
    rows = recompute_run(run_folder, PLAIN, models({}) | inner)
    for one in ("step_trials_energy_kwh", "idle_energy_kwh", "trials_energy_kwh"):
        ratio = {name: row[one] / row["job_energy_kwh"] for name, row in rows.items()}
        corners = [ratio[name] for name in models({})]
        assert len(set(corners)) > 2
        for name in inner:
            assert min(corners) <= ratio[name] <= max(corners), (one, name)
