import json
import math
import random
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.fuzz import all_clean, mutations

from trialwatt.errors import TrialwattError
from trialwatt.metrics.columns import schema, validate
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.dictionary import RUNS, TRIALS
from trialwatt.metrics.tables import ExperimentRow, build_tables, read_runs

CONTEXT = MetricsContext(0.03, 0.004, "USD", "2026-01-01", 400.0, "world", 2023)
FILES = ["runs.parquet", "runs.csv", "trials.parquet", "trials.csv", "dictionary.json"]


@pytest.fixture(scope="module")
def folders(synthetic, tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    small = synthetic.Synthetic(trials=8, workers=2, seconds=4)
    other = synthetic.Synthetic(trials=6, workers=1, seconds=4)
    return [
        *(synthetic.write_run(root, small, repetition) for repetition in (1, 2, 3)),
        synthetic.write_run(root, other),
    ]


@pytest.fixture
def rows(folders):
    hashes = sorted({json.loads((f / "run.json").read_text())["hash"] for f in folders})
    return [
        ExperimentRow("r-node", hashes[0], "2 workers", 2.0, True),
        ExperimentRow("r-node", hashes[1], "1 worker", 1.0),
        ExperimentRow("baseline", hashes[0], "baseline", None, True),
    ]


def test_tables_hold_every_run_and_trial(folders, rows, tmp_path):
    written = build_tables(folders, rows, CONTEXT, tmp_path)
    assert [path.name for path in written] == FILES
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(FILES)
    runs, trials = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("runs", "trials"))
    shared = sum(row.hash == rows[0].hash for row in rows)
    count = sum(json.loads((f / "run.json").read_text())["hash"] == rows[0].hash for f in folders)
    assert len(runs) == count * shared + (len(folders) - count)
    assert len(trials) == 3 * 8 + 6
    assert set(trials["folder"]) == set(runs["folder"])
    energy = trials.groupby("folder")["energy_kwh"].sum()
    one_each = runs.drop_duplicates("folder").set_index("folder")["trials_energy_kwh"]
    assert energy.to_numpy() == pytest.approx(one_each[energy.index].to_numpy(), rel=1e-9)
    assert list(runs.columns) == [c.name for c in RUNS]
    assert list(trials.columns) == [c.name for c in TRIALS]


def test_the_same_records_give_the_same_bytes(folders, rows, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    build_tables(folders, rows, CONTEXT, a, processes=1)
    build_tables(folders[::-1] * 3, rows[::-1], CONTEXT, b, processes=2)
    for name in FILES:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def test_many_runs_go_to_processes_with_the_same_bytes(folders, rows, tmp_path, monkeypatch):
    build_tables(folders, rows, CONTEXT, tmp_path / "a", processes=1)
    monkeypatch.setattr("trialwatt.metrics.tables._WORTH_A_PROCESS", 2)
    build_tables(folders, rows, CONTEXT, tmp_path / "b", processes=2)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_csv_and_parquet_hold_the_same_numbers(folders, rows, tmp_path):
    build_tables(folders, rows, CONTEXT, tmp_path)
    for name, columns in (("runs", RUNS), ("trials", TRIALS)):
        parquet = pq.read_table(tmp_path / f"{name}.parquet").to_pydict()
        table = pd.read_csv(
            tmp_path / f"{name}.csv", dtype=str, keep_default_na=False, na_values=[]
        )
        for column in columns:
            for text, value in zip(table[column.name], parquet[column.name], strict=True):
                if value is None or (column.kind == "real" and math.isnan(value)):
                    assert text == ""
                elif column.kind == "real":
                    assert float(text) == value
                else:
                    assert text == (str(value).lower() if column.kind == "flag" else str(value))


def test_the_dictionary_explains_every_column(folders, rows, tmp_path):
    build_tables(folders, rows, CONTEXT, tmp_path)
    dictionary = json.loads((tmp_path / "dictionary.json").read_text())
    for name in ("runs", "trials"):
        columns = pq.read_schema(tmp_path / f"{name}.parquet").names
        assert [entry["name"] for entry in dictionary[name]] == columns
        for entry in dictionary[name]:
            assert entry["definition"] and entry["method"]
            if entry["name"].endswith(("_ms", "_kwh", "_s", "_ns", "_mb", "_hz")):
                assert entry["unit"]
    assert len({c.name for c in RUNS}) == len(RUNS)


def test_a_run_of_no_experiment_is_there_too(folders, tmp_path):
    build_tables(folders[:1], [], CONTEXT, tmp_path)
    runs = pd.read_parquet(tmp_path / "runs.parquet")
    assert len(runs) == 1 and runs["experiment"].isna().all()


def test_no_run_gives_empty_tables(tmp_path):
    build_tables([], [], CONTEXT, tmp_path)
    assert len(pd.read_parquet(tmp_path / "runs.parquet")) == 0
    assert len(pd.read_csv(tmp_path / "trials.csv")) == 0


def test_a_run_that_is_refused_leaves_no_table(folders, tmp_path):
    (tmp_path / "bad").mkdir()
    with pytest.raises(TrialwattError, match="bad"):
        build_tables([*folders, tmp_path / "bad"], [], CONTEXT, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("wr", pa.array([1.5]), "wr holds 1.5"),
        ("jct_ms", pa.array([-1.0]), "jct_ms holds -1"),
        ("jct_ms", pa.array(["1"]), "jct_ms is string"),
        ("surprise", pa.array([1]), "unknown columns: surprise"),
    ],
)
def test_a_table_that_breaks_the_schema_is_refused(column, values, message):
    table = pa.table({f.name: pa.nulls(1, f.type) for f in schema(RUNS)})
    validate(table, RUNS, "runs")
    if column in table.column_names:
        table = table.drop_columns(column)
    with pytest.raises(TrialwattError, match=message):
        validate(table.append_column(column, values), RUNS, "runs")


