"""A run's metrics: they add up, say what they are, and are never silently wrong."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
from tests.contexts import PLAIN

from trialwatt.config.identity import run_hash
from trialwatt.config.models import RunConfig
from trialwatt.errors import TrialwattError
from trialwatt.metrics.context import IntensitySeries
from trialwatt.metrics.dictionary import RUNS, TRIALS
from trialwatt.metrics.extract import compute, extract_run
from trialwatt.metrics.series import energy_by_step, timeline
from trialwatt.records.manifest import write_manifest
from trialwatt.records.reader import read_run

CONTEXT = dataclasses.replace(PLAIN, pue=1.2, targets={"digits": 0.9})
STEPS = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")


def change(path, edit):
    path.write_text("".join(edit(path.read_text().splitlines(keepends=True))))


def edit_trials(folder, **by_number):
    """Replace keys of the end of worker-0's trials, by their number."""

    def edit(lines):
        for line in lines:
            event = json.loads(line)
            number = event.get("trial", "").rpartition("/")[2]
            if event.get("status") == "end" and f"n{number}" in by_number:
                line = json.dumps(event | by_number[f"n{number}"]) + "\n"
            yield line

    change(folder / "records" / "worker-0.jsonl", edit)


def test_it_has_every_column_but_the_plans(run_folder):
    metrics = extract_run(run_folder, CONTEXT)
    plan = {"experiment", "varied", "treatment", "treatment_value", "is_baseline"}
    assert metrics.run.keys() == {c.name for c in RUNS} - plan
    assert set(metrics.trials.columns) == {c.name for c in TRIALS}


def test_the_winner_and_what_it_was_chosen_from(run_folder):
    metrics = extract_run(run_folder, CONTEXT)
    manifest = json.loads((run_folder / "run.json").read_text())
    best, space = manifest["best"], manifest["config"]["workload"]["space"]
    assert json.loads(metrics.run["best_phi"]) == best["phi"]
    assert json.loads(metrics.run["space"]) == space
    (row,) = metrics.trials[metrics.trials["trial"] == metrics.run["best_trial"]].itertuples()
    assert row.phi == metrics.run["best_phi"]
    assert row.outcome == "completed"


@pytest.mark.parametrize("best", [None, {}, {"score": 0.9, "number": 3}])
def test_an_older_record_does_not_tell_the_winner(run_folder, best):
    manifest = json.loads((run_folder / "run.json").read_text())
    write_manifest(run_folder, manifest | {"best": best})
    run = extract_run(run_folder, CONTEXT).run
    assert run["best_phi"] is None and run["best_trial"] is None


@pytest.mark.parametrize(
    ("sut", "flag", "expected"),
    [
        ("plain", None, True),
        ("optuna", None, False),
        ("other", True, True),
        ("plain", False, False),
    ],
)
def test_the_control_is_what_was_recorded_as_such(run_folder, sut, flag, expected):
    manifest = json.loads((run_folder / "run.json").read_text())
    manifest["config"]["sut"] = sut
    if flag is not None:
        manifest["control"] = flag
    manifest["hash"] = run_hash(RunConfig.model_validate(manifest["config"]))
    write_manifest(run_folder, manifest)
    assert extract_run(run_folder, CONTEXT).run["is_control"] is expected


