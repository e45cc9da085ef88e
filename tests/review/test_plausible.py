"""Forgeries that agree with every checksum: what contradicts itself is found, and where."""

import json
import shutil
from pathlib import Path

import pytest
from tests.review.believable import edit_rows
from tests.review.forging import Forged

from trialwatt.config.models import IMAGE_KEYS
from trialwatt.records.manifest import write_manifest
from trialwatt.records.sealed import seal
from trialwatt.review.plausible import check_plausible
from trialwatt.review.tree import Tree, tree_of
from trialwatt.review.verify import verify

REFERENCE = Path(__file__).resolve().parents[2] / "results" / "reference"
POWER, USAGE = "samples/power-model.csv", "samples/usage.csv"
HARNESS, WORKER = "records/harness.jsonl", "records/worker-0.jsonl"
S = 10**9


@pytest.fixture
def forged(project, tmp_path) -> Forged:
    return Forged(project, tmp_path)


def the(number: int, status: str, keys: dict, who: str = "worker-0"):
    """A change of the line of a worker's trial with this number."""

    def change(event):
        if event.get("trial") == f"{who}/{number}" and event.get("status") == status:
            event |= keys

    return change


def kind(name: str, **keys):
    return lambda event: event.update(keys) if event["kind"] == name else None


def times(factor: float, *places: int, only: str = ""):
    """A change of CSV rows: these fields multiplied."""

    def change(fields):
        if not only or only in fields:
            for place in places:
                fields[place] = repr(float(fields[place]) * factor)
        return fields

    return change


def test_nothing_is_said_of_real_runs():
    assert list(check_plausible(tree_of(REFERENCE))) == []


def test_nothing_is_said_of_the_synthetic_project(unpacked, project, forged):
    tree = Tree(unpacked.folder, unpacked / "results", is_archive=True)
    assert list(check_plausible(tree)) == []
    assert list(check_plausible(tree_of(project.results))) == []
    assert forged.said() == {}


def test_verify_says_it_with_the_run_and_the_line(unpacked):
    """All power a hundredth, with the checksums of the run and the archive made anew."""
    run = min((unpacked / "results/runs").glob("*/*/rep*"))
    edit_rows(run / POWER, times(0.01, 2, 3))
    write_manifest(run, json.loads((run / "run.json").read_text()))
    unpacked.relist()
    verdict = verify(unpacked.folder)
    name = (run / POWER).relative_to(unpacked.folder).as_posix()
    said = [one["said"] for one in verdict.problems if one["path"] == name]
    assert not verdict.ok and any(one.startswith("line 3: cpu is 0.") for one in said)


# --- run.json -----------------------------------------------------------------------------------


def of_domain(**keys):
    return lambda m: m["meters"]["model"]["domains"][0].update(keys)


