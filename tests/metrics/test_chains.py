"""Which segments are one trial, what became of it, and what of it is waste: by hand, and by the
definitions of docs/methodology, rule 7, in loops."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contexts import PLAIN

from trialwatt.metrics import formulas
from trialwatt.metrics.chains import chains_of
from trialwatt.metrics.dictionary import SEGMENTS, TRIALS
from trialwatt.metrics.extract import extract_run
from trialwatt.metrics.tables import build_tables, read_trials
from trialwatt.records.events import NO_TRIAL, OUTCOMES
from trialwatt.records.reader import read_run
from trialwatt.records.trials import Trials


def trials_of(rows) -> Trials:
    """rows: (number, φ, segment that it goes on with or None, epochs, outcome), by their start."""
    number, phi, resumes, epochs, outcome = map(list, zip(*rows, strict=True))
    count, none = len(rows), np.empty(0)
    before = np.array([NO_TRIAL if r is None else r for r in resumes], np.int64)
    epochs = np.array(epochs, np.int64)
    return Trials(
        workers=["worker-0"],
        ids=pa.array([f"worker-0/{i}" for i in range(count)]),
        worker=np.zeros(count, np.int32),
        number=np.array(number, np.int64),
        phi=np.array(phi, np.int64),
        phis=pa.array([]),
        resumes=before,
        from_epoch=np.where(before == NO_TRIAL, 0, epochs[before]),
        start_ns=np.arange(count),
        end_ns=np.arange(count) + 1,
        outcome=np.array([OUTCOMES.index(each) for each in outcome], np.int8),
        reason=pa.array([""] * count),
        epochs=epochs,
        score=np.zeros(count),
        unscored=np.zeros(count, bool),
        placed=np.ones(count, bool),
        cut_ns=np.zeros(count, np.int64),
        **dict.fromkeys(("knot_trial", "knot_step", "knot_ns", "knot_cpu_ns"), none),
    )


def test_halving_by_hand():
    """Four trials to epoch 1; two go on to 3; one of these to the end; a plain one repeats it."""
    chains = chains_of(
        trials_of(
            [
                (0, 0, None, 1, "paused"),
                (1, 1, None, 1, "paused"),
                (2, 2, None, 1, "paused"),
                (3, 3, None, 1, "failed"),
                (1, 1, 1, 3, "paused"),
                (2, 2, 2, 3, "paused"),
                (2, 2, 5, 9, "completed"),
                (4, 2, None, 9, "completed"),
            ]
        )
    )
    assert chains.of.tolist() == [0, 1, 2, 3, 1, 2, 2, 4]
    assert (chains.first.tolist(), chains.last.tolist()) == ([0, 1, 2, 3, 7], [0, 4, 6, 3, 7])
    assert chains.waste.tolist() == ["pruned", "pruned", "", "failed", "duplicate"]
    assert chains.segments.tolist() == [
        "pruned", "pruned", "", "failed", "pruned", "", "", "duplicate"
    ]  # fmt: skip
    assert chains.sums(np.arange(8)).tolist() == [0, 5, 13, 3, 7]


def test_a_population_by_hand():
    """Trial 0 goes on from the state of trial 1, with another φ: what it had trained is waste."""
    chains = chains_of(
        trials_of(
            [
                (0, 0, None, 2, "paused"),
                (1, 1, None, 2, "paused"),
                (0, 2, 1, 4, "completed"),
                (1, 1, 1, 4, "completed"),
            ]
        )
    )
    assert chains.of.tolist() == [0, 1, 0, 1]
    assert chains.waste.tolist() == ["", ""]
    assert chains.segments.tolist() == ["pruned", "", "", ""]


def test_what_a_failed_trial_left_to_another_is_no_waste():
    chains = chains_of(
        trials_of(
            [
                (0, 0, None, 2, "paused"),
                (1, 1, None, 2, "paused"),
                (1, 2, 0, 4, "completed"),
                (0, 0, 0, 3, "failed"),
            ]
        )
    )
    assert chains.segments.tolist() == ["", "pruned", "", "failed"]
    assert (chains.completed.tolist(), chains.failed.tolist()) == ([False, True], [True, False])


def test_the_same_phi_by_another_way_is_no_duplicate():
    rows = [
        (0, 0, None, 2, "paused"),
        (1, 1, None, 2, "paused"),
        (0, 0, 0, 4, "completed"),
        (1, 0, 1, 4, "completed"),  # the first half was of another φ
        (2, 0, None, 4, "completed"),  # in one piece what the first did in two
    ]
    assert chains_of(trials_of(rows)).waste.tolist() == ["", "", "duplicate"]


@st.composite
def grown(draw):
    """Segments that go on with any paused one before them."""
    rows = []
    for at in range(draw(st.integers(1, 12))):
        paused = [i for i, row in enumerate(rows) if row[4] == "paused"]
        before = draw(st.sampled_from([None, *paused]))
        number = at if before is None else draw(st.sampled_from([at, *(row[0] for row in rows)]))
        epochs = (rows[before][3] if before is not None else 0) + draw(st.integers(1, 2))
        rows.append(
            (number, draw(st.integers(0, 1)), before, epochs, draw(st.sampled_from(OUTCOMES)))
        )
    return rows


def history(rows, at):
    """(φ, epochs) of what was trained, neighbours of one φ as one."""
    _, phi, before, epochs, _ = rows[at]
    past = history(rows, before) if before is not None else []
    return [*past[: -1 if past and past[-1][0] == phi else None], (phi, epochs)]


def before_and(rows, at):
    return set() if at is None else {at} | before_and(rows, rows[at][2])


@given(grown())
def test_classes_by_definition(rows):
    trials: dict[int, list[int]] = {}  # number → its segments
    for at, row in enumerate(rows):
        trials.setdefault(row[0], []).append(at)
    kinds, seen = {}, []
    for number in sorted(trials, key=lambda n: trials[n][0]):
        last = trials[number][-1]
        kinds[number] = {"completed": "", "failed": "failed"}.get(rows[last][4], "pruned")
        if kinds[number] == "":
            kinds[number] = "duplicate" if history(rows, last) in seen else ""
            seen.append(history(rows, last))
    ways = {
        kind: set().union(*(before_and(rows, trials[n][-1]) for n in trials if kinds[n] == kind))
        for kind in ("", "duplicate")
    }
    expected = [
        "" if at in ways[""]
        else "duplicate" if at in ways["duplicate"]
        else "failed" if "failed" in (row[4], kinds[row[0]])
        else "pruned"
        for at, row in enumerate(rows)
    ]  # fmt: skip
    chains = chains_of(trials_of(rows))
    assert chains.segments.tolist() == expected
    assert sorted(chains.waste) == sorted(kinds.values())
    assert len(chains.last) == len(trials)


def test_energy_that_was_avoided_counts_from_the_epoch_that_was_reached():
    """It ran 2 epochs itself, after 4 of another's: 4 of 10 are left, of 3 J each."""
    found = formulas.avoided_energy(np.array([6.0]), np.array([2]), 10, np.array([6]))
    assert found.tolist() == [12.0]


