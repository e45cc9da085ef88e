"""Records are read alike whatever their shape, and bad ones are repaired with a note or refused."""

import contextlib
import json
import random
import shutil

import numpy as np
import pytest
from tests.fuzz import all_clean, corpus, mutations, wrong_json

from trialwatt.errors import TrialwattError
from trialwatt.records import events
from trialwatt.records.events import OUTCOMES, STEPS
from trialwatt.records.outcome import LIFECYCLE, outcome
from trialwatt.records.reader import read_run
from trialwatt.records.trials import IDLE

TRIAL_ARRAYS = (
    *("worker", "number", "start_ns", "end_ns", "outcome", "epochs", "score"),
    *("knot_trial", "knot_step", "knot_ns", "knot_cpu_ns"),
)


@pytest.fixture(autouse=True, params=[0, 10**9], ids=["scanned", "parsed"])
def worth_a_scan(request, monkeypatch):
    """Each test with the lines scanned, and with every line parsed as those of small files are."""
    monkeypatch.setattr(events, "_WORTH_A_SCAN", request.param)


def lines_of(path):
    return path.read_text().splitlines(keepends=True)


def rewrite(path, change):
    path.write_text("".join(change(lines_of(path))))


def edited(line, **keys):
    return json.dumps(json.loads(line) | keys) + "\n"


def respelled(line):
    return json.dumps(json.loads(line), sort_keys=True) + "\n"


def same_trials(a, b):
    assert a.ids.to_pylist() == b.ids.to_pylist()
    assert a.reason.to_pylist() == b.reason.to_pylist()
    assert a.workers == b.workers
    assert a.phis.take(a.phi).to_pylist() == b.phis.take(b.phi).to_pylist()
    for name in TRIAL_ARRAYS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), name)


@pytest.fixture
def worker_file(run_folder):
    return run_folder / "records" / "worker-0.jsonl"


def test_a_clean_run_has_no_notes(run_folder):
    records = read_run(run_folder)
    trials = records.trials
    assert records.notes == []
    assert len(trials) == 20
    assert trials.ids.to_pylist()[:2] == ["worker-0/0", "worker-0/1"]
    assert list(records.steps) == list(LIFECYCLE)
    assert {c.name: c.type for c in records.components} == {
        "worker-0": "worker",
        "worker-1": "worker",
        "storage": "service",
    }
    first = json.loads(lines_of(run_folder / "records" / "worker-0.jsonl")[0])
    assert trials.start_ns[0] == first["m"]
    assert records.utc_minus_mono_ns == first["t"] - first["m"]
    assert json.loads(trials.phis[int(trials.phi[0])].as_py()) == first["phi"]
    knots = trials.knots_of(1)
    assert set(trials.worker[trials.knot_trial[knots]]) == {1}
    assert trials.knot_step[:4].tolist() == [1, 2, 3, IDLE]
    assert [STEPS[s] for s in trials.knot_step[:3]] == ["load", "train", "validate"]


def test_lines_of_any_spelling_are_read_alike(run_folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run_folder, other)
    for path in (other / "records").glob("worker-*.jsonl"):
        rewrite(
            path, lambda lines: [json.dumps(json.loads(x), sort_keys=True) + "\n" for x in lines]
        )
    same_trials(read_run(run_folder).trials, read_run(other).trials)


def test_several_processes_and_small_parts_read_the_same(run_folder, monkeypatch):
    expected = read_run(run_folder)
    monkeypatch.setattr(events, "_PART_BYTES", 1000)
    monkeypatch.setattr(events, "_CHUNK_BYTES", 300)
    for processes in (1, 2):
        found = read_run(run_folder, processes)
        same_trials(expected.trials, found.trials)
        assert (found.notes, found.steps) == (expected.notes, expected.steps)


