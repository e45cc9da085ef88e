"""Records in which something cannot be known: it is unknown and said, and what is known stays."""

import dataclasses
import json
import math

import numpy as np
import pytest
from tests.contexts import PLAIN

from trialwatt.errors import TrialwattError
from trialwatt.metrics.energy import account
from trialwatt.metrics.extract import extract_run
from trialwatt.metrics.series import anytime, energy_by_step, timeline
from trialwatt.metrics.tables import build_tables
from trialwatt.records.outcome import outcome
from trialwatt.records.reader import read_run

CONTEXT = dataclasses.replace(PLAIN, targets={"digits": 0.9})
S = 10**9
OF_WORKERS = ("trials_energy_kwh", "idle_energy_kwh", "wr", "twh_kwh", "train_energy_kwh")


def events(folder, name, change):
    """Change (or, with None, leave out) the events of a file."""
    path = folder / "records" / f"{name}.jsonl"
    kept = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(event) + "\n" for event in kept if event is not None))


def counters(folder, component, change, file="usage.csv"):
    """Change the CPU time (ns since the run's beginning, before → after) of a component."""
    path = folder / "samples" / file
    lines = path.read_text().splitlines()
    first = int(lines[1].split(",")[1])
    for i, line in enumerate(lines[1:], 1):
        fields = line.split(",")
        if fields[2] == component:
            fields[3] = str(int(change(int(fields[1]) - first, int(fields[3]))))
            lines[i] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n")


def changed(run, before, names):
    """Which of these columns are not as before."""
    return {n for n in names if run[n] != pytest.approx(before[n], rel=1e-9, nan_ok=True)}


@pytest.mark.parametrize("by_s", [3600, -3600, 30, -30])
@pytest.mark.parametrize("utc_too", [True, False])
def test_a_workers_clock_that_is_wrong(run_folder, by_s, utc_too):
    before = extract_run(run_folder, CONTEXT).run

    def shifted(event):
        return event | {"m": event["m"] + by_s * S, "t": event["t"] + utc_too * by_s * S}

    events(run_folder, "worker-0", shifted)
    metrics = extract_run(run_folder, CONTEXT)
    run, trials = metrics.run, metrics.trials
    mine = trials["worker"] == "worker-0"
    assert "the clock of worker-0 is not known" in run["flags"]
    assert trials.loc[mine, ["energy_kwh", "cpu_s", "duration_ms", "cost"]].isna().all(axis=None)
    assert trials.loc[~mine, "energy_kwh"].min() > 0
    assert all(math.isnan(run[name]) for name in OF_WORKERS)
    assert math.isnan(run["time_to_goal_ms"]) and math.isnan(run["energy_to_goal_kwh"])
    assert run["goal_reached"] is True and math.isnan(run["surplus_energy_kwh"])
    known = ("jct_ms", "oc", "job_energy_kwh", "ept_kwh", "services_energy_kwh", "carbon_g")
    assert changed(run, before, known) == set()
    assert not (timeline(run_folder)["worker"] == "worker-0").any()
    assert anytime(run_folder).empty and energy_by_step(run_folder)["energy_kwh"].isna().any()
    build_tables([run_folder], [], CONTEXT, run_folder.parent / "tables")  # and others' with it


def test_a_clock_that_is_wrong_within_the_run_is_flagged(run_folder):
    """No trial leaves the time of its worker; that the two clocks differ is in UTC."""
    events(run_folder, "worker-0", lambda e: e | {"t": e["t"] + 5 * S})
    flags = extract_run(run_folder, CONTEXT).run["flags"]
    assert flags == "the clock of worker-0 is 5.0 s apart from the coordinator's, by UTC"


def test_a_table_that_cannot_be_names_the_run(run_folder, monkeypatch):
    from trialwatt.metrics import tables

    real = tables.extract_run

    def wrong(*args, **keys):
        found = real(*args, **keys)
        found.run["jct_ms"] = -5.0
        return found

    monkeypatch.setattr(tables, "extract_run", wrong)
    folder = json.loads((run_folder / "run.json").read_text())["folder"]
    with pytest.raises(TrialwattError, match=rf"jct_ms holds -5.0 .*folder {folder}/rep1"):
        build_tables([run_folder], [], CONTEXT, run_folder.parent / "tables")


