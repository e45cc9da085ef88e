"""What replayed searches are written as, and how they are held against live ones."""

import json

import numpy as np
import pandas as pd
import pytest
from benchmarks.synthetic_table import made

from trialwatt.config.models import Search
from trialwatt.errors import TrialwattError
from trialwatt.replay.check import coverages, same_search, told
from trialwatt.replay.results import NAME, read_results, write_coverage, write_results
from trialwatt.replay.run import Replay, Wanted

TABLE = made(goal={"target": 0.8})


def write(folder, sampler="random", searches=40, seed=1, **keys):
    replay = Replay(TABLE, Wanted("plain", Search(sampler=sampler, budget=12), 2, seed, **keys))
    write_results(replay.searches(searches, 1), replay, TABLE, seed, folder)
    return folder


def test_they_come_back_with_where_they_come_from(tmp_path):
    found = read_results(write(tmp_path / "a"))
    assert len(found.searches) == 40
    assert len(found.attained) == 40 * len(found.said["targets"])
    assert found.said["made"].startswith("replayed")
    assert found.said["seed"] == 1 and found.said["search"]["budget"] == 12
    assert [run["manifest"] for run in found.said["table"]["runs"]] == ["0" * 64] * 3
    assert found.said["framework"] == "none: it has no framework"
    assert found.strategy == "plain random"


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    one, two = write(tmp_path / "a"), write(tmp_path / "b")
    for file in sorted(one.iterdir()):
        assert file.read_bytes() == (two / file.name).read_bytes(), file.name


def test_what_was_changed_or_is_none_is_named(tmp_path):
    with pytest.raises(TrialwattError, match="no replayed searches"):
        read_results(tmp_path)
    folder = write(tmp_path / "a")
    rows = pd.read_parquet(folder / "searches.parquet")
    rows.assign(oc=rows["oc"] * 2).to_parquet(folder / "searches.parquet")
    with pytest.raises(TrialwattError, match=r"searches\.parquet was changed"):
        read_results(folder)


def test_targets_are_reached_in_their_order(tmp_path):
    found = read_results(write(tmp_path / "a"))
    by_target = found.attained.groupby("target")["energy_kwh"].apply(lambda v: v.notna().sum())
    assert by_target.is_monotonic_decreasing and by_target.iloc[0] > by_target.iloc[-1]
    wide = found.attained.pivot(index="search", columns="target", values="energy_kwh")
    filled = wide.fillna(np.inf).to_numpy()
    assert (filled[:, :-1] <= filled[:, 1:]).all()


def live_runs(found, rows, **keys):
    """Rows of a runs table: these searches, as if they had been run."""
    said = found.said
    runs = rows.assign(
        sut=said["sut"],
        testbed=said["table"]["testbed"],
        dataset="digits",
        function=None,
        sampler="random",
        pruner="none",
        budget=12,
        wn=2,
        status="completed",
        folder=[f"runs/{n}" for n in range(len(rows))],
    )
    return runs.assign(**keys)


def test_live_searches_of_the_same_law_are_covered(tmp_path):
    found = read_results(write(tmp_path / "a", searches=400))
    other = read_results(write(tmp_path / "b", searches=200, seed=9))
    compared = coverages(found, live_runs(found, other.searches))
    assert [one.quantity for one in compared] == [
        "jct_ms",
        "job_energy_kwh",
        "energy_to_goal_kwh",
        "wte_share",
    ]
    assert {one.verdict for one in compared} == {"holds"}
    assert all(one.bias == pytest.approx(1, abs=0.2) for one in compared)


def test_live_searches_that_take_more_are_not(tmp_path):
    found = read_results(write(tmp_path / "a", searches=400))
    rows = found.searches.assign(jct_ms=found.searches["jct_ms"] * 1.5)[:30]
    compared = {one.quantity: one for one in coverages(found, live_runs(found, rows))}
    assert compared["jct_ms"].verdict == "fails" and compared["jct_ms"].bias == pytest.approx(
        1.5, abs=0.1
    )
    few = {one.quantity: one for one in coverages(found, live_runs(found, found.searches[:3]))}
    assert few["job_energy_kwh"].verdict == "undecided"


def test_only_the_same_search_is_compared(tmp_path):
    found = read_results(write(tmp_path / "a"))
    for keys in ({"sampler": "grid"}, {"wn": 4}, {"budget": 24}, {"status": "deadline"}):
        with pytest.raises(TrialwattError, match="no live run of the same search"):
            same_search(found.said, live_runs(found, found.searches, **keys))


def test_a_goal_that_is_never_reached_is_infinitely_far(tmp_path):
    found = read_results(write(tmp_path / "a", target=1.0))
    assert not found.searches["goal_reached"].any()
    compared = {one.quantity: one for one in coverages(found, live_runs(found, found.searches))}
    assert compared["energy_to_goal_kwh"].inside == 40
    reached = found.searches.assign(energy_to_goal_kwh=0.1)
    compared = {one.quantity: one for one in coverages(found, live_runs(found, reached))}
    assert compared["energy_to_goal_kwh"].inside == 0


def test_what_a_check_found_stands_with_the_searches(tmp_path):
    folder, runs = write(tmp_path / "a"), tmp_path / "runs.parquet"
    found = read_results(folder)
    runs.write_bytes(b"a table")
    apart = ["the live searches: optuna 4.1.0 (not 5.0.0)"]
    live = live_runs(found, found.searches)
    write_coverage(folder, told(coverages(found, live), live, apart), runs)
    said = json.loads((folder / NAME).read_text())["coverage"]
    assert said["apart"] == apart
    assert [one["verdict"] for one in said["quantities"]] == ["holds"] * 4
    assert read_results(folder).said["coverage"] == said