def test_what_workers_write_is_scanned_without_json(tmp_path, run_config, monkeypatch):
    from trialwatt.lifecycle.trials import RecordedTrials
    from trialwatt.records.trial_keys import TrialKeys
    from trialwatt.records.writer import EventWriter
    from trialwatt.suts.base import Job
    from trialwatt.workload.task import Trained

    class Pretended:
        keeps = False

        def load(self):
            return None

        def train(self, phi, data, seed, watch, part):
            watch.step("train")
            watch(1, {"macro_f1": 0.1})
            watch.step("validate")
            return Trained({"macro_f1": 0.5, "accuracy": 0.25}, None)

    monkeypatch.setattr("trialwatt.lifecycle.trials.task_of", lambda job: Pretended())
    monkeypatch.setattr(events, "_WORTH_A_SCAN", 0)
    config = run_config()
    job = Job("run-1", config, 1, 7, str(tmp_path), "", 1, 0.5)
    writer = EventWriter(tmp_path, "run-1", "worker-3")
    trials = RecordedTrials(job, "worker-3", writer, [])
    phi = {"lr": 0.001, "decay": 1e-6, "ls": 16, "ln": 1}
    trials.run(phi, 4)
    trials.run({"no": 1}, 5)  # fails: its detail has quotation marks
    writer.close()

    parsed = []
    loads = json.loads
    monkeypatch.setattr(events.json, "loads", lambda text: parsed.append(text) or loads(text))
    path = tmp_path / "records" / "worker-3.jsonl"
    found = events.read_events([path], events.Reading("run-1", "macro_f1"), TrialKeys())["worker-3"]
    assert [b"not in the search space" in line for line in parsed] in ([], [True])
    assert found.trials.status.tolist() == [0, *[1] * (len(found.trials.m) - 4), 2, 0, 2]
    assert found.trials.number.tolist() == [4, 5]
    assert found.trials.outcome.tolist() == [OUTCOMES.index("completed"), OUTCOMES.index("failed")]
    assert found.trials.reason.to_pylist() == ["", "error"]
    assert found.trials.score[0] == 0.5 and np.isnan(found.trials.score[1])
    assert found.trials.epoch.tolist() == [1]
    assert json.loads(found.trials.phi[0].as_py()) == phi


# --- repaired, with a note ------------------------------------------------------------------------


def test_a_cut_last_line_is_dropped(worker_file, run_folder):
    whole = read_run(run_folder).trials
    worker_file.write_text(worker_file.read_text()[:-25])
    records = read_run(run_folder)
    assert any("cut line dropped" in note for note in records.notes)
    assert any("start and no end" in note for note in records.notes)
    lost = records.trials.ids.to_pylist().index("worker-0/9")
    assert OUTCOMES[records.trials.outcome[lost]] == "failed"
    assert records.trials.reason[lost].as_py() == "lost"
    assert records.trials.epochs[lost] == 1  # its epoch line is there
    assert np.isnan(records.trials.score[lost])
    worker = records.components[0]
    assert records.trials.end_ns[lost] == worker.lives[0][1]
    np.testing.assert_array_equal(
        np.delete(whole.score, lost), np.delete(records.trials.score, lost)
    )


def test_a_line_cut_in_the_middle_of_the_file_is_dropped(worker_file, run_folder):
    rewrite(worker_file, lambda lines: [*lines[:7], lines[7][:40] + "\n", *lines[8:]])
    records = read_run(run_folder)
    assert "records/worker-0.jsonl: cut line dropped (line 8)" in records.notes


def test_lines_out_of_order_are_sorted(worker_file, run_folder):
    expected = read_run(run_folder).trials

    def shuffled(lines):
        random.Random(1).shuffle(lines)
        return lines

    rewrite(worker_file, shuffled)
    records = read_run(run_folder)
    assert any("out of order" in note for note in records.notes)
    same_trials(expected, records.trials)


def test_lines_that_are_there_twice_count_once(run_folder):
    expected = read_run(run_folder)
    for path in (run_folder / "records").glob("*.jsonl"):
        rewrite(path, lambda lines: [line for line in lines for _ in range(2)])
    records = read_run(run_folder)
    assert sum("there twice" in note for note in records.notes) == 2
    same_trials(expected.trials, records.trials)
    assert records.components == expected.components


def test_a_whole_file_that_is_there_twice_counts_once(worker_file, run_folder):
    expected = read_run(run_folder)
    shutil.copy(worker_file, worker_file.with_name("worker-0 (copy).jsonl"))
    records = read_run(run_folder)
    assert any("there twice" in note for note in records.notes)
    same_trials(expected.trials, records.trials)


