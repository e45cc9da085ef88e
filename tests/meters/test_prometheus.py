"""The prometheus meter against a real HTTP server that plays Prometheus, faults included."""

from __future__ import annotations

import base64
import csv
import json
import socket
import time
from contextlib import closing

import numpy as np
import pytest
from tests.meters.promserver import (
    PromServer,
    cut_short,
    dripping,
    failing,
    protected,
    reply,
    sleeping,
)

from trialwatt.clock import Stamp
from trialwatt.config.models import Testbed
from trialwatt.meters import choose, prometheus_api
from trialwatt.meters.base import NO_LABELS, MachineLoad, MeterError
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.prometheus import PrometheusMeter
from trialwatt.records.testbed_facts import measure_idle

POWER = PowerParameters(
    min_w=1, max_w=4, memory_w_per_gb=0.4, included_gb_per_vcpu=0, source="a table"
)
PACKAGE = 'kepler_node_cpu_joules_total{zone="package"}'
DRAM = 'kepler_node_cpu_joules_total{zone="dram"}'
DCGM = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{}"
GPUS = f"max by (Hostname, gpu) ({DCGM})"
NODE = {"node_name": "a", "instance": "10.0.0.1:28282"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(prometheus_api, "BACKOFF_S", 0.01)


@pytest.fixture
def server():
    made = PromServer()
    yield made
    made.close()


class Run:
    """A minute that is over, and the scrapes of it: every `every` s, up to now."""

    def __init__(self, every: float = 5.0, seconds: float = 60.0):
        utc, mono = time.time_ns() - 100 * 10**9, 7_000 * 10**9
        self.start = Stamp(utc, mono)
        self.end = Stamp(utc + int(seconds * 1e9), mono + int(seconds * 1e9))
        first = round(utc / 1e9 - 60, 3) + 0.4
        self.moments = [round(first + i * every, 3) for i in range(int(161 / every))]

    def counter(self, watts: float, scale: float = 1.0, base: float = 1000.0):
        return [(t, base + (t - self.moments[0]) * watts * scale) for t in self.moments]


def bed(server, **keys) -> Testbed:
    section = {"url": server.url, "preset": "kepler", "timeout_s": 30, "retries": 1} | keys
    return Testbed(meters=["prometheus"], prometheus=section)


def kepler(server, run: Run) -> Testbed:
    server.samples[PACKAGE] = [(NODE, run.counter(20.0))]
    server.samples[DRAM] = [(NODE, run.counter(3.0))]
    return bed(server)


def collected(testbed, run, labels=NO_LABELS):
    meter = PrometheusMeter.open(testbed)
    try:
        return meter, meter.collect(run.start, run.end, labels)
    finally:
        meter.close()


def watts_of(rows, name: str) -> np.ndarray:
    """Watts between neighbouring readings of a counter in µJ."""
    known = [(stamp.mono_ns, read[name]) for stamp, read in rows if name in read]
    times, values = np.array(known).T
    return np.diff(values) * 1e3 / np.diff(times)


def distance_s(run: Run, stamp: Stamp) -> float:
    """How far a row is from the scrape that it came from; a measured clock is never exact."""
    return min(abs(stamp.utc_ns / 1e9 - moment) for moment in run.moments)


def doubt_s(meter) -> float:
    """By so much the clock of a server that took its time to answer may be measured wrongly."""
    return 0.05 + meter.parameters["clock_round_trip_s"] / 2


# --- presets ------------------------------------------------------------------------------------


def test_kepler_gives_a_domain_per_zone_at_the_moments_of_the_scrapes(server):
    run = Run()
    meter, found = collected(kepler(server, run), run)
    assert [(d.name, d.resource, d.unit, d.method) for d in meter.domains] == [
        ("package", "cpu", "uj", "counter"),
        ("dram", "memory", "uj", "counter"),
    ]
    stamps = [stamp for stamp, _ in found.rows]
    assert stamps[0].mono_ns < run.start.mono_ns and stamps[-1].mono_ns > run.end.mono_ns
    assert all(distance_s(run, stamp) < doubt_s(meter) for stamp in stamps)
    assert all(s.utc_ns - s.mono_ns == run.start.utc_ns - run.start.mono_ns for s in stamps)
    assert watts_of(found.rows, "package") == pytest.approx(20.0, rel=1e-3)
    assert watts_of(found.rows, "dram") == pytest.approx(3.0, rel=1e-3)
    assert found.notes == [] and found.usage == []
    assert meter.parameters["period_s"] == pytest.approx(5, abs=0.01)
    asked = " ".join(server.queries("query_range"))
    assert "sum" not in asked and asked.count("kepler") == 4  # both zones, values and moments


def test_without_a_dram_zone_that_is_said(server):
    testbed = kepler(server, Run())
    del server.samples[DRAM]
    probe = PrometheusMeter.probe(testbed)
    assert probe.available and [d.name for d in probe.domains] == ["package"]
    assert "no dram" in probe.reason


def test_match_narrows_the_preset_and_is_quoted(server):
    run = Run()
    narrow = 'kepler_node_cpu_joules_total{zone="package",node_name="a \\"b\\""}'
    server.samples[narrow] = [(NODE, run.counter(1.0))]
    probe = PrometheusMeter.probe(bed(server, match={"node_name": 'a "b"'}))
    assert probe.available and len(probe.domains) == 1


def test_several_series_are_never_added_up(server):
    run = Run()
    server.samples[PACKAGE] = [(NODE, run.counter(1)), ({"node_name": "b"}, run.counter(2))]
    probe = PrometheusMeter.probe(bed(server))
    assert not probe.available
    assert "gives 2 series" in probe.reason and "node_name=b" in probe.reason


def test_scaphandre_counts_in_microjoules(server):
    run = Run()
    server.samples["scaph_host_energy_microjoules{}"] = [({}, run.counter(15, 1e6))]
    _, found = collected(bed(server, preset="scaphandre"), run)
    assert watts_of(found.rows, "host") == pytest.approx(15, rel=1e-3)


def test_dcgm_gives_a_domain_per_device_named_as_nvml_names_it(server):
    run = Run()
    devices = [({"Hostname": "h", "gpu": str(i)}, run.counter(100 * (i + 1), 1e3)) for i in (0, 1)]
    server.samples[GPUS] = devices
    meter, found = collected(bed(server, preset="dcgm"), run)
    assert [d.name for d in meter.domains] == ["gpu-0", "gpu-1"]
    assert all(d.resource == "accelerator" and d.method == "counter" for d in meter.domains)
    assert watts_of(found.rows, "gpu-1") == pytest.approx(200, rel=1e-3)
    server.samples[GPUS] = [*devices, ({"Hostname": "other", "gpu": "0"}, run.counter(1))]
    assert "one machine at a time" in PrometheusMeter.probe(bed(server, preset="dcgm")).reason


def test_own_queries_with_their_units_methods_and_labels(server):
    run = Run()
    queries = {
        "rack": {"query": "rack_watts", "unit": "milliwatts", "method": "modelled"},
        "psu": {"query": "psu_joules", "unit": "joules", "resource": "memory", "by": "slot"},
    }
    server.samples["rack_watts"] = [({}, [(t, 450_000.0) for t in run.moments])]
    server.samples["psu_joules"] = [({"slot": s}, run.counter(7)) for s in ("B/2", "A")]
    meter, found = collected(bed(server, preset="custom", queries=queries), run)
    assert [(d.name, d.unit, d.method, d.resource) for d in meter.domains] == [
        ("rack", "w", "modelled", "cpu"),
        ("psu-A", "uj", "counter", "memory"),
        ("psu-B-2", "uj", "counter", "memory"),
    ]
    assert {read["rack"] for _, read in found.rows} == {450.0}
    assert watts_of(found.rows, "psu-B-2") == pytest.approx(7, rel=1e-3)


def test_two_queries_may_not_give_the_same_domain(server):
    run = Run()
    queries = {
        "gpu": {"query": "a", "unit": "watts", "by": "n"},
        "gpu-0": {"query": "b", "unit": "watts"},
    }
    server.samples |= {"a": [({"n": "0"}, run.counter(1))], "b": [({}, run.counter(1))]}
    probe = PrometheusMeter.probe(bed(server, preset="custom", queries=queries))
    assert not probe.available and "the domain gpu-0" in probe.reason


@pytest.mark.parametrize(
    ("match", "labels"),
    [({}, {"namespace": "n"}), ({"namespace": "n"}, {}), ({"namespace": "n"}, {"namespace": "m"})],
)
def test_cadvisor_beside_the_power(server, match, labels):
    """Of the run's own namespace, in which another run has a worker-0 as well."""
    run = Run()
    inside = '{pod!="",container!="",container!="POD",namespace="n"}'
    cpu = f"sum by (pod) (container_cpu_usage_seconds_total{inside})"
    memory = f"sum by (pod) (container_memory_working_set_bytes{inside})"
    server.samples[cpu] = [({"pod": "worker-0"}, run.counter(0.5, base=0))]
    server.samples[memory] = [({"pod": "worker-0"}, [(t, 1e6) for t in run.moments])]
    testbed = kepler(server, run)
    testbed = bed(server, cadvisor={"match": match})
    _, found = collected(testbed, run, labels)
    assert {(who, used) for _, who, _, used in found.usage} == {("worker-0", 1_000_000)}
    growth = found.usage[-1][2] - found.usage[0][2]
    elapsed = found.usage[-1][0].mono_ns - found.usage[0][0].mono_ns
    assert growth == pytest.approx(0.5 * elapsed, rel=0.1)


def test_a_cadvisor_that_knows_none_of_the_containers_is_said(server):
    run = Run()
    testbed = kepler(server, run)
    testbed = bed(server, cadvisor={"component": "na_me"})
    _, found = collected(testbed, run)
    assert found.rows and found.usage == []
    (note,) = found.notes
    assert "cadvisor" in note and 'na_me!=""' in note and "gives nothing" in note


# --- what is missing, doubled or displaced ------------------------------------------------------


def test_missing_scrapes_are_rows_without_values(server):
    run = Run()
    testbed = kepler(server, run)
    server.stale_s = 5
    for query in (PACKAGE, DRAM):
        ((labels, points),) = server.samples[query]
        server.samples[query] = [(labels, points[:20] + points[24:])]
    meter, found = collected(testbed, run)
    empty = [stamp.mono_ns for stamp, read in found.rows if not read]
    assert len(empty) == 4
    moments = [stamp.mono_ns for stamp, _ in found.rows]
    assert moments == sorted(set(moments))
    assert watts_of(found.rows, "package") == pytest.approx(20.0, rel=1e-3)  # over the hole too
    assert meter.parameters["period_s"] == pytest.approx(5, abs=0.01)


def test_one_domain_that_is_missing_leaves_an_empty_field(server, tmp_path):
    run = Run()
    testbed = kepler(server, run)
    server.stale_s = 5
    ((labels, points),) = server.samples[DRAM]
    server.samples[DRAM] = [(labels, [*points[:20], (points[20][0], float("nan")), *points[22:]])]
    with choose.open_available(testbed, POWER) as chosen:
        chosen.collect(tmp_path, run.start, run.end)
    rows = read(tmp_path / "samples" / "power-prometheus.csv")
    assert all(row["package"] for row in rows)
    assert sum(not row["dram"] for row in rows) == 2


def test_steps_finer_than_the_scrapes_repeat_nothing(server):
    run = Run(every=15)
    testbed = kepler(server, run)
    meter, found = collected(testbed, run)
    moments = [stamp.mono_ns for stamp, _ in found.rows]
    assert np.diff(moments) == pytest.approx(15e9, rel=1e-3)
    assert all(read for _, read in found.rows)
    assert meter.parameters["period_s"] == pytest.approx(15, abs=0.01)


def test_long_runs_are_asked_for_in_parts(server, monkeypatch):
    run = Run()
    testbed = kepler(server, run)
    whole = collected(testbed, run)[1]
    count = len(server.queries("query_range"))
    monkeypatch.setattr(prometheus_api, "MAX_POINTS", 4)
    parts = collected(testbed, run)[1]
    assert len(server.queries("query_range")) - count == 4 * 4
    assert [read for _, read in parts.rows] == [read for _, read in whole.rows]


def test_a_series_of_two_exporters_at_once_is_left_empty(server):
    run = Run()
    testbed = kepler(server, run)
    meter = PrometheusMeter.open(testbed)
    points = run.counter(20)
    server.stale_s = 5
    server.samples[PACKAGE] = [(NODE, points[:22]), ({"node_name": "a"}, points[20:])]
    found = meter.collect(run.start, run.end)
    meter.close()
    assert sum("package" not in read for _, read in found.rows) == 2
    assert "2 readings of package came from several series at once" in found.notes[0]
    assert watts_of(found.rows, "package") == pytest.approx(20.0, rel=1e-3)


def test_a_device_that_comes_later_is_named(server):
    run = Run()
    server.samples[GPUS] = [({"Hostname": "h", "gpu": "0"}, run.counter(1))]
    meter = PrometheusMeter.open(bed(server, preset="dcgm"))
    server.samples[GPUS].append(({"Hostname": "h", "gpu": "1"}, run.counter(1)))
    found = meter.collect(run.start, run.end)
    meter.close()
    assert "gpu=1 was not there when the run began" in found.notes[0]
    assert all(read.keys() == {"gpu-0"} for _, read in found.rows)


@pytest.mark.parametrize(("offset", "noted"), [(5.0, True), (-3.0, True), (0.4, False)])
def test_the_servers_clock_is_measured_and_its_readings_are_moved(server, offset, noted):
    run = Run()
    testbed = kepler(server, run)
    server.offset_s = offset
    for query in (PACKAGE, DRAM):
        ((labels, points),) = server.samples[query]
        server.samples[query] = [(labels, [(t + offset, v) for t, v in points])]
    for _ in range(5):
        meter, found = collected(testbed, run)
        if doubt_s(meter) < 0.1:
            break  # the machine was not busy
    assert all(distance_s(run, stamp) < doubt_s(meter) for stamp, _ in found.rows)
    assert meter.parameters["clock_offset_s"] == pytest.approx(offset, abs=doubt_s(meter))
    assert any("clock is" in note for note in found.notes) == noted
    if noted:
        side = "ahead of" if offset > 0 else "behind"
        assert side in found.notes[0] and side in PrometheusMeter.probe(testbed).reason


def test_what_the_server_warns_of_is_kept(server):
    run = Run()
    server.warnings = ["partial response: store b is gone"]
    _, found = collected(kepler(server, run), run)
    assert found.notes == ["prometheus warned: partial response: store b is gone"]


# --- faults -------------------------------------------------------------------------------------


def html(handler):
    reply(handler, 200, b"<html>please log in</html>")


def wrong_shape(handler):
    reply(handler, 200, {"status": "success", "data": {"resultType": "scalar", "result": "?"}})


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (failing(503), "HTTP 503; 2 tries"),
        (failing(429), "HTTP 429"),
        (failing(503, "query timed out in queue"), "query timed out in queue"),
        (failing(400, "parse error: unexpected }"), "HTTP 400: parse error: unexpected }"),
        (failing(404), "no JSON"),
        (failing(403), "wants other credentials"),
        (lambda h: reply(h, 302, b"", [("Location", "http://elsewhere/")]), "a redirection"),
        (sleeping(60), "gave no answer within 0.5 s; 2 tries"),
        (dripping, "gave no answer within 0.5 s"),
        (cut_short, "cannot be reached"),
        (html, "does not answer as Prometheus does: HTTP 200, no JSON"),
        (wrong_shape, "no time"),
        (lambda h: reply(h, 200, b"[]"), "no object"),
        (lambda h: reply(h, 200, {"status": "success"}), "no data"),
        (lambda h: reply(h, 200, {"status": "error", "error": "x"}), "HTTP 200: x"),
    ],
)
def test_a_server_that_fails_is_unavailable_and_says_why(server, fault, said):
    testbed = bed(server, timeout_s=0.5 if "within" in said else 30)
    server.always = fault
    probe = PrometheusMeter.probe(testbed)
    assert not probe.available
    assert server.url in probe.reason and said in probe.reason
    with pytest.raises(MeterError, match=r"^prometheus: "):
        PrometheusMeter.open(testbed)


