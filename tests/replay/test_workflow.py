"""What the rules of the replay make: searches of an experiment, and what live runs say of them."""

import json

import pandas as pd
import pytest
from tests.replay.replaying import Replaying, asked_of

from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.metrics.columns import schema
from trialwatt.provenance.trace import trace
from trialwatt.replay.columns import EXPERIMENT
from trialwatt.replay.command import coverage_command
from trialwatt.replay.experiment import read_replayed, read_said
from trialwatt.replay.workflow import copy_cost


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = Replaying(tmp_path_factory.mktemp("replay") / "project")
    made.search(asked_of(made.table))
    made.live(place=1, count=30)
    made.check()
    return made


@pytest.fixture(scope="module")
def found(project):
    return read_replayed(project.results, "s-sam")


def test_one_frame_has_all_strategies_as_a_runs_table_would(found):
    assert found.searches.columns.tolist() == schema(EXPERIMENT["searches"]).names
    assert found.searches.groupby("strategy").size().tolist() == [30, 30, 30]
    assert [one.strategy for one in found.strategies] == [
        "plain grid",
        "plain random",
        "optuna tpe",
    ]
    assert (found.id, found.title, found.varied) == ("s-sam", "S-Sam", ("search.sampler",))
    for place, said in enumerate(found.said["strategies"]):
        own = found.searches[found.searches["strategy"] == place]
        assert own["hash"].unique().tolist() == [said["hash"]]
        assert own["sampler"].unique().tolist() == [said["search"]["sampler"]]
    assert found.searches["is_control"].tolist() == [True] * 60 + [False] * 30


def test_searches_of_a_number_have_one_measured_seed(found):
    seeds = found.searches.pivot(index="search", columns="strategy", values="repetition")
    assert (seeds.nunique(axis=1) == 1).all()
    assert set(seeds[0]) == {1, 2, 3}


def test_strategies_are_told_by_the_same_targets(found):
    own = found.attained.groupby("strategy")["target"].unique()
    assert all(set(one) == set(found.said["strategies"][0]["targets"]) for one in own)
    assert len(found.attained) == 90 * len(found.said["strategies"][0]["targets"])


def test_what_cannot_be_replayed_is_named_beside_what_cannot_be_had(found):
    reasons = {(one["sut"], one["treatment"]): one["reason"] for one in found.unavailable}
    assert reasons["plain", "search.sampler=tpe"] == 'no sampler "tpe"'
    assert reasons["optuna", "search.sampler=cmaes"].startswith(
        "optuna: cmaes searches ranges only"
    )


def test_any_number_of_processes_gives_the_same_bytes(project, tmp_path):
    other = Replaying(tmp_path / "other")
    other.search(asked_of(other.table), processes=2)
    other.live(place=1, count=30)
    other.check()
    for name in ("searches.parquet", "attained.parquet", "replay.json"):
        assert sha256(other.folder / name) == sha256(project.folder / name), name


def test_live_runs_of_a_strategy_check_it_and_no_other(found):
    grid, random, tpe = (one["coverage"] for one in found.said["strategies"])
    assert grid is None and tpe is None
    assert random["live"] == 30 and len(random["runs"]) == 30
    assert {one["verdict"] for one in random["quantities"]} == {"holds"}


def test_the_command_says_what_the_workflow_found(project):
    said = coverage_command([project.folder], None).splitlines()
    assert said[0] == "plain grid: no live searches"
    assert said[1] == "plain random: replayed against 30 live searches"
    assert [line.rpartition(": ")[2] for line in said[2:6]] == ["holds"] * 4
    with pytest.raises(TrialwattError, match="no experiment that a workflow has replayed"):
        coverage_command([project.results], None)


def test_what_is_wrong_in_life_is_said(tmp_path):
    project = Replaying(tmp_path / "project")
    project.search(asked_of(project.table, [("plain", "random")]))
    project.live(place=0, count=30, jct_ms=3.0)
    project.check()
    said = read_replayed(project.results, "s-sam").said["strategies"][0]["coverage"]
    verdicts = {one["quantity"]: one["verdict"] for one in said["quantities"]}
    assert verdicts["jct_ms"] == "fails" and verdicts["job_energy_kwh"] == "holds"


def test_runs_of_the_table_are_no_live_searches(tmp_path):
    project = Replaying(tmp_path / "project")
    project.search(asked_of(project.table, [("plain", "random")]))
    project.live(place=0, count=3)
    file = project.results / "metrics/s-sam/runs.parquet"
    own = [source.folder for source in project.table.facts.sources]
    pd.read_parquet(file).assign(folder=own).to_parquet(file)
    project.check()
    assert read_replayed(project.results, "s-sam").said["strategies"][0]["coverage"] is None


def test_the_trace_leads_to_the_runs_of_table_and_check(project):
    for name in ("searches.parquet", "attained.parquet", "replay.json"):
        traced = trace(project.folder / name, project.results)
        assert not traced.problems, traced.problems
        folders = [run.folder for run in traced.chain.runs]
        assert [one for one in folders if "/x/" in one] == [
            f"runs/test/x/rep{n}" for n in (1, 2, 3)
        ]
        assert sum("/live-" in one for one in folders) == 30
        assert "replay/table.parquet" in traced.chain.tables


def test_fewer_epochs_are_the_first_ones(tmp_path):
    project = Replaying(tmp_path / "project")
    project.search(asked_of(project.table, [("plain", "grid")], searches=5, epochs=2))
    short = read_said(project.folder)
    assert short["strategies"][0]["epochs"] == 2
    own = pd.read_parquet(project.folder / "searches.parquet")
    project.search(asked_of(project.table, [("plain", "grid")], searches=5))
    whole = pd.read_parquet(project.folder / "searches.parquet")
    assert (own["trials_time_ms"] < whole["trials_time_ms"]).all()
    assert (own["best_score"] < whole["best_score"]).all()  # its scores rise with the epochs
    assert (
        read_said(project.folder)["strategies"][0]["targets"] == short["strategies"][0]["targets"]
    )


def test_nothing_that_can_be_replayed_is_an_error_with_the_reasons(tmp_path):
    project = Replaying(tmp_path / "project")
    with pytest.raises(TrialwattError, match=r"s-sam: nothing of it .* cmaes searches ranges only"):
        project.search(asked_of(project.table, [("optuna", "cmaes")]))


def test_searches_that_were_changed_are_named(tmp_path):
    project = Replaying(tmp_path / "project")
    project.search(asked_of(project.table, [("plain", "random")]))
    project.live(place=0, count=3)
    project.check()
    file = project.folder / "attained.parquet"
    pd.read_parquet(file).assign(cost=0.0).to_parquet(file)
    with pytest.raises(TrialwattError, match=r"attained\.parquet was changed since replay\.json"):
        read_replayed(project.results, "s-sam")
    file.unlink()
    with pytest.raises(TrialwattError, match="damaged"):
        read_replayed(project.results, "s-sam")


def test_said_is_plain_json(project):
    content = json.loads((project.folder / "replay.json").read_text())
    assert content["outputs"].keys() == {"searches.parquet", "attained.parquet"}
    assert content["provenance"]["kind"] == "table/replay"


def test_a_cost_from_elsewhere_must_be_a_table_of_runs(tmp_path):
    file = tmp_path / "runs.parquet"
    file.write_bytes(b"none")
    with pytest.raises(TrialwattError, match=r"runs\.parquet: damaged, or no table of metrics"):
        copy_cost(file, tmp_path / "copy.parquet")
    assert not (tmp_path / "copy.parquet").exists()