def test_energy_adds_up(run_folder):
    metrics = extract_run(run_folder, CONTEXT)
    run, trials = metrics.run, metrics.trials
    job = run["job_energy_kwh"]
    assert job > 0
    parts = [run[f"{p}_energy_kwh"] for p in ("trials", "idle", "services", "harness")]
    assert sum(parts) == pytest.approx(job, rel=1e-9)
    assert trials["energy_kwh"].sum() == pytest.approx(run["trials_energy_kwh"], rel=1e-9)
    assert sum(run[f"step_{s}_energy_kwh"] for s in STEPS) == pytest.approx(job, rel=1e-9)
    both = trials["static_energy_kwh"] + trials["dynamic_energy_kwh"]
    assert both.to_numpy() == pytest.approx(trials["energy_kwh"].to_numpy())
    within = sum(run[f"{p}_energy_kwh"] for p in ("load", "train", "validate", "between"))
    assert within < run["step_trials_energy_kwh"]  # services and harness are the rest
    assert run["train_energy_kwh"] == pytest.approx(trials["train_energy_kwh"].sum(), rel=1e-9)
    steps = energy_by_step(run_folder)
    assert steps["energy_kwh"].sum() == pytest.approx(job, rel=1e-9)
    distinct = trials.groupby(["phi", "epochs"]).ngroups
    assert distinct == 20 - run["trials_duplicate"] < 20
    assert run["ept_kwh"] == pytest.approx(job / distinct)
    assert run["wr"] == pytest.approx(run["idle_energy_kwh"] / job)
    assert run["carbon_g"] == pytest.approx(job * 400 * 1.2)
    assert run["cint_g_per_kwh"] == pytest.approx(400)


def test_machine_energy_is_that_of_the_samples(run_folder):
    run = extract_run(run_folder, CONTEXT).run
    rows = (run_folder / "samples" / "power-model.csv").read_text().splitlines()[1:]
    table = np.array([[float(x) for x in row.split(",")] for row in rows])
    start, end = read_run(run_folder).window
    joules = 0.0
    for (_, before, _), (_, now, watts) in itertools.pairwise(table):
        joules += watts * max(0, min(now, end) - max(before, start)) / 1e9
    machine = run["job_energy_kwh"] + run["other_energy_kwh"]
    assert machine == pytest.approx(joules / 3.6e6, rel=1e-9)


def test_times_and_cost(run_folder):
    metrics = extract_run(run_folder, CONTEXT)
    run, trials = metrics.run, metrics.trials
    assert run["jct_ms"] == pytest.approx(20_000 + 200 + 100)
    assert run["deploy_ms"] == 1000
    split = trials["load_ms"] + trials["train_ms"] + trials["validate_ms"]
    assert split.to_numpy() == pytest.approx(trials["duration_ms"].to_numpy())
    per_hour = 2 * 0.03 + 2 * 0.004
    held_h = sum(e - s for c in read_run(run_folder).components for s, e in c.lives) / 3.6e12
    assert run["oc"] == pytest.approx(held_h * per_hour)
    assert trials["cost"].to_numpy() == pytest.approx(trials["duration_ms"] / 3.6e6 * per_hour)
    assert run["throughput_per_h"] == pytest.approx(20 / (run["jct_ms"] / 3.6e6))
    assert run["utilisation"] == pytest.approx(trials["cpu_s"].sum() / (2 * 2 * 21.3), rel=0.05)


def test_what_the_whole_job_held_and_used(run_folder):
    run, records = extract_run(run_folder, CONTEXT).run, read_run(run_folder)
    lives = [(c, sum(e - s for s, e in c.lives) / 1e9) for c in records.components]
    assert run["reserved_core_s"] == pytest.approx(sum(c.cpu * s for c, s in lives))
    assert run["reserved_gb_s"] == pytest.approx(sum(c.memory_mb / 1024 * s for c, s in lives))
    harness = records.usage["harness"]
    inside = (harness.times_ns >= records.window[0]) & (harness.times_ns <= records.window[1])
    used = [np.ptp(harness.cpu_ns[inside]), *(max(records.usage[c.name].cpu_ns) for c, _ in lives)]
    assert {c.type for c, _ in lives} > {"worker"} and min(used) > 0
    assert run["used_core_s"] == pytest.approx(sum(used) / 1e9, rel=0.02)


