"""Readings that come when a run is long over: a server that was away, and is back."""

from __future__ import annotations

import json
import re
import time

import pytest
from tests.contexts import PLAIN
from tests.meters.promserver import failing
from tests.meters.scrapes import PACKAGE, WATTS, asking, down_at_the_end, scraped

from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.collect import collect_command
from trialwatt.metrics.extract import extract_run
from trialwatt.provenance.trace import trace
from trialwatt.records.later import holder_of_collected
from trialwatt.records.sealed import record_file
from trialwatt.review import plausible

FIRST_ASKED = 2 * 2
"""Range queries of the first time that the meter is asked: values and moments of two zones."""
STEPS = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")


@pytest.fixture
def kepler():
    with scraped() as server:
        yield server


@pytest.fixture
def away(kepler, run_job, tmp_path, testbed_facts, capsys):
    """The folder of a run whose server went down meanwhile, and what the terminal said."""
    kepler.always = down_at_the_end(kepler)
    folder = run_job(tmp_path, testbed=asking(kepler))
    place = tmp_path / "testbeds" / f"{manifest_of(folder)['config']['testbed_name']}.json"
    place.parent.mkdir()
    place.write_bytes(testbed_facts.read_bytes())
    return folder, capsys.readouterr().err


def manifest_of(folder) -> dict:
    return json.loads((folder / "run.json").read_text())


def faults_of(folder, testbed_facts) -> list:
    facts = json.loads(testbed_facts.read_text())
    name = manifest_of(folder)["config"]["testbed"]["power_model"]
    run = plausible.run.read(folder, testbed=facts, power={name: facts["power"]})
    return list(plausible.faults_of(run, time.time_ns()))


def test_a_server_that_comes_back_gives_what_is_missing(away, kepler, tmp_path, testbed_facts):
    folder, err = away
    (line,) = [each for each in err.splitlines() if "trialwatt collect RESULTS" in each]
    assert "energy of this run is not known" in line and "HTTP 503" in line
    before, samples = manifest_of(folder), (folder / "samples.zst").read_bytes()
    flags = extract_run(folder, PLAIN).run["flags"]
    assert "energy unknown (trialwatt collect asks prometheus again" in flags
    assert "trialwatt collect --instead model" in flags

    whole = (folder / "run.json").read_bytes()
    with pytest.raises(TrialwattError, match=r"(?s)HTTP 503.*collect --instead model"):
        collect_command(tmp_path)
    assert (folder / "run.json").read_bytes() == whole  # not a byte
    assert not (folder / holder_of_collected("prometheus")).exists()

    kepler.always = None
    said = collect_command(tmp_path)
    assert said.startswith(folder.relative_to(tmp_path).as_posix())
    assert "had no readings of 100 % of the run, now of 0 % of the run" in said
    run = extract_run(folder, PLAIN).run
    assert run["energy_method"] == "counter" and run["energy_meter"] == "prometheus"
    seconds = sum(run[f"{step}_ms"] for step in STEPS) / 1000
    machine = (run["job_energy_kwh"] + run["other_energy_kwh"]) * 3.6e6
    assert machine == pytest.approx(WATTS * seconds, rel=0.02)
    assert "collected after the run, by trialwatt collect" in run["notes"]
    assert "energy unknown" not in run["flags"]

    after = manifest_of(folder)
    facts = after.pop("collected")["prometheus"]
    assert facts["command"] == "trialwatt collect" and facts["utc_ns"] > after["ended_utc_ns"]
    assert facts["code"]["version"] == after["code"]["version"]
    holder = holder_of_collected("prometheus")
    assert len(after["files"].pop(holder)) == 64
    assert after == before and (folder / "samples.zst").read_bytes() == samples
    assert record_file(folder, "collected-prometheus/power-prometheus.csv").is_file()
    assert faults_of(folder, testbed_facts) == []
    known = trace(folder)
    assert known.ok, known
    assert collect_command(tmp_path) == "nothing is missing in 1 runs"

    forged = manifest_of(folder)
    forged["collected"]["prometheus"]["utc_ns"] = forged["started_utc_ns"]
    (folder / "run.json").write_text(json.dumps(forged))
    (fault,) = faults_of(folder, testbed_facts)
    assert "collected.prometheus.utc_ns" in fault.said and "before the run's end" in fault.said


