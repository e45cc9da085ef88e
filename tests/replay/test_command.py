"""The commands: of results a table, of a table searches, of searches what they say."""

import shutil

import pytest
from benchmarks.synthetic_table import made
from tests.analysis.cost_law import simulated

from trialwatt.config.files import plan_of_files
from trialwatt.errors import TrialwattError
from trialwatt.replay.command import (
    coverage_command,
    replay_command,
    table_command,
    wanted_of,
)
from trialwatt.replay.results import read_results
from trialwatt.replay.table import load


@pytest.fixture
def results(results_of, table_runs):
    """A results folder with the plan of the shipped experiment, and two of its three runs."""
    return results_of(table_runs)


def test_the_shipped_experiment_measures_the_largest_space(results, tmp_path):
    plan = plan_of_files([], tmp_path)
    (run,) = plan.runs.values()
    assert run.sut == "plain" and run.workload.validate_each_epoch
    assert run.workload.search.sampler == "grid" and not run.workload.search.prunes
    assert len(run.workload.space["lr"].choices) == 6


def test_a_table_is_made_of_results(results, tmp_path):
    file = tmp_path / "out" / "table.parquet"
    said = table_command(results, file, "trial-table", tmp_path / "rows.csv")
    assert "4 φ × 2 seeds × 3 epochs, energy modelled" in said
    assert "1 of 3 planned runs are not there" in said
    assert "not to be searched yet: the table has too few seeds" in said
    found = load(file)
    assert len(found.frame) == 32 and (tmp_path / "rows.csv").is_file()
    with pytest.raises(TrialwattError, match="no experiment 'other' in the plan"):
        table_command(results, file, "other", None)


def test_without_a_run_there_is_no_table(results, tmp_path):
    shutil.rmtree(results / "runs")
    with pytest.raises(TrialwattError, match="no run of the experiment trial-table is there"):
        table_command(results, tmp_path / "t.parquet", "trial-table", None)


def wanted(sampler="random", pruner="none", options=(), space=None, sut="optuna", target=None):
    return wanted_of(sut, sampler, pruner, options, 12, 2, 1, target, space)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return made(goal={"target": 0.8}).write(tmp_path_factory.mktemp("table") / "table.parquet")


def test_searches_are_said_and_written(table, tmp_path):
    folder = tmp_path / "searches"
    said = replay_command(table, wanted("tpe", "median"), 30, 1, None, False, folder)
    first, *rows = said.splitlines()
    assert first.startswith("replayed: optuna tpe + median, 30 searches of 12 trials on 2 workers")
    assert "its own cost is not counted" in first and "energy modelled" in first
    found = read_results(folder)
    assert len(found.searches) == 30
    (jct,) = [row.split() for row in rows if row.startswith("JCT, s")]
    assert float(jct[2]) == pytest.approx(found.searches["jct_ms"].median() / 1e3, rel=1e-3)
    assert found.said["table"]["sha256"] == load(table).sha256


def test_a_flagged_table_is_only_searched_where_that_is_allowed(tmp_path):
    file = made(flags="gaps over 5%").write(tmp_path / "table.parquet")
    with pytest.raises(TrialwattError, match="flagged runs"):
        replay_command(file, wanted(), 2, 1, None, False, None)
    said = replay_command(file, wanted(), 2, 1, None, True, None)
    assert said.splitlines()[-1] == "the table is made of flagged runs"


def test_a_measured_cost_is_added(table, tmp_path):
    runs = simulated().assign(testbed="test").replace({"sut": {"fw": "optuna"}})
    file = tmp_path / "runs.parquet"
    runs.to_parquet(file)
    said = replay_command(table, wanted(), 20, 1, file, False, tmp_path / "with")
    assert "5 blocks of its measured cost" in said
    replay_command(table, wanted(), 20, 1, None, False, tmp_path / "without")
    own, without = (read_results(tmp_path / name).searches for name in ("with", "without"))
    # These runs say 40 J a job and 3 J a trial, and as many ms: its services are then in it.
    more = (own["job_energy_kwh"] - without["job_energy_kwh"]) * 3.6e6
    assert more.to_numpy() == pytest.approx(40 + 12 * 3, rel=0.02)
    later = own["jct_ms"] - without["jct_ms"]
    assert (later > 40).all() and (later < 40 + 12 * 3 * 2 + 1).all()
    runs.assign(testbed="elsewhere").to_parquet(file)
    with pytest.raises(TrialwattError, match="no framework's cost on the testbed test"):
        replay_command(table, wanted(), 2, 1, file, False, None)


def test_options_and_spaces_are_read(table, tmp_path):
    file = tmp_path / "part.yaml"
    file.write_text(
        "lr: {choices: [1e-4, 1e-3]}\ndecay: {choices: [1e-6, 1e-4]}\n"
        "ls: {choices: [32, 128]}\nln: {choices: [1, 2]}\n"
    )
    options = ["pruner.n_startup_trials=1", "pruner.n_warmup_steps=2"]
    given = wanted("random", "median", options, file)
    assert given.strategy.pruner_options == {"n_startup_trials": 1, "n_warmup_steps": 2}
    assert given.space["lr"].choices == [1e-4, 1e-3]
    assert "12 trials" in replay_command(table, given, 2, 1, None, False, None)
    with pytest.raises(TrialwattError, match=r"must be sampler\.NAME=VALUE"):
        wanted(options=["lower=1"])
    file.write_text("lr: {choises: [1]}\n")
    with pytest.raises(TrialwattError, match=r"(choises|low)"):
        wanted(space=file)


def test_coverage_is_said_and_kept(table, tmp_path):
    folder = tmp_path / "searches"
    replay_command(table, wanted(sut="plain"), 60, 1, None, False, folder)
    found = read_results(folder)
    runs = found.searches.assign(
        sut="plain",
        testbed="test",
        dataset="digits",
        model="ff",
        sampler="random",
        pruner="none",
        budget=12,
        wn=2,
        status="completed",
        hash="x",
        repetition=1,
        folder=[f"runs/{n}" for n in range(60)],
    )
    runs.to_parquet(tmp_path / "runs.parquet")
    said = coverage_command([folder], tmp_path / "runs.parquet").splitlines()
    assert said[0] == "plain random: replayed against 60 live searches"
    assert said[1].endswith(": holds") and len(said) == 6
    assert "the live searches: with which versions and on which machine is not known" in said[5]
    assert read_results(folder).said["coverage"]["quantities"][0]["verdict"] == "holds"
