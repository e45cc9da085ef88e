"""The prometheus meter against a real Prometheus and a real exporter (`make test-slow`)."""

from __future__ import annotations

import json
import time
import types

import numpy as np
import pytest
from tests.contexts import PLAIN
from tests.meters.promserver import failing
from tests.meters.realprom import (
    DRAM_W,
    EXPORTER,
    PACKAGE,
    QUERIES,
    SERVER,
    Forwarded,
    RealPrometheus,
    skip_without_programs,
    until,
)

from trialwatt import clock
from trialwatt.clock import Stamp, now
from trialwatt.config.models import Testbed
from trialwatt.lifecycle.collect import collect_command
from trialwatt.meters import prometheus, prometheus_api
from trialwatt.meters.base import MeterError, Past
from trialwatt.meters.prometheus import PrometheusMeter
from trialwatt.metrics.extract import extract_run
from trialwatt.metrics.readings import covered, domain_energy

pytestmark = pytest.mark.slow
LIFE = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    skip_without_programs()
    made = RealPrometheus(tmp_path_factory.mktemp("prometheus"))
    yield made
    made.close()


def section(url: str, **queries) -> dict:
    queries = queries or QUERIES
    return {"url": url, "queries": queries, "step_s": 1, "retries": 1, "timeout_s": 30}


def bed(real, **queries) -> Testbed:
    return Testbed(meters=["prometheus"], prometheus=section(real.url, **queries))


def collected(meter, start, end):
    """What the meter has of this time once its end can be had."""
    until(lambda: (now().mono_ns - end.mono_ns) / 1e9 > meter.settle_s, "the server's time")
    return meter.collect(start, end)


def watts(rows, name: str) -> np.ndarray:
    known = [(stamp.mono_ns, read[name]) for stamp, read in rows if name in read]
    times, values = np.array(known, float).T
    return np.diff(values) * 1e3 / np.diff(times)


def energy(found, name: str, start: Stamp, end: Stamp, period_s: float = 1.0):
    """As the metrics make it of these rows."""
    times = np.array([stamp.mono_ns - start.mono_ns for stamp, _ in found.rows], float)
    values = np.array([read.get(name, np.nan) for _, read in found.rows], float)
    window = (0.0, float(end.mono_ns - start.mono_ns))
    return domain_energy(times, values, "uj", "counter", None, window, period_s * 1e9)


def joules(known) -> float:
    return float(known.energy.values[-1] - known.energy.values[0])


def test_rates_at_the_moments_of_the_scrapes(real):
    meter = PrometheusMeter.open(bed(real))
    real.zones.watts = 20.0
    real.scrapes(1)
    start = now()
    real.scrapes(5)
    stepped = now()
    real.zones.watts = 60.0
    real.scrapes(5)
    end = now()
    found = collected(meter, start, end)
    meter.close()
    assert found.notes == []
    assert meter.parameters["period_s"] == pytest.approx(1, abs=0.05)
    low = [(s, r) for s, r in found.rows if start.mono_ns <= s.mono_ns <= stepped.mono_ns]
    high = [(s, r) for s, r in found.rows if s.mono_ns >= stepped.mono_ns]
    assert np.median(watts(low, "package")) == pytest.approx(20, rel=0.1)
    assert np.median(watts(high, "package")) == pytest.approx(60, rel=0.1)
    assert np.median(watts(found.rows, "dram")) == pytest.approx(DRAM_W, rel=0.1)
    known = energy(found, "package", start, end)
    expected = (stepped.mono_ns - start.mono_ns) * 20e-9 + (end.mono_ns - stepped.mono_ns) * 60e-9
    assert joules(known) == pytest.approx(expected, rel=0.1)
    assert known.unknown == 0


def test_an_exporter_that_is_away_is_a_gap_over_which_the_counter_tells_the_energy(real):
    meter = PrometheusMeter.open(bed(real))
    real.zones.watts = 30.0
    real.scrapes(1)
    start = now()
    real.scrapes(3)
    real.kill(EXPORTER)
    until(real.is_silent, "a scrape that fails")
    away = now()
    until(lambda: (now().mono_ns - away.mono_ns) > 5e9, "some seconds of silence")
    back = now()
    real.start(EXPORTER)
    until(lambda: not real.is_silent(), "a scrape after it")
    real.scrapes(3)
    end = now()
    found = collected(meter, start, end)
    meter.close()
    empty = [stamp for stamp, read in found.rows if not read]
    assert empty and all(away.mono_ns - 2e9 < s.mono_ns < back.mono_ns + 3e9 for s in empty)
    known = energy(found, "package", start, end)
    silent_s = (back.mono_ns - away.mono_ns) / 1e9
    assert silent_s <= covered(known.gaps) / 1e9 <= silent_s + 5
    whole = (end.mono_ns - start.mono_ns) / 1e9 * 30
    assert joules(known) == pytest.approx(whole, rel=0.1)