def counter_beside(m):
    """The model's domains as if a second, better meter had been there and was not used."""
    domain = m["meters"]["model"]["domains"][0] | {"name": "package-0", "unit": "uj"}
    m["meters"]["rapl"] = {"available": True, "domains": [domain | {"method": "counter"}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_domain(method="counter"), "what model gives for cpu can only be modelled"),
        (of_domain(method="measured"), "domains.0.method is measured, but what model gives"),
        (of_domain(unit="uj"), "domains.0.unit is uj, but a meter model gives w"),
        (counter_beside, "headline_domains is {'model': ['cpu', 'memory']}, but of these meters"),
        (
            lambda m: m["headline_domains"].update(model=["cpu"]),
            "headline_domains is {'model': ['cpu']}, but of these meters a run adds up",
        ),
        (
            lambda m: m["meters"]["model"]["parameters"].update(max_w=0.0411),
            "meters.model.parameters.max_w is 0.0411, but by the power model gcp-median it is 4.11",
        ),
        (
            lambda m: m["idle"]["watts"].update(cpu=0.5),
            "idle.watts.cpu is 0.5, but by the power model an idle machine of this size draws",
        ),
        (
            lambda m: m["idle"].update(watts={}, by="none"),
            "",
        ),
        (
            lambda m: m.update(ended_utc_ns=m["started_utc_ns"] - 5 * S),
            "ended_utc_ns is 5.0 s before started_utc_ns",
        ),
        (lambda m: m.pop("ended_utc_ns"), "a run writes both, one is missing"),
        (lambda m: m["host"].update(cpu_model="Better 9000"), "host.cpu_model is Better 9000, but"),
        (lambda m: m["host"].update(kernel="9.9"), "host.kernel is 9.9, but by results/testbeds/"),
        (lambda m: m["host"].update(name_hash="f" * 12), "host.name_hash is ffffffffffff, but"),
        (lambda m: m["host"].update(cores=100_000), "there is no machine with 100000 cores"),
        (lambda m: m.update(seed=1), "seed is 1, but by config.seed and repetition it is"),
        (
            lambda m: m.update(block={"number": 2, "position": 1, "runs": 9, "plan": "x"}),
            "block: number 2, position 1 of 9, which repetition 1 cannot have",
        ),
        (
            lambda m: m.update(block={"number": 1, "position": 4, "runs": 3, "plan": "x"}),
            "block: number 1, position 4 of 3, which repetition 1 cannot have",
        ),
        (
            lambda m: m.update(dataset={"name": "digits", "sha256": "0"}),
            "not that of the published",
        ),
        (lambda m: m["dataset"].update(name="mnist"), "dataset.name is mnist, not digits"),
        (lambda m: m["test"].update(accuracy=1.5), "test.accuracy is 1.5, not between 0 and 1"),
        (lambda m: m.update(test=None), "the best trial was not tested"),
        (lambda m: m.update(best=None), "best is None, but the events have a result"),
        (lambda m: m.update(status="great"), "status is great, not one of completed, infeasible"),
        (
            lambda m: m.update(status="deadline"),
            "status is deadline, but the run was ended after",
        ),
        (
            lambda m: m.update(status="infeasible", reason="no trial completed"),
            "reason is that no trial completed, but by the records 6 have",
        ),
    ],
)
def test_a_manifest_that_its_records_or_its_configuration_contradict(forged, change, said):
    forged.manifest(change)
    found = forged.said()
    if said:
        assert said in found["run.json"]
    else:
        assert found == {}


def test_a_run_id_of_another_run(forged):
    for name in (path.name for path in (forged.run / "records").iterdir()):
        forged.events(name, lambda event: event.update(run="0123456789-r1-aaaaaa"))
    forged.manifest(lambda m: m.update(run_id="0123456789-r1-aaaaaa"))
    assert "run_id is 0123456789-r1-aaaaaa, but this run's begin with" in forged.said()["run.json"]


def test_a_job_that_told_something_else(forged):
    manifest = json.loads((forged.run / "run.json").read_text())
    job = {key: manifest[key] for key in ("run_id", "repetition", "seed", "config")}
    (forged.run / "job.json").write_text(json.dumps(job))
    assert forged.said() == {}
    (forged.run / "job.json").write_text(json.dumps(job | {"config": {"sut": "other"}}))
    assert forged.said() == {"job.json": "config is another than in run.json\n"}
    (forged.run / "job.json").write_text("[" * 9999)
    assert forged.said() == {"job.json": "is no JSON\n"}


def test_a_worker_whose_name_is_a_path(forged):
    """Nothing outside of the run is opened to name a line."""
    (forged.root / "secret.jsonl").write_text('{"trial": "worker-0/1", "status": "end"}\n')
    forged.events("worker-0.jsonl", lambda e: e.update(who="../" * 6 + "secret"))
    forged.events("worker-0.jsonl", the(1, "end", {"epochs": 500}))
    found = forged.said()
    assert found and not any("secret.jsonl" in path for path in found)


@pytest.mark.parametrize(
    ("best", "file", "said"),
    [
        ({"score": 0.999}, WORKER, "scored 0."),
        ({"score": 0.999}, HARNESS, "but in run.json best.score is 0.999"),
        ({"phi": {"lr": 0.01, "ls": 31}}, HARNESS, "but in run.json best.phi is"),
        ({"number": 77}, HARNESS, "but in run.json best.number is 77"),
        ({"trial": "worker-9/9"}, "run.json", "best.trial: there is no trial worker-9/9"),
    ],
)
def test_a_best_trial_that_is_not_the_result(forged, best, file, said):
    forged.manifest(lambda m: m["best"].update(best))
    found = forged.said()
    assert any(said in text for path, text in found.items() if path == file or file == WORKER)
    assert HARNESS in found