@pytest.mark.parametrize("name", ["worker-1", "storage"])
def test_a_component_of_which_no_record_says_what_it_reserved(run_folder, name):
    events(run_folder, "harness", lambda e: None if e.get("component") == name else e)
    metrics = extract_run(run_folder, CONTEXT)
    run, trials = metrics.run, metrics.trials
    assert f"no record of what {name} reserved: energy and cost unknown" in run["flags"]
    held = ("reserved_core_s", "used_core_s", "reserved_gb_s")
    for column in (
        *held,
        *("job_energy_kwh", "ept_kwh", "carbon_g", "oc", "wr", "wtt_share", "utilisation"),
    ):
        assert math.isnan(run[column]), column
    assert trials["energy_kwh"].isna().all()
    assert run["jct_ms"] > 0


def test_fewer_workers_than_the_configuration_has(run_folder):
    """All that the second one ever wrote is gone, and what was written of it."""
    events(run_folder, "harness", lambda e: None if e.get("component") == "worker-1" else e)
    (run_folder / "records" / "worker-1.jsonl").unlink()
    path = run_folder / "samples" / "usage.csv"
    kept = [x for x in path.read_text().splitlines() if "worker-1" not in x]
    path.write_text("\n".join(kept) + "\n")
    run = extract_run(run_folder, CONTEXT).run
    assert "no record of what 1 of 2 workers reserved: energy and cost unknown" in run["flags"]
    assert math.isnan(run["job_energy_kwh"]) and math.isnan(run["oc"])


def test_trials_that_outlive_their_worker_are_cut(run_folder):
    trials = read_run(run_folder).trials
    ends_ns = int(trials.start_ns[5] + trials.end_ns[5]) // 2

    def gone(event):
        ended = event.get("component") == "worker-0" and event["status"] == "end"
        return event | ({"m": ends_ns} if ended else {})

    events(run_folder, "harness", gone)
    events(
        run_folder,
        "worker-0",
        lambda e: None if int(e.get("trial", "/0").split("/")[1]) > 5 else e,
    )
    metrics, records = extract_run(run_folder, CONTEXT), read_run(run_folder)
    assert "1 trials outlive their worker; cut there" in metrics.run["notes"]
    assert records.trials.end_ns[5] == ends_ns and records.trials.cut_ns[5] > 0
    assert metrics.run["flags"] == ""


@pytest.mark.parametrize(("gap_s", "cut"), [(0.5, False), (3, True)])
def test_a_trial_may_wait_for_the_process_that_replaces_its_workers(run_folder, gap_s, cut):
    before = read_run(run_folder).trials
    gone_ns = int(before.start_ns[5]) + 10**7
    again_ns = gone_ns + int(gap_s * S)
    assert (before.end_ns[5] > again_ns) or cut
    path = run_folder / "records" / "harness.jsonl"
    own = [e for e in map(json.loads, path.read_text().splitlines()) if e.get("component")]
    start = next(e for e in own if e["component"] == "worker-0" and e["status"] == "start")
    end = next(e for e in own if e["component"] == "worker-0" and e["status"] == "end")
    more = [end | {"m": gone_ns, "cpu_ns": 0}, start | {"m": again_ns}]
    text = path.read_text() + "".join(json.dumps(e) + "\n" for e in more)
    path.write_text(text)
    trials = read_run(run_folder).trials
    assert (trials.end_ns[5] == gone_ns) == cut and (trials.cut_ns[5] > 0) == cut


def test_a_machine_whose_counter_falls(run_folder):
    before = extract_run(run_folder, CONTEXT).run
    counters(run_folder, "machine", lambda t, c: c + 100 * S * (t < 8 * S))
    run = extract_run(run_folder, CONTEXT).run
    assert "CPU counter of machine falls" in run["flags"] and run["gap_share"] > before["gap_share"]
    assert run["job_energy_kwh"] == pytest.approx(before["job_energy_kwh"], rel=0.05)
    assert run["other_energy_kwh"] == pytest.approx(before["other_energy_kwh"], rel=0.05)