def test_readings_that_end_before_the_run_are_gone_on_with(kepler, run_job, tmp_path, capsys):
    """The server goes down while the run is taken away."""
    ranges = []

    def down_for_the_second(handler):
        if "query_range" in handler.path:
            ranges.append(1)
        return False if len(ranges) <= FIRST_ASKED else failing(503)(handler)

    kepler.always = down_for_the_second
    folder = run_job(tmp_path, testbed=asking(kepler))
    assert "or not to its end" in capsys.readouterr().err
    kepler.always = None
    said = collect_command(tmp_path)
    # of all of it where the server's first answer came before it had any
    assert re.search(r"had no readings of .*, now of 0 % of the run$", said)
    assert extract_run(folder, PLAIN).run["job_energy_kwh"] > 0
    assert collect_command(tmp_path) == "nothing is missing in 1 runs"


def test_another_meter_is_the_headline_only_where_the_user_says_so(
    away, kepler, tmp_path, testbed_facts
):
    folder, _ = away
    with pytest.raises(TrialwattError, match="HTTP 503"):
        collect_command(tmp_path, instead="rapl")
    said = collect_command(tmp_path, instead="model")
    assert "its energy is that of model, as prometheus has no readings" in said
    run = extract_run(folder, PLAIN).run
    assert run["energy_method"] == "modelled" and run["energy_meter"] == "model"
    assert run["job_energy_kwh"] > 0
    assert "energy is that of model as prometheus has no readings" in run["flags"]
    assert manifest_of(folder)["headline_meter"] == "prometheus"  # as it was measured
    assert faults_of(folder, testbed_facts) == []

    kepler.always = None  # and what was measured has the last word
    collect_command(tmp_path)
    assert extract_run(folder, PLAIN).run["energy_method"] == "counter"
    assert "instead" not in manifest_of(folder)


def test_a_headline_that_has_readings_is_not_replaced(kepler, run_job, tmp_path, testbed_facts):
    folder = run_job(tmp_path, testbed=asking(kepler))
    whole = (folder / "run.json").read_bytes()
    assert collect_command(tmp_path, instead="model") == "nothing is missing in 1 runs"
    assert (folder / "run.json").read_bytes() == whole
    manifest = json.loads(whole)
    domains = {"model": [d["name"] for d in manifest["meters"]["model"]["domains"]]}
    manifest["instead"] = {
        "of": "prometheus",
        "utc_ns": time.time_ns(),
        "command": "an editor",
        "headline_meter": "model",
        "headline_domains": domains,
        "idle": manifest["idle"],
    }
    (folder / "run.json").write_text(json.dumps(manifest))
    assert any("which has readings" in fault.said for fault in faults_of(folder, testbed_facts))


def test_beyond_its_retention_the_server_has_nothing(away, kepler, tmp_path):
    folder, _ = away
    kepler.always = None
    kepler.samples[PACKAGE] = [({"node_name": "a"}, [(time.time(), 1.0)])]
    with pytest.raises(TrialwattError, match="gives nothing"):
        collect_command(tmp_path)
    assert "collected" not in manifest_of(folder)


def test_the_server_may_have_moved(away, kepler, tmp_path):
    folder, _ = away
    with scraped() as moved:
        moved.samples = kepler.samples
        collect_command(tmp_path, address=moved.url)
        assert moved.asked
    assert "collected" in manifest_of(folder)


def test_what_is_no_results_folder_is_said(tmp_path):
    with pytest.raises(TrialwattError, match="no results folder"):
        collect_command(tmp_path)