def test_a_phi_has_what_its_conditions_ask_for_and_nothing_else(forged):
    asked = {"lr": [0.001, 0.01]}
    forged.manifest(lambda m: m["config"]["workload"]["space"]["ls"].update(when=asked))

    def is_outside():
        return any("φ is outside of the search space" in said for said in forged.said().values())

    def without_ls(lrs):
        def change(holder):
            if holder.get("phi", {}).get("lr") in lrs:
                holder["phi"].pop("ls", None)

        for name in ("worker-0.jsonl", "worker-1.jsonl", "harness.jsonl"):
            forged.events(name, change)
        forged.manifest(lambda m: change(m["best"]))

    assert is_outside()
    without_ls([0.0001])
    assert not is_outside()
    assert not any("best" in said for said in forged.said().values())
    without_ls([0.01])
    assert is_outside()


def trials_of(run) -> dict[str, dict]:
    """Trial → what run.json would say of it as the best, of those that completed."""
    events = [json.loads(line) for file in run.glob("records/worker-*") for line in file.open()]
    starts = {e["trial"]: e for e in events if e.get("status") == "start" and "phi" in e}
    return {
        e["trial"]: {key: starts[e["trial"]][key] for key in ("phi", "number", "trial")}
        | {"score": e["scores"]["macro_f1"]}
        for e in events
        if e.get("outcome") == "completed"
    }


def name_best(forged, best: dict) -> None:
    """Forge the result, and run.json with it."""
    forged.events("harness.jsonl", kind("result", **best))
    forged.manifest(lambda m: m.update(best=best))


def by_score(best: dict) -> float:
    return best["score"]


def test_a_best_trial_that_is_not_the_best(forged):
    name_best(forged, min(trials_of(forged.run).values(), key=by_score))
    ((path, said),) = forged.said().items()
    assert path.startswith("records/worker-") and said.startswith("line ")
    assert "more than the best in run.json" in said


def test_the_best_of_a_goal_to_minimise_is_the_least(forged):
    def minimize(manifest):
        manifest["config"]["workload"]["goal"] |= {"direction": "minimize"}

    forged.manifest(minimize)
    found = trials_of(forged.run).values()
    (said,) = [said for path, said in forged.said().items() if path.startswith("records/worker-")]
    assert f"{min(map(by_score, found))!r}, less than the best in run.json" in said
    name_best(forged, min(found, key=by_score))
    assert not [path for path in forged.said() if path.startswith("records/")]


def make_it_a_function(manifest) -> None:
    workload = manifest["config"]["workload"]
    for key in IMAGE_KEYS:
        del workload[key]
    function = {"name": "own:train", "sha256": "0" * 64, "tests": False, "imports": []}
    workload["trial"] = function | {"package": None, "version": None}


@pytest.mark.parametrize("of_images", [True, False])
def test_a_workload_of_a_function_has_any_score_and_needs_no_test(forged, of_images):
    best = max(trials_of(forged.run).values(), key=by_score) | {"score": 17.0}
    forged.events("worker-0.jsonl", lambda e: e["kind"] != "test")
    for file in forged.run.glob("records/worker-*.jsonl"):
        forged.events(file.name, the_end(best["trial"], 17.0))
    name_best(forged, best)
    forged.manifest(lambda m: m.update(test=None))
    if not of_images:
        forged.manifest(make_it_a_function)
    said = " ".join(forged.said().values())
    assert ("not between 0 and 1" in said) == of_images, said
    assert ("was not tested" in said) == of_images, said


def the_end(trial: str, score: float):
    def change(event):
        if event.get("trial") == trial and event.get("status") == "end":
            event["scores"] |= {"macro_f1": score}

    return change


