"""The share of a machine's CPU time that nobody of the run has used."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contexts import PLAIN

from trialwatt.metrics.extract import extract_run
from trialwatt.metrics.foreign import NOT_KNOWN
from trialwatt.metrics.formulas import FOREIGN_ROUNDING, foreign_share

CONTEXT = dataclasses.replace(PLAIN, targets={"digits": 0.9})
S = 10**9
shares = st.floats(0, 1)


@given(st.integers(1, 256), st.floats(1e9, 1e13), st.tuples(shares, shares, shares))
def test_what_is_used_by_nobody_and_stolen_is_the_share(cores, window_ns, parts):
    """Of any division of a machine's time among parts, others, a hypervisor and nobody."""
    whole = cores * window_ns
    ours, others, stolen = (each / max(1, sum(parts)) * whole for each in parts)
    found = foreign_share(ours + others, ours, stolen, cores, window_ns)
    assert found == pytest.approx((others + stolen) / whole, abs=1e-9)
    assert 0 <= found <= 1
    # some kernels count stolen time as the parts' own
    assert foreign_share(ours, ours + stolen, stolen, cores, window_ns) == pytest.approx(
        stolen / whole, abs=1e-9
    )


@given(st.floats(0, 1))
def test_parts_that_are_more_than_the_machine_are_rounding_or_unknown(beyond):
    found = foreign_share(100 * S, (100 + beyond * 20) * S, 0, 4, 100 * S)
    allowed = FOREIGN_ROUNDING * 400 + 0.4  # one percent, and a tenth of a second per core
    assert found == 0 if beyond * 20 < allowed else math.isnan(found)


def usage(folder, change):
    """Change the lines of usage.csv: t, m since its beginning, name, CPU time → CPU time or None;
    rows (m since its beginning, name, CPU time) are added."""
    path = folder / "samples" / "usage.csv"
    head, *lines = path.read_text().splitlines()
    first = int(lines[0].split(",")[1])
    kept = [head]
    for line in lines:
        t, m, name, cpu, memory = line.split(",")
        found = change(int(m) - first, name, int(cpu))
        kept += [] if found is None else [f"{t},{m},{name},{found},{memory}"]
    path.write_text("\n".join(kept) + "\n")


def stolen(folder, *rows):
    """Add rows (s since the first sample, stolen s) as the sampler writes them."""
    path = folder / "samples" / "usage.csv"
    t, m = map(int, path.read_text().splitlines()[1].split(",")[:2])
    with path.open("a") as file:
        for at, seconds in rows:
            file.write(f"{t + round(at * S)},{m + round(at * S)},stolen,{round(seconds * S)},\n")


def read(folder):
    return extract_run(folder, CONTEXT).run


def seconds_of(folder) -> tuple[float, int]:
    """The run's window (s), and the machine's cores."""
    run = read(folder)
    steps = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")
    cores = json.loads((folder / "run.json").read_text())["host"]["cores"]
    return sum(run[f"{step}_ms"] for step in steps) / 1000, cores


def test_what_others_use_is_measured_and_flagged_above_five_percent(run_folder):
    before, (window, cores) = read(run_folder), seconds_of(run_folder)
    assert before["foreign_cpu_share"] == pytest.approx(0.1 / cores, rel=0.01)
    assert "foreign" not in before["flags"]
    usage(run_folder, lambda m, name, cpu: cpu + (name == "machine") * round(0.3 * cores * m))
    run = read(run_folder)
    assert run["foreign_cpu_share"] == pytest.approx(0.3 + 0.1 / cores, rel=0.01)
    assert "foreign CPU time 31% of the machine (over 5%)" in run["flags"]
    allow_busy(run_folder)
    assert "(over 5%), which the testbed allows" in read(run_folder)["flags"]
    assert window > 0


def allow_busy(folder):
    file = folder / "run.json"
    manifest = json.loads(file.read_text())
    manifest["config"]["testbed"] |= {"allow_busy_machine": True, "quiet_wait_s": 0}
    file.write_text(json.dumps(manifest))


