"""Figure and table of replayed searches: what they show, and that they say replayed."""

import json

import pytest
from benchmarks.synthetic_table import made
from tests.replay.replaying import Replaying, asked_of

from trialwatt.config.models import Search
from trialwatt.errors import TrialwattError
from trialwatt.figures.products import FIGURE_SUFFIXES, TABLE_SUFFIXES
from trialwatt.figures.replayed import (
    attainment,
    compare_command,
    comparison,
    make_replayed,
    names,
    note,
)
from trialwatt.figures.style import Absent
from trialwatt.provenance.trace import trace
from trialwatt.replay.results import Results, read_results, write_results
from trialwatt.replay.run import Replay, Wanted


def searches(folder, table, sampler="random", target=None, count=40, pruner="none"):
    wanted = Wanted("plain", Search(sampler=sampler, pruner=pruner, budget=12), 2, target=target)
    replay = Replay(table, wanted)
    write_results(replay.searches(count, 1), replay, table, 1, folder)
    return folder


@pytest.fixture(scope="module")
def table():
    return made(goal={"target": 0.9})


@pytest.fixture(scope="module")
def folders(table, tmp_path_factory):
    root = tmp_path_factory.mktemp("replayed")
    return [
        searches(root / "grid", table, "grid"),
        searches(root / "asha", table, "random", pruner="asha"),
    ]


def test_curves_end_at_the_share_that_reached_the_goal(folders):
    results = [read_results(folder) for folder in folders]
    figure = attainment(results)
    assert len(figure.axes) == 3
    for axes in figure.axes:
        for line, one in zip(axes.lines, results, strict=True):
            assert line.get_ydata()[-1] == pytest.approx(100 * one.searches["goal_reached"].mean())
    energy = results[0].searches["energy_to_goal_kwh"].dropna()
    drawn = figure.axes[0].lines[0].get_xdata()
    assert max(drawn) / energy.max() == pytest.approx(1e6, rel=0.5) or max(drawn) >= energy.max()
    said = figure.get_supxlabel()
    assert said.startswith("Replayed, not run")
    assert "Not checked against live searches: plain grid; plain random + asha." in said.replace(
        "\n", " "
    )
    assert "replayed" in figure.axes[0].get_ylabel()


def test_a_row_is_the_quantiles_of_its_searches(folders):
    results = [read_results(folder) for folder in folders]
    found = comparison(results)
    assert list(found.tidy["strategy"]) == ["plain grid", "plain random + asha"]
    rows = results[1].searches
    row = found.tidy.iloc[1]
    assert row["jct_ms_median"] in rows["jct_ms"].to_list()
    assert (rows["jct_ms"] < row["jct_ms_low"]).mean() <= 0.05
    assert row["reached_share"] == rows["goal_reached"].mean()
    first, own = (one.searches["energy_to_goal_kwh"].fillna(float("inf")) for one in results)
    assert row["less_share"] == pytest.approx((own < first).mean() + (own == first).mean() / 2)
    assert "Replayed, not run" in found.note


def test_a_goal_that_most_miss_is_said_so(table, tmp_path):
    found = [read_results(searches(tmp_path / "a", table, target=1.0))]
    assert isinstance(attainment(found), Absent)
    shown = comparison(found).shown
    cell = next(shown[name][0] for name in shown if name.startswith("energy to goal"))
    assert cell == "not reached (not reached–not reached)"


def test_what_live_searches_said_stands_beside(folders):
    found = read_results(folders[0])
    told = [
        {"quantity": "jct_ms", "live": 20, "inside": 18, "verdict": "holds"},
        {"quantity": "oc", "live": 20, "inside": 17, "verdict": "undecided"},
        {"quantity": "wte_share", "live": 20, "inside": 9, "verdict": "fails"},
    ]
    known = found.said | {"coverage": {"quantities": told}}
    said = note([Results(found.searches, found.attained, known)])
    assert said.endswith(
        "Of 20 live searches so many are in the interval of 90 % (JCT, OC, WTE share; undecided "
        "where it does not say more): plain grid 18 (holds), 17, 9 (fails)."
    )


def test_files_name_the_searches_and_runs_that_they_come_from(folders, tmp_path):
    written = compare_command(folders, tmp_path / "out").split("\n")
    there = {file.rpartition("/")[2] for file in written}
    assert {"attainment.pdf", "replayed.md", "replayed.json"} <= there
    known = json.loads((tmp_path / "out" / "attainment.json").read_text())["provenance"]
    assert sorted(known["tables"]) == ["asha/replay.json", "grid/replay.json"]
    assert [run["folder"] for run in known["runs"]] == [f"runs/test/x/rep{n}" for n in (1, 2, 3)]
    before = (tmp_path / "out" / "attainment.svg").read_bytes()
    compare_command(folders, tmp_path / "out")
    assert (tmp_path / "out" / "attainment.svg").read_bytes() == before


@pytest.fixture
def replaying(tmp_path):
    """An experiment that was replayed: three strategies, of which live runs check one."""
    project = Replaying(tmp_path / "project")
    project.search(asked_of(project.table))
    project.live(place=1, count=30)
    project.check()
    return project


def test_an_experiment_has_its_figure_and_table(replaying):
    written = make_replayed(replaying.described, replaying.results)
    there = {file.relative_to(replaying.results).as_posix() for file in written}
    assert {f"figures/replay/s-sam/attainment{end}" for end in FIGURE_SUFFIXES} <= there
    assert {f"tables/replay/s-sam{end}" for end in TABLE_SUFFIXES} <= there
    for file in written:
        traced = trace(file, replaying.results)
        assert not traced.problems, traced.problems
        assert len(traced.chain.runs) == 3 + 30
        assert "replay/s-sam/replay.json" in traced.chain.tables
    said = (replaying.results / "tables/replay/s-sam.md").read_text()
    assert "S-Sam by sampling strategy, replayed searches: strategies compared" in said
    assert "Of 30 live searches so many are in the interval of 90 % (JCT" in said
    assert "): plain random " in said
    assert "Not checked against live searches: plain grid; optuna tpe." in said
    assert "cmaes searches ranges only" in said and "offers" not in said
    before = [file.read_bytes() for file in written]
    assert before == [
        file.read_bytes() for file in make_replayed(replaying.described, replaying.results)
    ]


def test_many_strategies_are_all_drawn_sut_by_sut(folders):
    one = read_results(folders[0])
    many = [
        Results(one.searches, one.attained, one.said | {"sut": sut, "treatment": f"epochs={n}"})
        for sut in ("plain", "optuna")
        for n in range(20)
    ]
    figure = attainment(many)
    assert [len(axes.lines) for axes in figure.axes] == [20] * 6
    assert names(many)[21] == "optuna grid, epochs=1"


def test_only_searches_on_one_table_are_compared(folders, tmp_path):
    other = searches(tmp_path / "other", made(goal={"target": 0.9}, seed=2, seeds=4))
    with pytest.raises(TrialwattError, match="replayed with another table"):
        compare_command([folders[0], other], tmp_path / "out")


def test_what_live_searches_or_the_cost_had_otherwise_is_in_the_note(folders):
    one = read_results(folders[0])
    said = one.said | {
        "notes": ["the cost of optuna: optuna 4.1.0 (not 5.0.0)"],
        "coverage": {"apart": ["the live searches: torch 2.5.0 (not 2.6.0)"], "quantities": []},
    }
    told = note([Results(one.searches, one.attained, said)] * 2)
    assert told.count("Note: the cost of optuna: optuna 4.1.0 (not 5.0.0).") == 1
    assert told.count("Note: the live searches: torch 2.5.0 (not 2.6.0).") == 1