def test_a_server_that_is_down(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    probe = PrometheusMeter.probe(bed(server, url=url))
    assert not probe.available and f"{url} cannot be reached (Connection refused)" in probe.reason


def test_a_passing_fault_is_tried_again(server):
    run = Run()
    testbed = kepler(server, run)
    server.faults = [failing(503), lambda handler: False, cut_short]
    _, found = collected(testbed, run)
    assert watts_of(found.rows, "package") == pytest.approx(20.0, rel=1e-3)


@pytest.mark.parametrize(
    "data",
    [
        {"resultType": "matrix", "result": {}},
        {"resultType": "matrix", "result": [{"values": [[1, "2"]]}]},
        {"resultType": "matrix", "result": [{"metric": {}, "histograms": []}]},
        {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "many"]]}]},
        {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "2"]]}]},
        {"resultType": "vector", "result": []},
    ],
)
def test_a_malformed_range_is_refused(server, data):
    run = Run()
    meter = PrometheusMeter.open(kepler(server, run))

    def malformed(handler):
        if "query_range" not in handler.path:
            return False
        return reply(handler, 200, {"status": "success", "data": data})

    server.always = malformed
    with pytest.raises(MeterError, match="prometheus: "):
        meter.collect(run.start, run.end)
    meter.close()


def test_nothing_at_all_is_no_zero(server):
    run = Run()
    testbed = kepler(server, run)
    assert "gives nothing; is the exporter scraped?" in (
        PrometheusMeter.probe(bed(server, preset="scaphandre")).reason
    )
    meter = PrometheusMeter.open(testbed)
    server.samples.clear()
    with pytest.raises(MeterError, match="no reading of this run"):
        meter.collect(run.start, run.end)
    meter.close()