def test_a_clock_that_jumped_is_noted_and_monotonic_time_used(worker_file, run_folder):
    expected = read_run(run_folder).trials
    jumped = 5_000_000_000
    rewrite(
        worker_file,
        lambda lines: lines[:9] + [edited(x, t=json.loads(x)["t"] + jumped) for x in lines[9:]],
    )
    records = read_run(run_folder)
    assert [n for n in records.notes if "clock" in n] == [
        "records/worker-0.jsonl: the clock was set during the run; monotonic time is used"
    ]
    same_trials(expected, records.trials)


def test_offsets_move_other_machines_onto_one_axis(worker_file, run_folder):
    expected = read_run(run_folder).trials
    rewrite(worker_file, lambda lines: [edited(x, m=json.loads(x)["m"] - 12345) for x in lines])
    manifest = json.loads((run_folder / "run.json").read_text())
    manifest["clock"]["offsets_ns"] = {"worker-0": 12345}
    (run_folder / "run.json").write_text(json.dumps(manifest))
    same_trials(expected, read_run(run_folder).trials)


def test_trials_that_are_not_of_the_runs_time_are_flagged(worker_file, run_folder):
    assert not [flag for flag in read_run(run_folder).flags if "outside" in flag]
    day_ns = 86400 * 10**9
    rewrite(worker_file, lambda lines: [edited(x, m=json.loads(x)["m"] - day_ns) for x in lines])
    records = read_run(run_folder)
    count = int((records.trials.worker == records.trials.workers.index("worker-0")).sum())
    said = (
        f"{count} trials start outside of the time of their worker: the clock of worker-0 is not "
        "known, nor is the energy of its trials"
    )
    assert said in records.flags
    assert records.trials.placed.tolist() == [False] * count + [True] * count


def test_overlapping_trials_are_cut_with_a_note(worker_file, run_folder):
    def late_end(lines):
        last = next(i for i, x in enumerate(lines) if json.loads(x).get("status") == "end")
        later = json.loads(lines[last + 2])["m"] + 1
        moved = edited(lines[last], m=later, t=json.loads(lines[last])["t"])
        return [*lines[:last], *lines[last + 1 : last + 3], moved, *lines[last + 3 :]]

    rewrite(worker_file, late_end)
    records = read_run(run_folder)
    assert any("overlap" in note for note in records.notes)
    trials = records.trials
    assert trials.end_ns[0] == trials.start_ns[1]
    assert np.all(np.diff(trials.knot_ns[trials.knots_of(0)]) >= 0)


def test_a_step_before_its_trials_start_is_moved_into_it(worker_file, run_folder):
    """Clocks of two machines differ by a little: no moment may lie in the trial before."""
    start = json.loads(next(x for x in lines_of(worker_file) if '"worker-0/1"' in x))["m"]

    def early(lines):
        for line in lines:
            event = json.loads(line)
            if event.get("trial") == "worker-0/1" and event.get("step") == "train":
                line = edited(line, m=start - 10**9)
            yield line

    rewrite(worker_file, early)
    trials = read_run(run_folder).trials
    knots = trials.knots_of(0)
    assert np.all(np.diff(trials.knot_ns[knots]) >= 0)
    moved = (trials.knot_trial == 1) & (trials.knot_step == STEPS.index("train"))
    assert trials.knot_ns[moved] == [start] and np.isnan(trials.knot_cpu_ns[moved]).all()


def test_devices_that_are_known_only_when_a_worker_is_ready(run_folder):
    path = run_folder / "records" / "harness.jsonl"

    def ready(lines):
        for line in lines:
            event = json.loads(line)
            if event.get("component") == "worker-1" and event["status"] == "ready":
                line = edited(line, devices=["gpu-3"])
            yield line

    rewrite(path, ready)
    found = {c.name: c.devices for c in read_run(run_folder).components}
    assert found == {"worker-0": (), "worker-1": ("gpu-3",), "storage": ()}