# --- events -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (WORKER, the(1, "start", {"phi": {"lr": 0.5, "ls": 32}}), "trial worker-0/1: φ is outside"),
        (WORKER, the(1, "start", {"phi": {"lr": 0.01}}), "φ is outside of the search space"),
        (WORKER, the(1, "start", {"phi": {"lr": 0.01, "ls": 32, "ln": 2}}), "φ is outside"),
        (WORKER, the(1, "start", {"number": 0}), "has the number 0 of another trial"),
        (
            WORKER,
            the(1, "start", {"resumes": "worker-0/0", "from_epoch": 1}),
            "goes on after epoch 1 of a trial that was not paused there",
        ),
        (WORKER, the(1, "start", {"from_epoch": 1}), "no trial before it is known"),
        (WORKER, the(1, "end", {"outcome": "paused"}), "cannot be a segment: from epoch 0 to"),
        (WORKER, the(1, "end", {"epochs": 500}), "has 500 epochs, but the workload's trials have"),
        (WORKER, the(1, "end", {"scores": {"macro_f1": 1.7}}), "macro_f1 is 1.7, not between"),
        (WORKER, the(1, "end", {"scores": {}}), "macro_f1 is nan, not between 0 and 1"),
        (WORKER, the(1, "end", {"cpu_ns": 10**14}), "rises faster than time on 16 cores"),
        (WORKER, kind("test", scores={"macro_f1": 0.99}), "but in run.json test is"),
        (
            HARNESS,
            lambda e: e.update(cpu=0.01) if e.get("type") == "worker" and "cpu" in e else None,
            "worker-0 has cpu 0.01, but a worker of this run has",
        ),
        (
            HARNESS,
            lambda e: e.update(t=e["t"] + 10**18) if e.get("step") == "test" else None,
            "outside of the run",
        ),
        (
            HARNESS,
            lambda e: e.update(t=e["t"] + 20 * S) if e.get("step") == "test" else None,
            "t and m are 20.0 s farther apart",
        ),
    ],
)
def test_an_event_that_cannot_be(forged, file, change, said):
    forged.events(Path(file).name, change)
    found = forged.said()
    assert said in found[file] and found[file].startswith("line ")


def test_a_test_that_never_was(forged):
    forged.events("worker-0.jsonl", lambda event: event["kind"] != "test")
    assert "there is no event of a test" in forged.said()["run.json"]


def test_a_lifecycle_step_that_is_missing(forged):
    forged.events("harness.jsonl", lambda event: event.get("step") != "collect")
    assert "has no step collect" in forged.said()["run.json"]


def test_a_worker_that_is_missing(forged):
    forged.events("harness.jsonl", lambda event: event.get("component") != "worker-1")
    assert "has 1 workers" in forged.said()["run.json"]


def test_one_event_on_another_clock_is_found_and_a_clock_that_was_set_is_not(forged):
    def one(event):
        if event.get("step") == "collect" and event["status"] == "end":
            event["t"] += 3 * S

    forged.events("harness.jsonl", one)
    assert "t and m are 3.0 s farther apart" in forged.said()[HARNESS]


@pytest.mark.parametrize("seconds", [30, -3600])
def test_a_clock_that_was_set_during_the_run_is_no_forgery(forged, seconds):
    def later(event):
        if event["m"] > middle:
            event["t"] += seconds * S

    events = [json.loads(line) for line in (forged.run / HARNESS).open()]
    middle = events[len(events) // 2]["m"]
    for path in (forged.run / "records").iterdir():
        forged.events(path.name, later)
    for name in (USAGE, POWER):
        forged.rows(
            name,
            lambda f: [str(int(f[0]) + (int(f[1]) > middle) * seconds * S), *f[1:]],
        )
    forged.manifest(lambda m: m.update(ended_utc_ns=m["ended_utc_ns"] + seconds * S))
    found = forged.said()
    assert "farther apart" not in str(found) and "outside of the run" not in str(found)
    assert "before started_utc_ns" not in str(found)


def test_a_trial_outside_of_the_run(forged):
    forged.events("worker-0.jsonl", the(2, "end", {"m": 9 * 10**15}))
    assert "trial worker-0/2: m is outside of the run's steps" in forged.said()[WORKER]


def test_more_trials_than_the_budget(forged):
    lines = [json.loads(line) for line in (forged.run / WORKER).open()]
    last = [e for e in lines if e.get("trial") == "worker-0/2"]
    more = [e | {"trial": "worker-0/3"} | ({"number": 99} if "phi" in e else {}) for e in last]
    shift = last[-1]["m"] - last[0]["m"] + 1
    more = [e | {"m": e["m"] + shift, "t": e["t"] + shift} for e in more]
    with (forged.run / WORKER).open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in more)
    forged.manifest(lambda m: None)
    assert "is the 7th of 7 trials, but the budget is 6" in forged.said()[WORKER]