def test_without_its_section_it_is_unavailable():
    probe = PrometheusMeter.probe(Testbed())
    assert not probe.available and "no section `prometheus`" in probe.reason


# --- credentials --------------------------------------------------------------------------------


def test_a_token_is_sent_and_stands_nowhere(server, monkeypatch, tmp_path):
    run = Run()
    kepler(server, run)
    monkeypatch.setenv("PROM_TOKEN", "s3cret-token")
    server.always = protected("Bearer s3cret-token")
    testbed = bed(server, token_env="PROM_TOKEN")
    with choose.open_available(testbed, POWER) as chosen:
        chosen.collect(tmp_path, run.start, run.end)
        server.always = lambda h: reply(h, 422, {"error": f"no: {h.headers['Authorization']}"})
        chosen.collect(tmp_path, run.start, run.end)
        said = json.dumps([chosen.facts(), chosen.errors, testbed.model_dump()])
    assert "Bearer ***" in said
    assert "s3cret" not in said + "".join(p.read_text() for p in (tmp_path / "samples").iterdir())


def test_user_and_password(server, monkeypatch):
    kepler(server, Run())
    monkeypatch.setenv("PROM_USER", "me")
    monkeypatch.setenv("PROM_PASSWORD", "pä:ss")
    server.always = protected("Basic " + base64.b64encode("me:pä:ss".encode()).decode())
    assert PrometheusMeter.probe(
        bed(server, user_env="PROM_USER", password_env="PROM_PASSWORD")
    ).available
    monkeypatch.setenv("PROM_PASSWORD", "wrong")
    probe = PrometheusMeter.probe(bed(server, user_env="PROM_USER", password_env="PROM_PASSWORD"))
    assert "HTTP 401" in probe.reason and "wrong" not in probe.reason


