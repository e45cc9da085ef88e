"""A whole run whose energy comes from a Prometheus that is asked when it is over."""

from __future__ import annotations

import json

import pytest
from tests.contexts import PLAIN
from tests.meters.scrapes import WATTS, asking, down_at_the_end, scraped

from trialwatt.metrics.extract import extract_run
from trialwatt.records.sealed import record_file


@pytest.fixture
def kepler():
    with scraped() as server:
        yield server


def test_the_energy_of_the_whole_run_undeploy_included(kepler, run_job, tmp_path):
    folder = run_job(tmp_path, testbed=asking(kepler))
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["headline_meter"] == "prometheus"
    assert manifest["headline_domains"] == {"prometheus": ["package"]}
    assert manifest["meter_errors"] == []
    parameters = manifest["meters"]["prometheus"]["parameters"]
    assert parameters["period_s"] == pytest.approx(1, abs=0.2)
    assert abs(parameters["clock_offset_s"]) < 0.1 + parameters["clock_round_trip_s"] / 2
    assert manifest["meters"]["model"]["available"]  # recorded beside it
    for meter in ("prometheus", "model"):
        assert record_file(folder, f"samples/power-{meter}.csv").read_bytes()
    run = extract_run(folder, PLAIN).run
    assert run["energy_method"] == "counter" and run["energy_meter"] == "prometheus"
    steps = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")
    seconds = sum(run[f"{step}_ms"] for step in steps) / 1000
    machine = (run["job_energy_kwh"] + run["other_energy_kwh"]) * 3.6e6
    assert machine == pytest.approx(WATTS * seconds, rel=0.02)
    assert run["gap_share"] < 0.05


def test_a_server_that_goes_down_meanwhile_leaves_no_number(kepler, run_job, tmp_path):
    kepler.always = down_at_the_end(kepler)
    folder = run_job(tmp_path, testbed=asking(kepler))
    manifest = json.loads((folder / "run.json").read_text())
    assert any("HTTP 503" in error for error in manifest["meter_errors"])
    run = extract_run(folder, PLAIN).run
    assert run["job_energy_kwh"] != run["job_energy_kwh"]  # NaN
    assert "energy unknown" in run["flags"] and "HTTP 503" in run["notes"]