def test_a_trial_that_was_refused_or_lost_is_no_forgery(forged):
    """φ outside of Φ in a trial that failed at once; a number again after its trial was lost."""
    best = json.loads((forged.run / "run.json").read_text())["best"]["trial"]
    who = "worker-1" if best.startswith("worker-0") else "worker-0"
    failed = {"outcome": "failed", "reason": "error", "scores": {}, "epochs": 0}
    outside = {"phi": {"lr": 5, "ls": 32}, "number": 50}
    name = f"{who}.jsonl"
    forged.events(name, the(0, "start", outside, who))
    forged.events(name, the(0, "end", failed, who))
    forged.events(name, lambda event: event["kind"] != "epoch")
    assert forged.said() == {}
    forged.events(name, the(1, "start", {"number": 50}, who))
    assert forged.said() == {}


# --- samples ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (POWER, times(0.01, 2, 3), "line 3: cpu is 0."),
        (POWER, times(0.01, 2), "but by the CPU time in samples/usage.csv and the coefficients"),
        (USAGE, times(1000, 3, only="machine"), "but the machine has 16 cores"),
        (USAGE, times(0.01, 3, only="machine"), "of CPU time since the first sample, but its"),
        (USAGE, times(50, 3, only="worker-0"), "worker-0 may use"),
        (USAGE, times(0.5, 3, only="worker-0"), "of CPU time in its last sample, but"),
        (USAGE, lambda f: [str(int(f[0]) + 10**18), *f[1:]], "outside of the run"),
    ],
)
def test_samples_that_cannot_be(forged, file, change, said):
    forged.rows(file, change)
    found = forged.said()
    assert said in found[file]
    assert found[file].startswith("line ")
    seal(forged.run)
    forged.manifest(lambda content: None)
    assert forged.said() == found


def test_one_reading_that_was_edited_is_named_by_its_line(forged):
    lines = (forged.run / POWER).read_text().splitlines()
    t, m, cpu, memory = lines[16].split(",")
    lines[16] = f"{t},{m},{float(cpu) + 0.00001:.6f},{memory}"
    (forged.run / POWER).write_text("\n".join(lines) + "\n")
    said = forged.said()[POWER]
    assert said.startswith("line 17: cpu is ") and "more lines" not in said


