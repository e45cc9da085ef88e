"""A trial table is read as it was written, and what is wrong with one is named."""

import json

import pandas as pd
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from benchmarks.synthetic_table import made

import trialwatt
import trialwatt.replay.table
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256


def test_it_comes_back_as_it_was(tmp_path):
    table = made()
    file = table.write(tmp_path / "a.parquet")
    found = trialwatt.table(file)
    pd.testing.assert_frame_equal(found.frame, table.frame, check_dtype=False)
    assert found.facts == table.facts
    assert found.sha256 == sha256(file)
    assert found.seeds == {1: 101, 2: 102, 3: 103}
    assert found.space == table.space and not found.holes
    found.check()
    assert table.write(tmp_path / "b.parquet").read_bytes() == file.read_bytes()


def test_it_tells_what_its_columns_are(tmp_path):
    file = made().write(tmp_path / "a.parquet")
    said = json.loads(pq.read_schema(file).metadata[b"trialwatt"])
    told = {entry["name"]: entry for entry in said["dictionary"]}
    assert set(told) == set(pq.read_schema(file).names)
    assert told["dynamic_j"]["unit"] == "J" and told["score.macro_f1"]["definition"]


def test_its_rows_as_csv(tmp_path):
    table = made()
    found = pcsv.read_csv(table.write_csv(tmp_path / "a.csv"))
    assert found.num_rows == len(table.frame)
    assert found["seconds"].to_pylist() == pytest.approx(table.frame["seconds"].tolist())


def changed(table, change):
    return trialwatt.replay.table.TrialTable(change(table.frame), table.facts)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f[~((f["phi"] == f["phi"][0]) & (f["repetition"] == 2))],  # a trial
        lambda f: f[~((f["phi"] == f["phi"][0]) & (f["repetition"] == 2) & (f["epoch"] == 3))],
        lambda f: f[~((f["phi"] == f["phi"][0]) & (f["repetition"] == 2) & (f["epoch"] == 5))],
    ],
)
def test_a_hole_is_named(change):
    table = changed(made(), change)
    assert table.holes == [(table.phis[0], 2)]
    with pytest.raises(TrialwattError, match=r"has holes, 1 of 72 trials: .* in repetition 2"):
        table.check()


def test_a_trial_that_failed_by_itself_is_no_hole():
    made(failing=(3, 4)).check()


def test_another_space_is_named():
    def change(frame):
        return frame.assign(phi=frame["phi"].str.replace("0.01", "0.5"))

    with pytest.raises(TrialwattError, match=r"of another space: .*0\.5"):
        changed(made(), change).check()


def test_too_few_seeds_are_named():
    with pytest.raises(TrialwattError, match="too few seeds: 2, at least 3"):
        made(seeds=2).check()
    made(seeds=2).check(seeds=2)


def test_flagged_runs_are_named_and_may_be_allowed():
    table = made(flags="foreign CPU time 9% of the machine")
    with pytest.raises(TrialwattError, match="flagged runs: runs/test/x/rep1: foreign CPU"):
        table.check()
    table.check(flagged=True)


def test_a_file_that_is_none_is_named(tmp_path):
    with pytest.raises(TrialwattError, match="no such file"):
        trialwatt.table(tmp_path / "none.parquet")
    text = tmp_path / "text.parquet"
    text.write_text("no table")
    with pytest.raises(TrialwattError, match="damaged, or no trial table"):
        trialwatt.table(text)
    other = tmp_path / "other.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(other)
    with pytest.raises(TrialwattError, match="damaged, or no trial table"):
        trialwatt.table(other)


def test_values_that_cannot_be_are_named(tmp_path):
    table = changed(made(), lambda f: f.assign(seconds=f["seconds"] * -1))
    with pytest.raises(TrialwattError, match="seconds holds"):
        table.write(tmp_path / "a.parquet")
