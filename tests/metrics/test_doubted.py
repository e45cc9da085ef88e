"""Runs whose counters began again, jumped, or stood there twice: no energy is made of that."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.contexts import PLAIN

from trialwatt.meters.bounds import bound_of
from trialwatt.meters.nvml import Nvml
from trialwatt.metrics.extract import extract_run
from trialwatt.metrics.readings import domain_energy
from trialwatt.records.manifest import write_manifest

RANGE = 65_532_610_987
DIES = ("package-0-die-0", "package-0-die-1")
S = 1_000_000_000
WORKED = Path(__file__).parents[2] / "docs" / "example" / "worked"


@pytest.fixture
def counted(synthetic, tmp_path):
    """A run of 20 s that RAPL has measured at 5 Hz."""
    size = synthetic.Synthetic(trials=20, workers=2, seconds=20, unit="uj", wraps_at=RANGE)
    return synthetic.write_run(tmp_path, size)


def power(folder, edit, names=("cpu",), **domain) -> None:
    """edit: (n,) readings → one column for each of `names`."""
    path = folder / "samples" / "power-rapl.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    columns = edit(np.array([int(row[2]) for row in rows]))
    lines = [
        ",".join([*row[:2], *(str(int(value)) for value in values)])
        for row, values in zip(rows, zip(*columns, strict=True), strict=True)
    ]
    path.write_text("\n".join([f"t,m,{','.join(names)}", *lines]) + "\n")
    manifest = json.loads((folder / "run.json").read_text())
    known = manifest["meters"]["rapl"]["domains"][0] | domain
    manifest["meters"]["rapl"]["domains"] = [known | {"name": name} for name in names]
    manifest["idle"]["watts"] = dict.fromkeys(names, 32.0)
    write_manifest(folder, manifest)


def machine_kwh(run) -> float:
    return run["job_energy_kwh"] + run["other_energy_kwh"]


def test_dies_that_show_one_counter_are_one_domain_of_older_records_too(counted):
    power(counted, lambda v: [v], DIES[:1])
    one = extract_run(counted, PLAIN).run
    power(counted, lambda v: [v, (v + 30_000 * (np.arange(len(v)) % 2)) % RANGE], DIES)
    two = extract_run(counted, PLAIN).run
    assert two["job_energy_kwh"] == pytest.approx(one["job_energy_kwh"], rel=1e-12)
    assert two["energy_domains"] == DIES[0]
    assert f"{DIES[1]} shows the counter of {DIES[0]}: counted once" in two["notes"]


def test_dies_of_their_own_are_added(counted):
    power(counted, lambda v: [v], DIES[:1])
    one = extract_run(counted, PLAIN).run
    power(counted, lambda v: [v, v + 5 * 10**9], DIES)  # the same power, another counter
    two = extract_run(counted, PLAIN).run
    assert machine_kwh(two) == pytest.approx(2 * machine_kwh(one))
    assert two["energy_domains"] == "+".join(DIES) and "counted once" not in (two["notes"] or "")


@pytest.mark.parametrize("before", [10**9, 64 * 10**9])
def test_a_counter_that_began_again_is_a_gap(counted, before):
    power(counted, lambda v: [v + before])
    whole = extract_run(counted, PLAIN).run

    def again(v):
        return [np.concatenate([v[:60] + before, v[60:] - v[60]])]

    power(counted, again)
    run = extract_run(counted, PLAIN).run
    assert machine_kwh(run) == pytest.approx(machine_kwh(whole), rel=0.01)
    assert "1 intervals cannot be known (it fell without a wrap (1))" in run["notes"]
    assert 0 < run["gap_share"] < 0.02 and whole["gap_share"] == 0


@pytest.mark.parametrize(("max_w", "watts", "known"), [(None, 900, True), (100, 900, False)])
def test_a_rise_beyond_the_limit_of_the_hardware_is_a_gap(counted, max_w, watts, known):
    def jump(v):
        return [v + np.where(np.arange(len(v)) < 60, 0, int(watts * 0.4 * 1e6))]

    power(counted, jump, max_w=max_w)
    run = extract_run(counted, PLAIN).run
    assert ("it rose by more than 200 W (1)" in (run["notes"] or "")) is not known
    assert bool(run["gap_share"] == 0) is known


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (
            lambda joules: np.concatenate([joules[:6], joules[6:] - joules[6]]),
            "fell without a wrap",
        ),
        (lambda j: j + np.where(np.arange(len(j)) < 6, 0, 9e6), "more than 20000 W"),
    ],
)
def test_an_exporter_that_began_again_or_leapt_is_a_gap(tmp_path, edit, why):
    """Kepler's counter of the worked example, which knows no range: 10 s of 100."""
    folder = tmp_path / "rep1"
    shutil.copytree(WORKED, folder)
    whole = extract_run(folder, PLAIN).run
    path = folder / "samples" / "power-prometheus.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    joules = edit(np.array([float(row[2]) for row in rows[1:]]) / 1e6)
    for row, value in zip(rows[1:], joules, strict=True):
        row[2] = str(round(value * 1e6))
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    write_manifest(folder, json.loads((folder / "run.json").read_text()))
    run = extract_run(folder, PLAIN).run
    assert why in run["notes"] and "1 intervals cannot be known" in run["notes"]
    assert run["gap_share"] == pytest.approx(0.1) and "gaps over 5%" in run["flags"]
    assert machine_kwh(run) == pytest.approx(machine_kwh(whole), rel=0.1)


def test_polled_watts_that_no_device_draws_are_gaps():
    times = np.arange(6.0) * S
    watts = np.array([300.0, 300, 3e6, 300, 300, 300])
    bound = bound_of(Nvml, "accelerator", max_w=400)
    found = domain_energy(times, watts, "w", "polled", None, (0.0, 5.0 * S), S, bound)
    assert np.diff(found.energy.at(np.array([0.0, 5 * S]))) == pytest.approx(300 * 5)
    assert (found.gaps / S).tolist() == [[1, 3]] and found.why == ("above 800 W (1)",)


def cpu_of(folder, who: str, edit) -> None:
    path = folder / "samples" / "usage.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    own = [row for row in rows if row[2] == who]
    for row, value in zip(own, edit(np.array([int(row[3]) for row in own])), strict=True):
        row[3] = str(int(value))
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    write_manifest(folder, json.loads((folder / "run.json").read_text()))


def began_again(at: int):
    return lambda cpu: np.concatenate([cpu[:at], cpu[at:] - cpu[at]])


def test_a_machine_whose_cpu_counter_began_again_is_a_gap_and_goes_on(counted):
    cpu_of(counted, "machine", lambda cpu: cpu + 900 * S)
    whole = extract_run(counted, PLAIN)
    cpu_of(counted, "machine", began_again(60))
    found = extract_run(counted, PLAIN)
    assert "CPU counter of machine falls" in found.run["flags"]
    assert 0 < found.run["gap_share"] < 0.02
    same = found.trials["energy_kwh"].to_numpy()
    assert same == pytest.approx(whole.trials["energy_kwh"].to_numpy(), rel=0.2)
    assert np.median(abs(same / whole.trials["energy_kwh"].to_numpy() - 1)) < 1e-9


def test_a_component_whose_counter_began_again_goes_on(counted):
    whole = extract_run(counted, PLAIN).run
    cpu_of(counted, "storage", began_again(60))
    run = extract_run(counted, PLAIN).run
    assert "CPU counter of storage falls" in run["flags"]
    assert run["services_energy_kwh"] == pytest.approx(whole["services_energy_kwh"], rel=0.02)