def test_stolen_time_is_foreign_and_no_component(run_folder):
    """It stands still until the next row: what was stolen before the run is none of its."""
    before, (window, cores) = read(run_folder), seconds_of(run_folder)
    stolen(run_folder, (0, 5), (2, 5 + cores * window * 0.04), (10, 5 + cores * window * 0.08))
    run = read(run_folder)
    assert run["foreign_cpu_share"] == pytest.approx(before["foreign_cpu_share"] + 0.08)
    assert "foreign CPU time" in run["flags"] and "reserved" not in run["flags"]
    same = ("job_energy_kwh", "other_energy_kwh", "oc", "wr", "gap_share", "notes")
    assert {name: run[name] for name in same} == {name: before[name] for name in same}


@pytest.mark.parametrize("rows", [[(0, 5), (5, 3)], [(0, 5), (5, 5000)]])
def test_a_counter_of_stolen_time_that_cannot_be_tells_nothing(run_folder, rows):
    stolen(run_folder, *rows)
    run = read(run_folder)
    assert math.isnan(run["foreign_cpu_share"]) and run["job_energy_kwh"] > 0


@pytest.mark.parametrize("lost", ["worker-0", "harness", "machine"])
def test_it_is_not_known_where_somebodys_time_is_not(run_folder, lost):
    usage(run_folder, lambda m, name, cpu: None if name == lost else cpu)
    path = run_folder / "records" / "harness.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for event in events:
        if event.get("component") == lost:
            event.pop("cpu_ns", None)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    for file in (run_folder / "records").glob("worker-0.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        for line in lines:
            line.pop("cpu_ns", None)
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = read(run_folder)
    assert math.isnan(run["foreign_cpu_share"]) and "foreign" not in run["flags"]


def test_it_is_not_known_where_the_machine_was_not_sampled_to_the_end(run_folder):
    usage(run_folder, lambda m, name, cpu: cpu if m < 10 * S else None)
    assert math.isnan(read(run_folder)["foreign_cpu_share"])


def test_it_is_not_known_where_a_counter_leaps(run_folder):
    usage(run_folder, lambda m, name, cpu: cpu + (name == "machine" and m > 8 * S) * 900 * S)
    assert math.isnan(read(run_folder)["foreign_cpu_share"])


def test_it_is_not_known_on_the_nodes_of_a_cluster_which_is_said(run_folder):
    assert NOT_KNOWN not in read(run_folder)["notes"]
    file = run_folder / "run.json"
    manifest = json.loads(file.read_text())
    manifest["host"]["nodes"] = 2
    file.write_text(json.dumps(manifest))
    run = read(run_folder)
    assert math.isnan(run["foreign_cpu_share"])
    assert NOT_KNOWN in run["notes"]


@pytest.mark.parametrize(("share", "flagged"), [(None, 0), (0.05, 0), (0.06, 1), (0.999, 1)])
def test_idle_power_of_a_machine_that_was_not_idle_flags_the_run(run_folder, share, flagged):
    manifest = json.loads((run_folder / "run.json").read_text())
    manifest["idle"]["busy_share"] = share
    (run_folder / "run.json").write_text(json.dumps(manifest))
    flags = extract_run(run_folder, CONTEXT).run["flags"]
    assert flags.count("idle power was measured while") == flagged


@pytest.mark.parametrize(
    ("added", "flagged"),
    [
        (None, ""),
        ({"containers": 0}, ""),
        ({"containers": 1, "cpu": 0.1, "memory_mb": 64}, "put 1 more container into each pod"),
        ({"containers": 2, "cpu": 0, "memory_mb": 0}, "put 2 more containers into each pod"),
    ],
)
def test_containers_that_a_cluster_puts_beside_ours_flag_the_run(run_folder, added, flagged):
    path = run_folder / "run.json"
    manifest = json.loads(path.read_text())
    manifest["enforcement"] = {"kind": "kubernetes", "added": added}
    path.write_text(json.dumps(manifest))
    flags = read(run_folder)["flags"]
    assert ("container" in flags) == bool(flagged) and flagged in flags