def test_a_missing_column_is_refused():
    table = pa.table({f.name: pa.nulls(1, f.type) for f in schema(TRIALS)}).drop_columns("phi")
    with pytest.raises(TrialwattError, match="missing columns: phi"):
        validate(table, TRIALS, "trials")


def failed(folder, tmp_path, keep_records):
    """A repetition like this one, but a run that failed."""
    import shutil

    copy = tmp_path / "failed" / folder.parent.name / "rep9"
    shutil.copytree(folder, copy)
    manifest = json.loads((copy / "run.json").read_text())
    manifest |= {"status": "failed", "reason": "worker-1 was lost", "repetition": 9}
    manifest.pop("best")
    (copy / "run.json").write_text(json.dumps(manifest))
    if not keep_records:
        shutil.rmtree(copy / "records")
        shutil.rmtree(copy / "samples")
    return copy


@pytest.mark.parametrize("keep_records", [True, False])
def test_a_failed_run_is_a_row_of_its_identity_alone(folders, rows, tmp_path, keep_records):
    hole = failed(folders[0], tmp_path, keep_records)
    build_tables([*folders, hole], rows, CONTEXT, tmp_path / "out")
    build_tables(folders, rows, CONTEXT, tmp_path / "without")
    runs, without = (
        pd.read_parquet(tmp_path / name / "runs.parquet") for name in ("out", "without")
    )
    mine = runs[runs["status"] == "failed"]
    hash_ = json.loads((hole / "run.json").read_text())["hash"]
    assert len(mine) == sum(row.hash == hash_ for row in rows)
    assert set(mine["experiment"]) == {row.experiment for row in rows if row.hash == hash_}
    row = mine.iloc[0]
    assert (row["reason"], row["repetition"]) == ("worker-1 was lost", 9)
    assert row["wn"] == 2 and row["sampler"] == "random" and row["cpu_physical"] == 2
    names = list(runs.columns)
    measured = names[names.index("trials_started") :]
    assert mine[measured].isna().all().all()
    assert len(runs) == len(without) + len(mine)
    for name in ("trials.parquet", "trials.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


def written(folder) -> Path:
    """Tables with a run and its two trials, as other tests draw them."""
    runs = pa.table({"folder": ["runs/a/rep1"], "sut": ["plain"], "testbed": ["t"], "hash": ["h"],
                     "status": ["completed"], "repetition": [1], "jct_ms": [1.5]})  # fmt: skip
    pq.write_table(runs, folder / "runs.parquet")
    return folder / "runs.parquet"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop_columns("folder"), "lacks folder"),
        (lambda table: table.set_column(6, "jct_ms", [["x"]]), "jct_ms is of another type"),
        (lambda table: table.set_column(0, "folder", [[{"a": 1}]]), "folder is of another type"),
    ],
)
def test_a_table_of_another_kind_says_how_it_is_made_again(tmp_path, change, said):
    file = written(tmp_path)
    assert read_runs(file)["jct_ms"].tolist() == [1.5]
    pq.write_table(change(pq.read_table(file)), file)
    with pytest.raises(TrialwattError, match=said) as caught:
        read_runs(file)
    assert str(caught.value).startswith(f"{file}: damaged, or no table of metrics")
    assert "`snakemake --profile local` makes it again" in str(caught.value)


def test_a_table_that_is_not_there_yet(tmp_path):
    with pytest.raises(TrialwattError, match=r"runs\.parquet: missing; make the metrics first"):
        read_runs(tmp_path / "runs.parquet")


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_damaged_table_is_refused_in_words(tmp_path, count):
    rng, file = random.Random(count), written(tmp_path)
    good = file.read_bytes()

    def read(data):
        file.write_bytes(data)
        read_runs(file)

    damaged = (mutations(good, rng) for _ in range(count))
    assert all_clean([b"", b"PAR1", *damaged], read, (TrialwattError,)) > count // 2