def test_a_worker_that_uses_more_than_the_machine_can(run_folder):
    before = extract_run(run_folder, CONTEXT)
    counters(run_folder, "worker-0", lambda t, c: c + 50 * S * (t > 10.05 * S))
    metrics = extract_run(run_folder, CONTEXT)
    assert "CPU counter of worker-0 falls, or rises" in metrics.run["flags"]
    assert 0 < metrics.run["gap_share"] < 0.1
    was, now = before.trials["energy_kwh"], metrics.trials["energy_kwh"]
    assert metrics.run["job_energy_kwh"] == pytest.approx(before.run["job_energy_kwh"], rel=0.05)
    assert (np.abs(now - was) < 0.05 * was).sum() >= len(was) - 4


@pytest.mark.parametrize("idle_w", [2.0, None])
def test_an_accelerators_energy_above_its_idle_power_is_dynamic(run_folder, idle_w):
    manifest = json.loads((run_folder / "run.json").read_text())
    meter = manifest["headline_meter"]
    manifest["meters"][meter]["domains"].append(
        {"name": "gpu-0", "resource": "accelerator", "unit": "w", "method": "polled"}
    )
    manifest.pop("headline_domains", None)
    manifest["idle"]["watts"]["gpu-0"] = idle_w
    manifest["config"]["workload"]["workers"]["accelerator"] = "gpu"
    (run_folder / "run.json").write_text(json.dumps(manifest))
    path = run_folder / "samples" / f"power-{meter}.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{head},gpu-0", *(f"{row},10.0" for row in rows)]) + "\n")
    events(
        run_folder,
        "harness",
        lambda e: e | ({"devices": ["gpu-0"]} if e.get("component") == "worker-0" else {}),
    )
    records = read_run(run_folder)
    found = account(records, np.empty(0), np.ones(1))
    records.manifest["idle"]["watts"]["gpu-0"] = 10.0
    static = account(records, np.empty(0), np.ones(1))
    mine = records.trials.worker == 0
    spent_s = (records.trials.end_ns - records.trials.start_ns)[mine] / 1e9
    moved = (static.trial_static_j - found.trial_static_j)[mine]
    assert moved == pytest.approx((10 - (idle_w or 0)) * spent_s)
    assert (found.trial_dynamic_j - static.trial_dynamic_j)[mine] == pytest.approx(moved)
    assert any("no idle power of gpu-0" in note for note in found.notes) == (idle_w is None)


def test_two_ends_of_one_trial_that_differ(run_folder):
    path = run_folder / "records" / "worker-0.jsonl"
    lines = path.read_text().splitlines()
    end = next(json.loads(x) for x in lines if json.loads(x).get("status") == "end")
    more = end | {"m": end["m"] + 5, "t": end["t"] + 5, "outcome": "failed", "reason": "lost"}
    path.write_text("\n".join([*lines, json.dumps(more)]) + "\n")
    run = extract_run(run_folder, CONTEXT).run
    assert run["flags"] == "1 trials have two ends that differ; the earlier one counts"
    assert "there twice" not in run["notes"] and run["trials_failed"] == 0


def test_an_end_before_its_start(run_folder):
    def early(event):
        if event.get("trial") == "worker-0/3" and event.get("status") == "end":
            event |= {"m": event["m"] - 15 * S, "t": event["t"] - 15 * S}
        return event

    events(run_folder, "worker-0", early)
    metrics = extract_run(run_folder, CONTEXT)
    unknown = metrics.trials["energy_kwh"].isna()
    assert metrics.trials.loc[unknown, "trial"].tolist() == ["worker-0/3"]
    assert "1 trials end before they start: their energy is not known" in metrics.run["flags"]
    assert all(math.isnan(metrics.run[name]) for name in ("trials_energy_kwh", "twh_kwh"))
    assert metrics.run["job_energy_kwh"] > 0