def test_a_server_on_this_machine_is_asked_past_a_users_proxy_and_no_other_is(server, monkeypatch):
    with closing(PromServer()) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert PrometheusMeter.probe(kepler(server, Run())).available
        assert proxy.asked == []
        PrometheusMeter.probe(bed(proxy, url="http://prometheus.invalid:9090"))
        assert {headers["Host"] for *_, headers in proxy.asked} == {"prometheus.invalid:9090"}


def test_a_variable_that_is_not_set_is_named(server, monkeypatch):
    monkeypatch.delenv("PROM_TOKEN", raising=False)
    probe = PrometheusMeter.probe(bed(server, token_env="PROM_TOKEN"))
    assert not probe.available and "PROM_TOKEN" in probe.reason
    assert server.asked == []


def test_credentials_of_a_netrc_are_not_sent(server, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    PrometheusMeter.probe(kepler(server, Run()))
    assert server.asked and all("Authorization" not in headers for *_, headers in server.asked)


# --- in a run -----------------------------------------------------------------------------------


def read(path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_is_asked_after_the_run_and_a_failure_keeps_what_is_there(server, tmp_path):
    run = Run()
    testbed = kepler(server, run)
    path = tmp_path / "samples" / "power-prometheus.csv"
    early = Stamp(run.start.utc_ns + 30 * 10**9, run.start.mono_ns + 30 * 10**9)
    with choose.open_available(testbed, POWER) as chosen:
        assert chosen.headline == "prometheus" and not chosen.meters["prometheus"].sampled
        assert chosen.meters["prometheus"].read(MachineLoad(1, 0, 1)) == {}
        chosen.collect(tmp_path, run.start, early)
        first = read(path)
        chosen.collect(tmp_path, run.start, run.end)
        whole = path.read_bytes()
        assert len(read(path)) > len(first) and chosen.errors == []
        server.always = failing(503)
        chosen.collect(tmp_path, run.start, run.end)
        assert path.read_bytes() == whole
        assert "HTTP 503" in chosen.errors[0]
        facts = json.loads(json.dumps(chosen.facts()))["prometheus"]
    assert path.read_text().splitlines()[0] == "t,m,package,dram"
    assert all(row["package"].isdigit() for row in read(path))
    assert facts["parameters"]["queries"] == {"package": PACKAGE, "dram": DRAM}
    assert {"url", "period_s", "clock_offset_s", "step_s"} <= facts["parameters"].keys()
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["power-prometheus.csv"]


def test_it_waits_until_the_last_reading_can_be_had(server, tmp_path, monkeypatch):
    run = Run()
    slept = []
    with choose.open_available(kepler(server, run), POWER) as chosen:
        monkeypatch.setattr(choose.time, "sleep", slept.append)
        monkeypatch.setattr(choose.time, "monotonic_ns", lambda: run.end.mono_ns + 10**9)
        chosen.collect(tmp_path, run.start, run.end, settle=True)
    assert slept == [pytest.approx(5.0)]  # a step and a second, of which one has passed


def test_idle_power_is_asked_for_after_the_window(server, monkeypatch):
    now = time.time()
    points = [(now - 60 + i, 1000 + 30.0 * i) for i in range(120)]
    server.samples[PACKAGE] = [(NODE, points)]
    testbed = bed(server, step_s=1)
    meter = PrometheusMeter.open(testbed)
    meter.settle_s = 1.0
    idle = measure_idle({"prometheus": meter}, seconds=2.5, hz=5)["meters"]["prometheus"]
    assert idle["by"] == "measurement"
    assert idle["domains"]["package"]["watts"] == pytest.approx(30, rel=0.01)
    server.samples[PACKAGE] = [(NODE, points[::60])]  # however long the window gets
    few = measure_idle({"prometheus": meter}, seconds=0.1, hz=5)["meters"]["prometheus"]
    assert few["by"] == "none" and "raise idle_s" in few["reason"]
    server.always = failing(503)
    down = measure_idle({"prometheus": meter}, seconds=0.1, hz=5)["meters"]["prometheus"]
    assert down["by"] == "none" and "HTTP 503" in down["reason"]
    meter.close()