def test_a_counter_that_begins_again_is_one_unknown_interval(real):
    meter = PrometheusMeter.open(bed(real))
    real.zones.watts = 25.0
    real.scrapes(1)
    start = now()
    real.scrapes(4)
    real.zones.restart()
    real.scrapes(4)
    end = now()
    found = collected(meter, start, end)
    meter.close()
    known = energy(found, "package", start, end)
    assert known.unknown == 1 and known.why == ("it fell without a wrap (1)",)
    whole = (end.mono_ns - start.mono_ns) / 1e9 * 25
    assert joules(known) == pytest.approx(whole, rel=0.15)


def test_a_server_whose_clock_is_ahead_of_ours(real, monkeypatch):
    """Ours goes behind by 100 s: to the meter it is the same."""
    behind_s = 100.0
    ours = types.SimpleNamespace(
        time=lambda: time.time() - behind_s, monotonic=time.monotonic, sleep=time.sleep
    )

    def now_here() -> Stamp:
        utc, mono = clock.now()
        return Stamp(utc - round(behind_s * 1e9), mono)

    monkeypatch.setattr(prometheus_api, "time", ours)
    monkeypatch.setattr(prometheus, "now", now_here)
    real.zones.watts = 20.0
    real.scrapes(3)
    meter = PrometheusMeter.open(bed(real))
    start = now_here()
    real.scrapes(4)
    real.zones.watts = 80.0
    stepped = now_here()
    real.scrapes(4)
    end = now_here()
    found = collected(meter, start, end)
    meter.close()
    assert meter.parameters["clock_offset_s"] == pytest.approx(behind_s, abs=0.5)
    assert any("100.0" in note and "ahead of ours" in note for note in found.notes)
    assert abs(found.rows[-1][0].utc_ns - end.utc_ns) < 5e9
    late = [(s, r) for s, r in found.rows if s.mono_ns >= stepped.mono_ns]
    early = [(s, r) for s, r in found.rows if start.mono_ns <= s.mono_ns <= stepped.mono_ns]
    assert np.median(watts(early, "package")) == pytest.approx(20, rel=0.1)
    assert np.median(watts(late, "package")) == pytest.approx(80, rel=0.1)


def test_a_server_that_was_killed_has_its_readings_when_it_is_back(real):
    real.zones.watts = 40.0
    real.scrapes(1)
    meter = PrometheusMeter.open(bed(real))
    start = now()
    real.scrapes(5)
    end = now()
    real.scrapes(1)
    real.kill(SERVER)
    with pytest.raises(MeterError, match="cannot be reached"):
        collected(meter, start, end)
    meter.close()
    with pytest.raises(MeterError, match="cannot be reached"):
        PrometheusMeter.open_past(bed(real), Past(start, meter.parameters))
    real.start(SERVER)
    again = PrometheusMeter.open_past(bed(real), Past(start, meter.parameters))
    found = again.collect(start, end)
    again.close()
    assert [domain.name for domain in again.domains] == ["package", "dram"]
    known = energy(found, "package", start, end)
    whole = (end.mono_ns - start.mono_ns) / 1e9 * 40
    assert joules(known) == pytest.approx(whole, rel=0.1)
    until(lambda: real.latest() > end.utc_ns / 1e9 + 2, "scrapes of the server that is back")


def test_a_rate_over_many_periods_lags_and_is_noted(real):
    real.zones.watts = 20.0
    real.scrapes(3)
    smooth = {"query": f"rate({PACKAGE}[20s])", "unit": "watts", "method": "polled"}
    testbed = bed(real, smooth=smooth, package=QUERIES["package"])
    probe = PrometheusMeter.probe(testbed)
    assert "a mean over 20 s" in probe.reason and "raw counter of joules" in probe.reason
    meter = PrometheusMeter.open(testbed)
    start = now()
    real.scrapes(2)
    real.zones.watts = 120.0
    real.scrapes(4)
    end = now()
    found = collected(meter, start, end)
    meter.close()
    assert any("smooth is no counter but a mean over 20 s" in note for note in found.notes)
    seen = [read["smooth"] for _, read in found.rows if "smooth" in read]
    assert max(watts(found.rows, "package")) > 100 > max(seen)


def test_a_whole_run_whose_forwarded_port_breaks_and_is_collected_later(real, run_job, tmp_path):
    real.zones.watts = 35.0
    forwarded = Forwarded(real.url)

    def broken(handler):
        if "query_range" not in handler.path and not any("range" in a for a, *_ in forwarded.asked):
            return False
        return failing(502)(handler)

    forwarded.always = broken
    keys = {"meters": ["prometheus", "model"], "prometheus": section(forwarded.url)}
    folder = run_job(tmp_path, testbed=keys)
    forwarded.close()
    assert "energy unknown" in extract_run(folder, PLAIN).run["flags"]
    said = collect_command(tmp_path, address=real.url)
    assert "had no readings of 100 % of the run, now of" in said
    run = extract_run(folder, PLAIN).run
    seconds = sum(run[f"{step}_ms"] for step in LIFE) / 1000
    machine = (run["job_energy_kwh"] + run["other_energy_kwh"]) * 3.6e6
    assert machine == pytest.approx((35 + DRAM_W) * seconds, rel=0.1)
    assert "prometheus" in json.loads((folder / "run.json").read_text())["collected"]