def test_samples_of_only_a_part_of_the_run(forged):
    for name in (POWER, USAGE):
        lines = (forged.run / name).read_text().splitlines(keepends=True)
        (forged.run / name).write_text("".join(lines[: len(lines) // 5]))
    found = forged.said()
    assert "starts here, but samples/usage.csv has no sample of this moment" in found[HARNESS]
    assert "samples, but a run of" in found["run.json"]


def test_readings_that_were_taken_out(forged):
    lines = (forged.run / POWER).read_text().splitlines(keepends=True)
    (forged.run / POWER).write_text("".join(lines[:20] + lines[30:]))
    assert "samples/power-model.csv has no reading of this moment" in forged.said()[USAGE]


RAPL = {"resource": "cpu", "unit": "uj", "method": "counter", "wraps_at": 10**11, "counts": True}


def with_a_counter(forged, values) -> None:
    """As if RAPL had been beside the model; a value for each row."""
    lines = (forged.run / POWER).read_text().splitlines()
    stamps = [line.rsplit(",", 2)[0] for line in lines[1:]]
    rows = [f"{stamp},{value}" for stamp, value in zip(stamps, values(len(stamps)), strict=True)]
    (forged.run / "samples/power-rapl.csv").write_text("\n".join(["t,m,package-0", *rows]) + "\n")

    def measured(m):
        m["meters"]["rapl"] = {"available": True, "domains": [RAPL | {"name": "package-0"}]}
        m["headline_meter"], m["headline_domains"] = "rapl", {"rapl": ["package-0"]}
        m["idle"] = {"meter": "rapl", "by": "none", "watts": {}}

    forged.manifest(measured)


def replaced(values: list[int], at: int, by: int) -> list[int]:
    return [*values[:at], by, *values[at + 1 :]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (lambda n: [20_000_000 * i for i in range(n)], ""),
        (lambda n: [(10**11 - 5 * 10**7 + 2 * 10**7 * i) % 10**11 for i in range(n)], ""),
        (lambda n: [5 * 10**9 * i for i in range(n)], "there is nothing above 1500 W"),
        (lambda n: replaced([10**6 * i for i in range(n)], 9, -5), "line 11: package-0 is -5"),
        (lambda n: [9 * 10**10 - 10**10 * (i == 9) for i in range(n)], "line 11: the counter"),
        (lambda n: replaced([0] * n, 9, 2 * 10**11), "line 11: package-0 is 200000000000, but"),
    ],
)
def test_counters(forged, values, said):
    with_a_counter(forged, values)
    found = forged.said()
    assert said in found["samples/power-rapl.csv"] if said else found == {}


def test_watts_beyond_any_device(forged):
    with_a_counter(forged, lambda n: [2500.0] * n)
    domain = {"name": "gpu-0", "resource": "accelerator", "unit": "w", "method": "polled"}

    def polled(m):
        del m["meters"]["rapl"]
        m["meters"]["nvml"] = {"domains": [domain]}
        m["headline_meter"], m["headline_domains"] = "model", {"model": ["cpu", "memory"]}

    forged.manifest(polled)
    rows = (forged.run / "samples/power-rapl.csv").read_text().replace("package-0", "gpu-0")
    (forged.run / "samples/power-nvml.csv").write_text(rows)
    said = forged.said()["samples/power-nvml.csv"]
    assert "line 2: gpu-0 is 2500 W; there is nothing above 2000 W" in said


# --- times, several runs, the archive -----------------------------------------------------------


def moved(forged, seconds: int) -> None:
    """The whole run, consistently, to another time."""
    for path in (forged.run / "records").iterdir():
        forged.events(path.name, lambda e: e.update(t=e["t"] + seconds * S))
    for name in (USAGE, POWER):
        forged.rows(name, lambda f: [str(int(f[0]) + seconds * S), *f[1:]])
    forged.manifest(
        lambda m: m.update({k: m[k] + seconds * S for k in ("started_utc_ns", "ended_utc_ns")})
    )


def test_a_run_in_the_future(forged):
    started = json.loads((forged.run / "run.json").read_text())["started_utc_ns"]
    assert forged.said(now_ns=started) == {}
    moved(forged, 10 * 365 * 86400)
    said = forged.said(now_ns=started)
    assert said.keys() == {"run.json"}
    assert "ended_utc_ns is 2035-" in said["run.json"] and "in the future" in said["run.json"]


def test_two_runs_of_one_machine_at_once(forged):
    starts = {
        run: json.loads((run / "run.json").read_text())["started_utc_ns"] for run in forged.runs
    }
    first, second = sorted(starts, key=starts.get)[:2]
    forged.run = second
    moved(forged, -150)
    ((path, said),) = forged.said().items()
    assert "s before the end of" in said and "one machine measures one run at a time" in said
    assert path == "run.json" and "/".join(first.parts[-2:]) in said


def test_other_data_under_the_same_name(forged):
    """Where the name is none of the published ones, the runs must agree with one another."""
    from trialwatt.review.plausible import manifest
    from trialwatt.review.plausible.run import read

    runs = [read(run) for run in forged.runs[:2]]
    runs[0].manifest["dataset"] = {"name": "own", "sha256": "1"}
    runs[1].manifest["dataset"] = {"name": "own", "sha256": "2"}
    ((run, fault),) = manifest.together_faults(runs)
    assert run is runs[1] and "dataset.sha256 is another than that of own in" in fault.said


def test_the_archives_own_dates(forged, unpacked):
    shutil.copy(unpacked / "ro-crate-metadata.json", forged.root)
    assert forged.said(is_archive=True) == {}
    moved(forged, 60 * 86400)
    said = forged.said(is_archive=True)["run.json"]
    assert "but the archive says" in said and "after the archive's own date" in said


def test_a_testbed_that_was_described_again_says_nothing_of_kernels_before(forged):
    def again(facts):
        facts["recorded_utc_ns"] = 2 * 10**18
        facts["host"]["kernel"] = "7.0"

    forged.testbed(again)
    assert forged.said() == {}
    forged.testbed(lambda facts: facts["host"].update(cpu_model="other"))
    assert all("host.cpu_model" in said for said in forged.said().values())


KUBERNETES = {"platform": "kubernetes", "kubernetes": {}, "meters": ["prometheus"]}
SERVER = {"url": "http://localhost:9090", "preset": "kepler", "step_s": 5}


def on_a_cluster(forged) -> None:
    """As a run on a cluster writes it: its worker's clocks are other ones, its meter is a server
    that was asked afterwards, and its machine is what its pods have reserved."""
    away = 3 * 10**12

    def elsewhere(event):
        event["m"] -= away
        event["t"] += 3 * 3600 * S

    forged.events("worker-0.jsonl", elsewhere)
    ((first, last),) = [
        (lines[1].split(",")[:2], lines[-1].split(",")[:2])
        for lines in [(forged.run / USAGE).read_text().splitlines()]
    ]
    t, m = map(int, first)
    count = (int(last[1]) - m) // (5 * S) + 4
    rows = [f"{t + i * 5 * S},{m + i * 5 * S},{(i + 2) * 10**9}" for i in range(-2, count - 2)]
    rows[1] = rows[1].rpartition(",")[0] + ","  # a step for which the server had nothing
    text = "\n".join(["t,m,package", *rows]) + "\n"
    (forged.run / "samples/power-prometheus.csv").write_text(text)
    (forged.run / POWER).unlink()

    def measured(m):
        m["config"]["testbed"] |= KUBERNETES | {"prometheus": SERVER}
        m["host"] |= {"cores": 4.25, "memory_mb": 5000, "nodes": 2}
        m["clock"] = {"source": "hub", "offsets_ns": {"worker-0": away}}
        m["meters"] = {
            "prometheus": {
                "available": True,
                "domains": [RAPL | {"name": "package", "wraps_at": None}],
                "parameters": {"step_s": 5, "period_s": 5.0},
            }
        }
        m["headline_meter"], m["headline_domains"] = "prometheus", {"prometheus": ["package"]}
        m["idle"] = {"meter": "prometheus", "by": "none", "watts": {}}
        m["enforcement"] = {"kind": "kubernetes"}

    forged.manifest(measured)


def test_nothing_is_said_of_a_run_on_a_cluster(forged):
    on_a_cluster(forged)
    assert forged.said() == {}


def test_an_exporter_that_began_again_is_no_forgery_and_another_fall_is_one(forged):
    on_a_cluster(forged)
    name = "samples/power-prometheus.csv"
    lines = (forged.run / name).read_text().splitlines()

    def last_is(value: int) -> dict[str, str]:
        text = "\n".join([*lines[:-1], f"{lines[-1].rpartition(',')[0]},{value}"]) + "\n"
        (forged.run / name).write_text(text)
        return forged.said()

    assert last_is(10**6) == {}
    big = [f"{line.rpartition(',')[0]},{10**15 + i}" for i, line in enumerate(lines[1:])]
    lines = [lines[0], *big]
    assert f"line {len(lines)}: the counter package falls from" in last_is(9 * 10**14)[name]


def test_a_method_that_the_testbeds_query_does_not_have(forged):
    on_a_cluster(forged)
    forged.manifest(lambda m: m["meters"]["prometheus"]["domains"][0].update(method="attributed"))
    assert "for package can only be counter" in forged.said()["run.json"]