def test_notes_and_meter_errors_are_passed_on(worker_file, run_folder):
    first = json.loads(lines_of(worker_file)[0])
    head = {key: first[key] for key in ("t", "m", "run", "who")}
    note = json.dumps({**head, "kind": "note", "text": "a worker was replaced"}) + "\n"
    rewrite(worker_file, lambda lines: [note, *lines])
    manifest = json.loads((run_folder / "run.json").read_text())
    (run_folder / "run.json").write_text(json.dumps(manifest | {"meter_errors": ["rapl: denied"]}))
    assert read_run(run_folder).notes == ["a worker was replaced", "rapl: denied"]


# --- samples --------------------------------------------------------------------------------------


def test_power_that_is_negative_or_no_number_is_a_gap(run_folder):
    path = run_folder / "samples" / "power-model.csv"
    values = {5: "-3.0", 6: "nan", 7: "", 8: "oops", 9: "inf"}

    def spoil(lines):
        for row, text in values.items():
            lines[row] = lines[row].rsplit(",", 1)[0] + f",{text}\n"
        return lines

    rewrite(path, spoil)
    records = read_run(run_folder)
    missing = np.flatnonzero(np.isnan(records.power.values["cpu"]))
    assert missing.tolist() == [row - 1 for row in values]
    assert any("negative or no number" in note for note in records.notes)
    assert any("no number" in note for note in records.notes)


def test_samples_out_of_order_twice_and_cut(run_folder):
    expected = read_run(run_folder)
    for path in (run_folder / "samples").glob("*.csv"):

        def spoil(lines):
            head, *rows = lines
            rows = rows + rows[10:20]
            random.Random(2).shuffle(rows)
            return [head, *rows, rows[0][:-2]]

        rewrite(path, spoil)
    records = read_run(run_folder)
    for word in ("out of order", "there twice", "cut line dropped"):
        assert sum(word in note for note in records.notes) == 2
    np.testing.assert_array_equal(records.power.times_ns, expected.power.times_ns)
    np.testing.assert_array_equal(records.power.values["cpu"], expected.power.values["cpu"])
    for name, track in expected.usage.items():
        np.testing.assert_array_equal(records.usage[name].cpu_ns, track.cpu_ns)


def test_a_clock_that_jumped_between_samples_is_noted_and_monotonic_time_used(run_folder):
    expected = read_run(run_folder)
    for path in (run_folder / "samples").glob("*.csv"):

        def later(lines):
            for row, line in enumerate(lines):
                t, rest = line.split(",", 1)
                yield f"{int(t) + 3600 * 10**9},{rest}" if row > 30 else line

        rewrite(path, later)
    records = read_run(run_folder)
    assert sum("the clock was set during the run" in note for note in records.notes) == 2
    np.testing.assert_array_equal(records.power.times_ns, expected.power.times_ns)
    np.testing.assert_array_equal(records.power.values["cpu"], expected.power.values["cpu"])


@pytest.mark.parametrize("text", ["", "t,m,cpu\n", "t,m,cpu\n1,2"])
def test_a_sample_file_without_a_sample(run_folder, text):
    (run_folder / "samples" / "power-model.csv").write_text(text)
    records = read_run(run_folder)
    assert len(records.power.times_ns) == 0
    assert "samples/power-model.csv: no sample" in records.notes


def test_a_missing_sample_file_is_noted(run_folder):
    (run_folder / "samples" / "usage.csv").unlink()
    records = read_run(run_folder)
    assert records.usage == {}
    assert "samples/usage.csv: missing" in records.notes


# --- refused --------------------------------------------------------------------------------------


def refused(folder) -> str:
    with pytest.raises(TrialwattError) as caught:
        read_run(folder)
    return str(caught.value)


def test_lines_of_another_run_are_refused(worker_file, run_folder):
    rewrite(worker_file, lambda lines: [*lines[:5], edited(lines[5], run="other-run"), *lines[6:]])
    assert "lines of another run (other-run)" in refused(run_folder)