@pytest.mark.parametrize("name", ["worker-0", "harness"])
def test_what_one_counter_does_not_tell_the_job_is_not_known_to_have_used(run_folder, name):
    """A counter that falls; for a worker the one of its trials too, which begins again."""

    def fall(lines):
        rows = [row for row in lines if f",{name}," in row]
        half = {row: None for row in rows[len(rows) // 2 :]}
        for row in lines:
            t, m, who, cpu, rest = row.split(",") if row in half else (None,) * 5
            yield f"{t},{m},{who},{int(int(cpu) / 1e3)},{rest}" if t else row

    change(run_folder / "samples" / "usage.csv", fall)
    run = extract_run(run_folder, CONTEXT).run
    assert math.isnan(run["used_core_s"]) and run["reserved_core_s"] > 0


def test_a_component_without_a_counter_is_not_known_to_have_used_nothing(run_folder):
    change(
        run_folder / "samples" / "usage.csv",
        lambda lines: (line for line in lines if ",harness," not in line),
    )
    assert math.isnan(extract_run(run_folder, CONTEXT).run["used_core_s"])


def test_waste_is_exclusive_and_its_shares_add_up(run_folder):
    edit_trials(
        run_folder,
        n1={"outcome": "failed", "reason": "memory", "epochs": 0, "scores": {}},
        n2={"outcome": "pruned", "epochs": 1},
    )
    metrics = extract_run(run_folder, CONTEXT)
    run, trials = metrics.run, metrics.trials
    classes = trials.set_index("trial")["waste_class"]
    assert classes["worker-0/1"] == "failed"
    assert classes["worker-0/2"] == "pruned"
    assert (run["trials_failed"], run["trials_pruned"], run["trials_completed"]) == (1, 1, 18)
    wasted = trials[trials["waste_class"] != ""]
    assert run["trials_duplicate"] == len(wasted) - 2 > 0
    assert run["wte_kwh"] == pytest.approx(wasted["energy_kwh"].sum())
    assert run["wtt_ms"] == pytest.approx(wasted["duration_ms"].sum())
    assert run["wtc"] == pytest.approx(wasted["cost"].sum())
    for what, total in (("time", "wtt"), ("energy", "wte"), ("cost", "wtc")):
        parts = [run[f"waste_{kind}_{what}_share"] for kind in ("failed", "pruned", "duplicate")]
        assert all(part > 0 for part in parts)
        assert sum(parts) == pytest.approx(run[f"{total}_share"])
    assert run["avoided_energy_kwh"] == 0  # its one epoch was the whole budget


def test_totals_of_all_trials_and_the_reports_to_a_pruner(run_folder):
    metrics = extract_run(run_folder, CONTEXT)
    run, trials = metrics.run, metrics.trials
    assert run["trials_time_ms"] == pytest.approx(trials["duration_ms"].sum())
    assert run["trials_cost"] == pytest.approx(trials["cost"].sum())
    records = read_run(run_folder)
    found = {}
    for pruner in ("none", "median"):
        search = records.config.workload.search.model_copy(update={"pruner": pruner})
        workload = records.config.workload.model_copy(update={"search": search})
        config = records.config.model_copy(update={"workload": workload})
        found[pruner] = compute(dataclasses.replace(records, config=config), CONTEXT).run["reports"]
    assert found == {"none": 0, "median": trials["epochs"].sum()} and found["median"] > 0


def test_the_goal_splits_the_jobs_energy(run_folder):
    metrics = extract_run(run_folder, CONTEXT)
    run, trials = metrics.run, metrics.trials
    reached = trials[trials["score"] >= 0.9]
    ends = reached["start_utc_ns"] + reached["duration_ms"] * 1e6
    setup = read_run(run_folder).steps["setup"][0] + read_run(run_folder).utc_minus_mono_ns
    assert run["goal_reached"] is True and run["goal_censored"] is False
    assert run["time_to_goal_ms"] == pytest.approx((ends.min() - setup) / 1e6, rel=1e-6)
    split = run["energy_to_goal_kwh"] + run["surplus_energy_kwh"]
    assert split == pytest.approx(run["job_energy_kwh"], rel=1e-9)
    assert 0 < run["cost_to_goal"] < run["oc"]


@pytest.mark.parametrize(("targets", "censored"), [({"digits": 1.0}, True), ({}, None)])
def test_a_goal_that_is_not_reached_or_not_known(run_folder, targets, censored):
    run = extract_run(run_folder, dataclasses.replace(CONTEXT, targets=targets)).run
    assert run["goal_censored"] is censored
    for name in ("energy_to_goal_kwh", "cost_to_goal", "time_to_goal_ms"):
        assert math.isnan(run[name])
    assert math.isnan(run["goal_target"]) == (censored is None)
    assert run["surplus_energy_kwh"] == 0 if censored else math.isnan(run["surplus_energy_kwh"])


def test_the_target_changes_no_energy(run_folder):
    plain = extract_run(run_folder, dataclasses.replace(CONTEXT, targets={})).trials
    aimed = extract_run(run_folder, CONTEXT).trials
    assert aimed["energy_kwh"].to_numpy() == pytest.approx(plain["energy_kwh"].to_numpy(), rel=1e-9)


def series_of(folder, values, lead_s=1.0):
    """An intensity that changes every 5 s, from before the run on."""
    records = read_run(folder)
    first = records.window[0] + records.utc_minus_mono_ns - int(lead_s * 1e9)
    starts = first + np.arange(len(values)) * 5_000_000_000
    return IntensitySeries(starts.astype(np.int64), np.array(values, float), "mine.csv")


def test_a_constant_series_is_the_static_intensity(run_folder):
    static = extract_run(run_folder, CONTEXT)
    context = dataclasses.replace(CONTEXT, intensity=series_of(run_folder, [400] * 6))
    found = extract_run(run_folder, context)
    assert found.run["carbon_g"] == pytest.approx(static.run["carbon_g"], rel=1e-9)
    assert found.run["cint_g_per_kwh"] == pytest.approx(400)
    same = static.trials["carbon_g"].to_numpy()
    assert found.trials["carbon_g"].to_numpy() == pytest.approx(same, rel=1e-9)


def test_a_series_weighs_energy_by_when_it_was_drawn(run_folder):
    values = [100, 100, 100, 700, 700, 700]
    found = extract_run(
        run_folder, dataclasses.replace(CONTEXT, intensity=series_of(run_folder, values))
    )
    trials, records = found.trials, read_run(run_folder)
    change_ns = records.window[0] + records.utc_minus_mono_ns + 14_000_000_000
    early = trials["start_utc_ns"] + trials["duration_ms"] * 1e6 < change_ns
    late = trials["start_utc_ns"] > change_ns
    for mine, grams in ((early, 100), (late, 700)):
        each = trials[mine]
        assert len(each) > 3
        assert each["carbon_g"].to_numpy() == pytest.approx(each["energy_kwh"] * grams * 1.2)
    cint = trials["carbon_g"].sum() / trials["energy_kwh"].sum() / 1.2
    assert found.run["cint_g_per_kwh"] == pytest.approx(cint)


@pytest.mark.parametrize(("values", "lead_s"), [([400] * 3, 1.0), ([400] * 6, -3.0)])
def test_a_series_that_does_not_cover_the_run_is_refused(run_folder, values, lead_s):
    series = series_of(run_folder, values, lead_s)
    with pytest.raises(TrialwattError, match=r"mine\.csv: covers .* add the missing rows"):
        extract_run(run_folder, dataclasses.replace(CONTEXT, intensity=series))


@pytest.mark.parametrize("name", ["power-model.csv", "usage.csv"])
def test_no_sample_is_no_energy_and_never_zero(run_folder, name):
    change(run_folder / "samples" / name, lambda lines: lines[:1])
    metrics = extract_run(run_folder, CONTEXT)
    for column, value in metrics.run.items():
        if ("energy" in column and isinstance(value, float)) or column in ("carbon_g", "wr"):
            assert math.isnan(value), column
    assert metrics.trials["energy_kwh"].isna().all()
    assert "energy unknown" in metrics.run["flags"]
    assert "no sample" in metrics.run["notes"]
    assert metrics.run["jct_ms"] > 0 and metrics.run["oc"] > 0


def moved(path, by_ns):
    """The samples as if they had been taken at another time."""

    def edit(lines):
        yield lines[0]
        for line in lines[1:]:
            t, m, rest = line.split(",", 2)
            yield f"{int(t) + by_ns},{int(m) + by_ns},{rest}"

    change(path, edit)


@pytest.mark.parametrize("by_s", [-3600, 3600])
@pytest.mark.parametrize("name", ["power-model.csv", "usage.csv"])
def test_samples_of_another_run_are_no_energy_of_this_one(run_folder, name, by_s):
    moved(run_folder / "samples" / name, by_s * 10**9)
    run = extract_run(run_folder, CONTEXT).run
    assert math.isnan(run["job_energy_kwh"]) and math.isnan(run["carbon_g"])
    assert "of the run" in run["flags"] and "energy unknown" in run["flags"]


def test_a_sample_file_that_was_exchanged_is_flagged(run_folder):
    manifest = json.loads((run_folder / "run.json").read_text())
    write_manifest(run_folder, manifest)
    assert extract_run(run_folder, CONTEXT).run["flags"] == ""
    path = run_folder / "samples" / "power-model.csv"
    change(path, lambda lines: [*lines[:-1], lines[-1].rstrip() + "1\n"])
    flags = extract_run(run_folder, CONTEXT).run["flags"]
    said = "is not as the run wrote it (see its checksum in run.json)"
    assert flags == f"samples/power-model.csv {said}"


def test_record_files_that_were_exchanged_added_or_removed_are_flagged(run_folder):
    """With the lines of another run's trial, as whoever edits a score or a time would do it."""
    write_manifest(run_folder, json.loads((run_folder / "run.json").read_text()))
    edited, more = (run_folder / "records" / f"{name}.jsonl" for name in ("worker-1", "worker-9"))
    change(edited, lambda lines: [*lines[:-1], lines[-1].replace('"macro_f1":0.', '"macro_f1":1.')])
    assert extract_run(run_folder, CONTEXT).run["flags"] == (
        "records/worker-1.jsonl is not as the run wrote it (see its checksum in run.json)"
    )
    more.write_text(edited.read_text().replace("worker-1", "worker-9"))
    edited.unlink()
    assert extract_run(run_folder, CONTEXT).run["flags"] == (
        "records/worker-9.jsonl is not of the run (run.json does not list it); "
        "records/worker-1.jsonl is missing (run.json lists it); "
        "no record of what worker-9 reserved: energy and cost unknown"
    )


def test_the_method_is_that_of_the_meter_whatever_the_manifest_says(run_folder):
    expected = extract_run(run_folder, CONTEXT)
    manifest = json.loads((run_folder / "run.json").read_text())
    manifest["meters"]["model"]["domains"][0]["method"] = "counter"
    (run_folder / "run.json").write_text(json.dumps(manifest))
    found = extract_run(run_folder, CONTEXT)
    assert found.run == expected.run and found.run["energy_method"] == "modelled"
    assert set(found.trials["energy_method"]) == {"modelled"}


def test_a_usage_file_that_ends_early_is_a_gap(run_folder):
    path = run_folder / "samples" / "usage.csv"
    change(path, lambda lines: lines[: len(lines) * 3 // 4])
    run = extract_run(run_folder, CONTEXT).run
    assert run["gap_share"] == pytest.approx(0.25, abs=0.03)
    assert run["flags"] == "gaps over 5%"


@pytest.mark.parametrize("text", ["-3.0", "nan", "inf", "-inf"])
def test_power_that_cannot_be_is_as_if_it_had_not_been_read(run_folder, text):
    path = run_folder / "samples" / "power-model.csv"

    def reading(text):
        change(path, lambda lines: [*lines[:30], lines[30].rsplit(",", 1)[0] + f",{text}\n",
                                    *lines[31:]])  # fmt: skip
        return extract_run(run_folder, CONTEXT)

    missing, impossible = reading("").run, reading(text).run
    for name in ("job_energy_kwh", "other_energy_kwh", "carbon_g", "gap_share", "wr"):
        assert impossible[name] == missing[name] > 0
    assert "1 readings of cpu negative or no number: gaps" in impossible["notes"]


@pytest.mark.parametrize("text", ["-1000000000000000", "inf", "nan"])
def test_a_counter_that_cannot_be_moves_no_energy(run_folder, text):
    path = run_folder / "samples" / "usage.csv"
    rows = path.read_text().splitlines()
    row = next(i for i, x in enumerate(rows) if ",worker-1," in x and i > 200)

    def reading(text):
        t, m, name, _, memory = rows[row].split(",")
        changed = [*rows[:row], f"{t},{m},{name},{text},{memory}", *rows[row + 1 :]]
        path.write_text("\n".join(changed) + "\n")
        return extract_run(run_folder, CONTEXT)

    missing, impossible = reading(""), reading(text)
    same = missing.trials["energy_kwh"].to_numpy()
    assert impossible.trials["energy_kwh"].to_numpy() == pytest.approx(same, rel=1e-12)
    assert "1 readings of cpu_ns negative or no number: gaps" in impossible.run["notes"]


def test_a_trial_without_an_end_is_paid_until_its_worker_ended(run_folder):
    change(run_folder / "records" / "worker-0.jsonl", lambda lines: lines[:-1])
    metrics = extract_run(run_folder, CONTEXT)
    run, lost = metrics.run, metrics.trials.set_index("trial").loc["worker-0/9"]
    assert (lost["outcome"], lost["reason"], lost["waste_class"]) == ("failed", "lost", "failed")
    parts = [run[f"{p}_energy_kwh"] for p in ("trials", "idle", "services", "harness")]
    assert sum(parts) == pytest.approx(run["job_energy_kwh"], rel=1e-9)
    worker = next(c for c in read_run(run_folder).components if c.name == "worker-0")
    ended = worker.lives[-1][1] + read_run(run_folder).utc_minus_mono_ns
    assert lost["start_utc_ns"] + lost["duration_ms"] * 1e6 == pytest.approx(ended, rel=1e-15)
    assert "1 trials have a start and no end" in run["notes"]


def test_few_samples_and_gaps_are_flagged(run_folder):
    path = run_folder / "samples" / "power-model.csv"
    change(path, lambda lines: [*lines[:20], *lines[45:]])
    run = extract_run(run_folder, CONTEXT).run
    assert run["gap_share"] == pytest.approx(5.2 / 21.65, abs=0.02)
    assert run["flags"] == "gaps over 5%"
    change(path, lambda lines: lines[:50])
    assert extract_run(run_folder, CONTEXT).run["flags"] == "fewer than 60 samples; gaps over 5%"


def test_energy_of_a_gap_in_a_counter_is_not_lost(synthetic, tmp_path):
    size = synthetic.Synthetic(trials=20, workers=2, seconds=20, unit="uj", wraps_at=400_000_000)
    folder = synthetic.write_run(tmp_path, size)
    whole = extract_run(folder, CONTEXT).run
    change(folder / "samples" / "power-rapl.csv", lambda lines: [*lines[:40], *lines[48:]])
    run = extract_run(folder, CONTEXT).run
    machine = run["job_energy_kwh"] + run["other_energy_kwh"]
    assert machine == pytest.approx(whole["job_energy_kwh"] + whole["other_energy_kwh"], rel=1e-6)
    assert run["energy_method"] == whole["energy_method"] == "counter"
    assert run["gap_share"] > 0


def test_a_missing_idle_power_is_noted(run_folder):
    manifest = json.loads((run_folder / "run.json").read_text())
    (run_folder / "run.json").write_text(json.dumps(manifest | {"idle": None}))
    metrics = extract_run(run_folder, CONTEXT)
    assert "no idle power of cpu" in metrics.run["notes"]
    assert metrics.trials["static_energy_kwh"].sum() == 0
    assert metrics.run["job_energy_kwh"] > 0


def test_a_domain_that_does_not_count_is_not_added(run_folder):
    before = extract_run(run_folder, CONTEXT).run["job_energy_kwh"]
    path = run_folder / "samples" / "power-model.csv"
    change(
        path,
        lambda lines: [f"{x.rstrip()},{'psys' if i == 0 else 99}\n" for i, x in enumerate(lines)],
    )
    manifest = json.loads((run_folder / "run.json").read_text())
    domains = manifest["meters"]["model"]["domains"]
    domains.append(domains[0] | {"name": "psys", "counts": False})
    (run_folder / "run.json").write_text(json.dumps(manifest))
    run = extract_run(run_folder, CONTEXT).run
    assert run["job_energy_kwh"] == before
    assert run["energy_domains"] == "cpu"


def test_an_accelerator_goes_to_who_holds_it(run_folder):
    before = extract_run(run_folder, CONTEXT).run
    path = run_folder / "samples" / "power-model.csv"
    change(
        path,
        lambda lines: [f"{x.rstrip()},{'gpu0' if i == 0 else 100}\n" for i, x in enumerate(lines)],
    )
    manifest = json.loads((run_folder / "run.json").read_text())
    domain = {"name": "gpu0", "resource": "accelerator", "unit": "w", "method": "modelled"}
    manifest["meters"]["model"]["domains"].append(domain)
    (run_folder / "run.json").write_text(json.dumps(manifest))

    def give(lines):
        for line in lines:
            event = json.loads(line)
            if event.get("component") == "worker-1" and event["status"] == "start":
                line = json.dumps(event | {"devices": ["gpu0"]}) + "\n"
            yield line

    change(run_folder / "records" / "harness.jsonl", give)
    run = extract_run(run_folder, CONTEXT).run
    start, end = next(c.lives[0] for c in read_run(run_folder).components if c.devices)
    held_kwh = 100 * (end - start) / 1e9 / 3.6e6
    assert run["job_energy_kwh"] - before["job_energy_kwh"] == pytest.approx(held_kwh, rel=1e-9)
    assert run["services_energy_kwh"] == pytest.approx(before["services_energy_kwh"], rel=1e-9)
    assert run["energy_method"] == "modelled"


def test_counters_of_another_origin_are_moved_with_a_note(run_folder):
    expected = extract_run(run_folder, CONTEXT).trials

    def shift(lines):
        return [
            json.dumps(
                (e := json.loads(x)) | ({"cpu_ns": e["cpu_ns"] + 10**11} if "cpu_ns" in e else {})
            )
            + "\n"
            for x in lines
        ]

    change(run_folder / "records" / "worker-0.jsonl", shift)
    found = extract_run(run_folder, CONTEXT)
    assert (
        "worker-0: the CPU counters of its trials and of its samples differ" in found.run["notes"]
    )
    assert found.trials["energy_kwh"].to_numpy() == pytest.approx(
        expected["energy_kwh"].to_numpy(), rel=0.15
    )


def test_a_run_without_a_trial(run_folder):
    for path in (run_folder / "records").glob("worker-*"):
        path.unlink()
    metrics = extract_run(run_folder, CONTEXT)
    run = metrics.run
    assert run["trials_started"] == 0 and len(metrics.trials) == 0
    assert math.isnan(run["ept_kwh"]) and math.isnan(run["twh_kwh"])
    assert run["trials_energy_kwh"] == 0 and run["idle_energy_kwh"] > 0
    assert len(timeline(run_folder)) == 0


def test_an_error_names_the_folder(run_folder):
    (run_folder / "run.json").unlink()
    with pytest.raises(TrialwattError, match=str(run_folder)):
        extract_run(run_folder, CONTEXT)


def test_the_timeline_has_every_step_of_every_trial(run_folder):
    found = timeline(run_folder)
    assert list(found.columns) == ["worker", "trial", "step", "start_s", "end_s", "outcome"]
    assert len(found) == 20 * 3
    assert found["start_s"].min() >= 0 and found["end_s"].max() <= 20
    assert set(found["step"]) == {"load", "train", "validate"}
    trials = extract_run(run_folder, CONTEXT).trials.set_index("trial")
    spans = found.assign(ms=(found["end_s"] - found["start_s"]) * 1e3).groupby("trial")["ms"].sum()
    assert spans.to_numpy() == pytest.approx(trials.loc[spans.index, "duration_ms"].to_numpy())
