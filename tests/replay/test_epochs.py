"""Epochs that are told apart by their own lines alone, as those of a user's function are."""

import json

import numpy as np
import pytest

from trialwatt.errors import TrialwattError
from trialwatt.metrics.energy import account
from trialwatt.records.events import STEPS
from trialwatt.records.reader import read_run
from trialwatt.records.trials import IDLE
from trialwatt.replay.epochs import epochs_of


@pytest.fixture
def folder(synthetic, tmp_path):
    """Trials that train all epochs in one step, and are validated after it."""
    size = synthetic.Synthetic(trials=6, workers=2, seconds=12, epochs=3)
    return synthetic.write_run(tmp_path, size)


def taken(records):
    return account(records, np.empty(0, np.int64), np.ones(1), by_knot=True)


def test_an_epoch_ends_where_its_line_says(folder):
    records = read_run(folder)
    found = epochs_of(records)
    lines = [
        json.loads(line)
        for file in (folder / "records").glob("worker-*.jsonl")
        for line in file.read_text().splitlines()
    ]
    knots = found.records.trials
    for index, trial in enumerate(records.trials.ids.to_pylist()):
        mine = knots.knot_trial == index
        spans = np.diff(knots.knot_ns[mine])
        own = [line for line in lines if line.get("trial") == trial]
        begun = next(line["m"] for line in own if line.get("step") == "train")
        ends = [line["m"] for line in own if line["kind"] == "epoch"]
        for epoch, (start, end) in enumerate(zip([begun, *ends], ends, strict=False), start=1):
            if epoch < 3:
                assert spans[found.number[mine][:-1] == epoch].sum() == end - start
        whole = records.trials.end_ns[index] - records.trials.start_ns[index]
        assert spans.sum() == whole
        assert spans[found.number[mine][:-1] == 3].sum() == own[-1]["m"] - ends[1]
    assert len(found.scores) == 6 * 3 and set(found.scores) == {"macro_f1", "accuracy"}


def test_cuts_change_no_energy(folder):
    records = read_run(folder)
    found = epochs_of(records).records
    whole, cut = taken(records), taken(found)
    assert cut.job_j == pytest.approx(whole.job_j)
    for name in ("trial_static_j", "trial_dynamic_j", "trial_cpu_ns"):
        assert getattr(cut, name) == pytest.approx(getattr(whole, name), rel=1e-9)
    of_trial = found.trials.knot_trial
    busy = found.trials.knot_step != IDLE
    for kind in ("static", "dynamic"):
        drawn = getattr(cut, f"knot_{kind}_j")
        parts = np.bincount(of_trial[busy], drawn[busy], len(records.trials))
        assert parts == pytest.approx(getattr(cut, f"trial_{kind}_j"))


def edited(file, change):
    """change: of an epoch's line; None leaves it out. All other lines stay."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    kept = [change(line) if line["kind"] == "epoch" else line for line in lines]
    file.write_text("".join(json.dumps(line) + "\n" for line in kept if line))


def test_a_counter_of_the_epoch_is_believed(folder):
    """Where it says that the first epoch used all of a step's time, the others have used none."""
    before = epochs_of(read_run(folder))
    trials = before.records.trials
    mine = trials.worker[trials.knot_trial] == trials.workers.index("worker-0")
    used = {}
    for knot in np.flatnonzero(mine & (trials.knot_step == STEPS.index("validate"))):
        used[trials.ids[trials.knot_trial[knot]].as_py()] = int(trials.knot_cpu_ns[knot])
    assert taken(before.records).knot_cpu_ns[mine & (before.number == 2)].min() > 0

    file = folder / "records" / "worker-0.jsonl"
    edited(file, lambda line: line | {"cpu_ns": used[line["trial"]]})
    found = epochs_of(read_run(folder))
    assert taken(found.records).knot_cpu_ns[mine & (found.number == 2)].max() == 0


def test_a_line_that_cannot_be_read_is_named(folder):
    edited(folder / "records" / "worker-0.jsonl", lambda line: line | {"scores": {"loss": "x"}})
    with pytest.raises(TrialwattError, match=r"worker-0\.jsonl: an epoch's line cannot be read"):
        epochs_of(read_run(folder))


def test_a_run_without_epochs_is_named(folder):
    for worker in range(2):
        edited(folder / "records" / f"worker-{worker}.jsonl", lambda line: None)
    with pytest.raises(TrialwattError, match="no epoch was reported"):
        epochs_of(read_run(folder))