@pytest.fixture
def resumed(run_folder):
    """The synthetic run, in which the second trial of worker-0 goes on with its first."""
    path = run_folder / "records" / "worker-0.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    ids = [line["trial"] for line in lines if line.get("status") == "start"]
    number = next(line["number"] for line in lines if line.get("trial") == ids[0])
    for line in lines:
        if line.get("trial") == ids[0] and line.get("status") == "end":
            line["outcome"] = "paused"
        if line.get("trial") == ids[1] and line.get("status") == "start":
            line |= {"number": number, "resumes": ids[0], "from_epoch": 1}
        if line.get("trial") == ids[1] and line.get("status") == "end":
            line |= {"epochs": 2, "outcome": "completed"}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run_folder, ids


def test_records_of_segments_are_read(resumed):
    folder, (first, second, *_) = resumed
    trials = read_run(folder).trials
    ids = trials.ids.to_pylist()
    at, before = ids.index(second), ids.index(first)
    assert trials.resumes[at] == before and trials.from_epoch[at] == 1
    assert (np.delete(trials.resumes, at) == NO_TRIAL).all()
    assert OUTCOMES[trials.outcome[before]] == "paused"


def test_a_segment_after_one_that_is_not_there_is_noted(resumed):
    folder, (first, *_) = resumed
    path = folder / "records" / "worker-0.jsonl"
    kept = [
        line for line in path.read_text().splitlines() if json.loads(line).get("trial") != first
    ]
    path.write_text("\n".join(kept) + "\n")
    records = read_run(folder)
    assert (records.trials.resumes == NO_TRIAL).all()
    assert any("1 segments go on with what is not there" in note for note in records.notes)


def test_the_tables_of_segments(resumed, tmp_path):
    folder, (first, second, *_) = resumed
    metrics = extract_run(folder, PLAIN)
    table, run = metrics.trials.set_index("trial"), metrics.run
    assert run["trials_started"] == len(table) - 1
    assert table.loc[second, ["resumes", "from_epoch"]].tolist() == [first, 1]
    assert table["resumes"].count() == 1
    assert (
        run["trials_completed"] + run["trials_failed"] + run["trials_pruned"]
        == (run["trials_started"])
    )
    parts = table["energy_kwh"].sum()
    assert run["twh_kwh"] * run["trials_started"] == pytest.approx(parts)
    wasted = table.loc[table["waste_class"] != "", "energy_kwh"].sum()
    assert run["wte_kwh"] == pytest.approx(wasted)
    assert set(metrics.trials.columns) == {column.name for column in (*TRIALS, *SEGMENTS)}


def test_tables_have_the_columns_of_segments_only_where_there_are_some(
    resumed, synthetic, tmp_path
):
    folder, (first, second, *_) = resumed
    other = synthetic.write_run(tmp_path / "other", synthetic.Synthetic(trials=4, workers=1))
    build_tables([folder, other], [], PLAIN, tmp_path / "both")
    table = read_trials(tmp_path / "both" / "trials.parquet")
    goes_on = table[table["resumes"].notna()]
    assert goes_on[["trial", "resumes", "from_epoch"]].to_numpy().tolist() == [[second, first, 1]]
    names = [column.name for column in (*TRIALS, *SEGMENTS)]
    assert list(table.columns) == names
    head = (tmp_path / "both" / "trials.csv").read_text().partition("\n")[0]
    assert head.replace('"', "").split(",") == names
    told = json.loads((tmp_path / "both" / "dictionary.json").read_text())["trials"]
    assert [entry["name"] for entry in told] == names
    build_tables([other], [], PLAIN, tmp_path / "one")
    assert list(read_trials(tmp_path / "one" / "trials.parquet").columns) == names[:-2]