def test_damage_beyond_a_cut_line_is_refused(worker_file, run_folder):
    rewrite(worker_file, lambda lines: [x[: len(x) // 2] + "\n" for x in lines])
    assert "cannot be read" in refused(run_folder)


def test_a_line_without_its_head_is_refused(worker_file, run_folder):
    rewrite(worker_file, lambda lines: [*lines, '{"m":1}\n'])
    assert "lacks t, m, run, who or kind" in refused(run_folder)


@pytest.mark.parametrize(
    "change", [{"status": "paused"}, {"trial": None}, {"cpu_ns": "x"}, {"phi": 3, "number": "n"}]
)
def test_a_trial_line_with_a_wrong_value_is_refused(worker_file, run_folder, change):
    rewrite(worker_file, lambda lines: [edited(lines[0], **change), *lines[1:]])
    assert "worker-0.jsonl" in refused(run_folder)


def test_a_trial_that_starts_twice_is_refused(worker_file, run_folder):
    later = json.loads(lines_of(worker_file)[0])["m"] + 50
    rewrite(worker_file, lambda lines: [lines[0], edited(lines[0], m=later), *lines[1:]])
    assert "worker-0/0 starts twice" in refused(run_folder)


def test_a_run_without_a_beginning_is_refused(run_folder):
    path = run_folder / "records" / "harness.jsonl"
    rewrite(path, lambda lines: [x for x in lines if '"deploy"' not in x])
    assert "no start of the deploy step" in refused(run_folder)


def test_an_empty_harness_file_is_refused(run_folder):
    (run_folder / "records" / "harness.jsonl").write_text("")
    assert "no start of the deploy step" in refused(run_folder)


@pytest.mark.parametrize(("kind", "key"), [("step", "step"), ("component", "status")])
def test_a_harness_line_that_lacks_a_value_is_refused(run_folder, kind, key):
    path = run_folder / "records" / "harness.jsonl"

    def without(lines):
        for line in lines:
            event = json.loads(line)
            if event["kind"] == kind:
                del event[key]
            yield json.dumps(event) + "\n"

    rewrite(path, without)
    assert "harness.jsonl" in refused(run_folder)


@pytest.mark.parametrize("key", ["cores", "memory_mb"])
def test_a_machine_of_unknown_size_is_refused(run_folder, key):
    manifest = json.loads((run_folder / "run.json").read_text())
    del manifest["host"][key]
    (run_folder / "run.json").write_text(json.dumps(manifest))
    assert f"lacks host.{key}" in refused(run_folder)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"format": 2}', '{"format": 1}'])
def test_a_bad_manifest_is_refused(run_folder, text):
    path = run_folder / "run.json"
    path.unlink() if text is None else path.write_text(text)
    assert "run.json" in refused(run_folder)


def test_a_sample_file_with_other_columns_is_refused(run_folder):
    path = run_folder / "samples" / "power-model.csv"
    rewrite(path, lambda lines: ["t,m,dram\n", *lines[1:]])
    assert "no column cpu" in refused(run_folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host": 5}, "run.json: not a run's manifest: host: Input should be"),
        ({"host": {"cores": True, "memory_mb": 1}}, "run.json: not a run's manifest: host.cores: "),
        ({"clock": []}, "run.json: not a run's manifest: clock: "),
        (
            {"clock": {"offsets_ns": {"worker-0": 2**62}}},
            "run.json: not a run's manifest: clock.offsets_ns.worker-0: ",
        ),
        ({"files": {"a": 3}}, "run.json: not a run's manifest: files.a: "),
        ({"headline_domains": "x"}, "run.json: not a run's manifest: headline_domains: "),
        ({"meters": {"../../x": {}}}, "run.json: not a run's manifest: meters.../../x"),
        (
            {"meters": {"model": {"domains": 3}}},
            "run.json: not a run's manifest: meters.model.domains: ",
        ),
        ({"repetition": True}, "run.json: not a run's manifest: repetition: "),
        ({"seed": 2**64}, "64 bits must do"),
        ({"idle": {"watts": {"cpu": "x"}}}, "run.json: not a run's manifest: idle.watts.cpu: "),
        ({"reason": "\ud800"}, "half a character"),
        ({"deep": json.loads("[" * 200 + "]" * 200)}, "nested deeper than 100 levels"),
    ],
)
def test_a_value_of_another_type_in_the_manifest_is_named(run_folder, change, said):
    path = run_folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert said in refused(run_folder)


@pytest.mark.parametrize(
    "change",
    [{"t": 2**63}, {"m": -(2**62)}, {"m": 10**30}, {"phi": [1]}, {"phi": {"lr": [1]}},
     {"number": "1"}, {"number": 1e300}, {"cpu_ns": "x"}, {"trial": 5}, {"step": []}],
)  # fmt: skip
def test_a_trial_with_another_type_of_value_is_refused(worker_file, run_folder, change):
    def spoil(lines):
        at = next(i for i, line in enumerate(lines) if '"start"' in line)
        return [*lines[:at], edited(lines[at], **change), *lines[at + 1 :]]

    rewrite(worker_file, spoil)
    assert "worker-0.jsonl" in refused(run_folder)


def test_a_number_that_is_none_in_a_choice_of_hyperparameters_is_refused(worker_file, run_folder):
    """It looks like one from afar: the scan takes it, what reads the tables would not."""
    text = worker_file.read_text()
    assert '"lr":0.' in text
    worker_file.write_text(text.replace('"lr":0.', '"lr":0.0.'))
    assert "is no φ" in refused(run_folder) or "cannot be read" in refused(run_folder)


def test_a_line_of_megabytes_is_refused(worker_file, run_folder):
    worker_file.write_bytes(worker_file.read_bytes() + b'{"a":"' + b"x" * (4 << 20))
    assert "a line of more than 1,048,576 bytes" in refused(run_folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t,m,m,cpu,memory\n1,2,3,4,5\n", "two columns m"),
        ("t,m,cpu,memory\n1,2,\xff,4\n", "line 2 is no UTF-8 text"),
    ],
)
def test_samples_that_are_no_table_are_refused(run_folder, text, said):
    (run_folder / "samples" / "power-model.csv").write_bytes(text.encode("latin-1"))
    assert said in refused(run_folder)