@pytest.mark.parametrize("scores", [{}, {"macro_f1": None}, {"accuracy": 0.5}])
def test_a_trial_without_a_score_has_not_completed(run_folder, scores):
    def unscored(event):
        done = event.get("trial") == "worker-0/3" and event.get("status") == "end"
        return event | ({"scores": scores} if done else {})

    events(run_folder, "worker-0", unscored)
    metrics = extract_run(run_folder, CONTEXT)
    row = metrics.trials.set_index("trial").loc["worker-0/3"]
    assert (row["outcome"], row["reason"], row["waste_class"]) == ("failed", "nan", "failed")
    assert metrics.run["trials_failed"] == 1 and metrics.run["trials_completed"] == 19
    assert "1 trials completed without a score; they failed (nan)" in metrics.run["notes"]


def test_a_trial_of_fewer_epochs_is_no_duplicate(run_folder):
    before = extract_run(run_folder, CONTEXT)
    twice = before.trials[before.trials["waste_class"] == "duplicate"]["trial"].iloc[-1]

    def shorter(event):
        done = event.get("trial") == twice and event.get("status") == "end"
        return event | ({"epochs": 0} if done else {})

    events(run_folder, twice.split("/")[0], shorter)
    after = extract_run(run_folder, CONTEXT)
    assert after.trials.set_index("trial").loc[twice, "waste_class"] == ""
    assert after.run["trials_duplicate"] == before.run["trials_duplicate"] - 1


def test_a_step_that_ends_before_it_starts_and_one_that_ends_twice(run_folder):
    def early(event):
        if event.get("step") == "test" and event["status"] == "end":
            event |= {"m": event["m"] - S}
        return event

    path = run_folder / "records" / "harness.jsonl"
    ends = next(x for x in path.read_text().splitlines() if '"collect", "status": "end"' in x)
    more = json.loads(ends)
    events(run_folder, "harness", early)
    with path.open("a") as file:
        file.write(json.dumps(more | {"m": more["m"] + 7, "t": more["t"] + 7}) + "\n")
    metrics = extract_run(run_folder, CONTEXT)
    assert metrics.run["test_ms"] == pytest.approx(100)  # until the next one begins
    assert "step test ends before it starts" in metrics.run["flags"]
    assert "step collect ends twice; the earlier one counts" in metrics.run["flags"]
    assert outcome(run_folder).jct_ms == pytest.approx(metrics.run["jct_ms"], abs=1e-9)


def test_trials_before_the_search_is_set_up_are_of_no_known_clock(run_folder):
    """They are within the time of their worker, which begins before it."""

    def later(event):
        if event.get("kind") == "component" and event["component"] == "worker-0":
            event |= {"m": event["m"] - 30 * S} if event["status"] == "start" else {}
        if event.get("step") == "deploy" and event["status"] == "start":
            event |= {"m": event["m"] - 40 * S}
        return event

    events(run_folder, "harness", later)
    events(run_folder, "worker-0", lambda e: e | {"m": e["m"] - 25 * S, "t": e["t"] - 25 * S})
    run = extract_run(run_folder, CONTEXT).run
    assert "the clock of worker-0 is not known" in run["flags"]
    assert math.isnan(run["time_to_goal_ms"]) and math.isnan(run["trials_energy_kwh"])


@pytest.mark.parametrize("change", [{"phi": {"lr": 0.01, "ls": 128}}, {"number": 77}])
def test_two_starts_of_a_trial_that_differ_are_refused(run_folder, change):
    path = run_folder / "records" / "worker-0.jsonl"
    first = json.loads(path.read_text().splitlines()[0])
    other = change if first["phi"] != change.get("phi") else {"phi": {"lr": 0.001, "ls": 32}}
    with path.open("a") as file:
        file.write(json.dumps(first | other) + "\n")
    with pytest.raises(TrialwattError, match="worker-0/0 starts twice"):
        extract_run(run_folder, CONTEXT)
