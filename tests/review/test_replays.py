"""Replayed searches are held against table and plan, and some of them are replayed again."""

from types import SimpleNamespace

import pytest
from tests.replay.replaying import Replaying, asked_of

from trialwatt.replay.experiment import read_said, replayed, write_searches
from trialwatt.review import replays
from trialwatt.review.replays import SAMPLE, check_replays, replayed_again
from trialwatt.review.structure import Sums
from trialwatt.review.tree import Tree

SEARCHES = "results/replay/s-sam/searches.parquet"


@pytest.fixture
def tree(tmp_path):
    """What was replayed, with the plan that asked for it."""
    project = Replaying(tmp_path / "project")
    asked = asked_of(project.table, [("plain", "random"), ("optuna", "tpe"), ("optuna", "cmaes")])
    project.search(asked)
    runs = [
        SimpleNamespace(hash=row.hash, label=row.treatment, folder=row.hash) for row in asked.rows
    ]
    suts = zip(asked.rows, asked.configs, strict=True)
    plan = SimpleNamespace(
        replay=SimpleNamespace(
            experiments={"s-sam": SimpleNamespace(id="s-sam", runs=runs)},
            configurations={row.hash: SimpleNamespace(sut=one["sut"]) for row, one in suts},
            searches=asked.searches,
            cost_file=None,
        ),
        replayed=lambda name: {"configs": asked.configs, "cost": None},
        seed=1,
        testbed_name="test",
    )
    made = Tree(project.root, project.results, is_archive=True)
    made.__dict__["plan"] = plan
    return made


def problems(tree):
    return [one.said for one in check_replays(tree, Sums(tree))]


def rewrite(tree, change=lambda rows: rows, **said):
    """The searches as a forger would write them."""
    folder = tree.results / "replay/s-sam"
    own = read_said(folder)
    found = replayed(folder, own)
    frames = {"searches": change(found.searches), "attained": found.attained}
    write_searches(frames, own | said, folder)


def test_what_was_replayed_as_planned_has_no_fault(tree):
    assert problems(tree) == []
    again = replayed_again(tree)
    assert again["problems"] == []
    assert again["notes"][0].startswith(
        f"60 replayed searches: {2 * SAMPLE} of them, drawn by chance, were replayed again, and "
        "came out the same; the others are checked by their checksums alone"
    )


def test_another_table_is_named(tree):
    file = tree.results / "replay/table.parquet"
    file.write_bytes(file.read_bytes() + b" ")
    assert [one.path for one in check_replays(tree, Sums(tree))] == ["results/replay/table.parquet"]


def test_what_the_plan_has_must_be_there_or_named(tree):
    rewrite(tree, unavailable=[])
    assert problems(tree) == ["lacks optuna search.sampler=cmaes, which the plan has"]


def test_what_the_plan_has_not_is_named(tree):
    gone = tree.plan.replay.experiments["s-sam"].runs.pop(0)
    assert problems(tree) == [f"has searches of {gone.hash}, which is of no run of the plan's"]


def test_too_few_searches_are_named(tree):
    rewrite(tree, lambda rows: rows[rows["search"] > 1])
    assert problems(tree) == ["has not 30 searches of each strategy"]
    rewrite(tree, searches=29)
    assert "is not of 30 searches from the seed 1, as the plan wants it" in problems(tree)


def test_a_search_that_was_forged_comes_out_otherwise(tree):
    rewrite(tree, lambda rows: rows.assign(job_energy_kwh=rows["job_energy_kwh"] * 0.9))
    assert problems(tree) == []  # consistent in itself
    again = replayed_again(tree)
    assert len(again["problems"]) == 2 * SAMPLE
    assert all("has job_energy_kwh" in one["said"] for one in again["problems"])
    assert "came out the same" not in again["notes"][0]


def test_other_versions_of_a_framework_are_told_and_not_compared(tree, monkeypatch):
    here = replays.versions
    monkeypatch.setattr(replays, "versions", lambda names: here(names) | {"optuna": "0.1"})
    again = replayed_again(tree)
    assert again["problems"] == []
    assert "s-sam, optuna tpe: not replayed again: made with optuna" in again["notes"][1]
    assert f"{SAMPLE} of them" in again["notes"][0]


def test_a_damaged_file_is_a_problem_with_its_name(tree):
    (tree.results / "replay/s-sam/searches.parquet").write_bytes(b"none")
    assert [one.path for one in check_replays(tree, Sums(tree))] == [SEARCHES]