@pytest.mark.parametrize("value", ["9" * 30, "1e400", "x", str(2**62 + 1)])
def test_a_moment_beyond_64_bits_is_a_damaged_line(run_folder, value):
    path = run_folder / "samples" / "usage.csv"
    rewrite(path, lambda lines: [*lines, lines[-1].replace(lines[-1].split(",")[0], value, 1)])
    assert any("damaged lines dropped" in note for note in read_run(run_folder).notes)


def damaged(folder, rng):
    """A file of a run's folder, and a damage to it."""
    path = rng.choice(
        [p for p in sorted(folder.rglob("*")) if p.suffix in (".json", ".jsonl", ".csv")]
    )
    data = path.read_bytes()
    if path.suffix == ".json" and rng.random() < 0.7:
        return path, json.dumps(wrong_json(json.loads(data), rng)).encode()
    if path.suffix == ".jsonl" and rng.random() < 0.6:
        lines = data.splitlines()
        at = rng.randrange(len(lines))
        lines[at] = json.dumps(wrong_json(json.loads(lines[at]), rng)).encode()
        return path, b"\n".join([*lines, b""])
    return path, mutations(data, rng)


@pytest.mark.parametrize("count", [30, pytest.param(4_000, marks=pytest.mark.slow)])
def test_damaged_records_are_repaired_or_refused_in_words(run_folder, count):
    rng = random.Random(count)

    def read(data):
        before = path.read_bytes()
        path.write_bytes(data)
        try:
            for reader in (read_run, outcome):
                with contextlib.suppress(TrialwattError):
                    reader(run_folder)
            records = read_run(run_folder)
            for phi in records.trials.phis.to_pylist():
                json.loads(phi)
            "".join(map(str, records.notes)).encode()
        finally:
            path.write_bytes(before)

    for kept in corpus(__file__, "lines"):
        path = run_folder / "records" / "worker-0.jsonl"
        all_clean([path.read_bytes() + kept, kept], read, (TrialwattError,))
    for _ in range(count):
        path, data = damaged(run_folder, rng)
        all_clean([data], read, (TrialwattError,))
