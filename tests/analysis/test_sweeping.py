"""Sweeps on synthetic curves, played move by move as the workflow does."""

import importlib
import itertools
import json
import math
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz import all_clean, mutations, wrong_json

from trialwatt.analysis.convergence import Verdict
from trialwatt.analysis.sweeping import Move, ended, next_move
from trialwatt.config.blocks import scout_folder
from trialwatt.config.plan_parts import Sweep, SweepStep
from trialwatt.errors import TrialwattError
from trialwatt.records.outcome import Outcome


@pytest.fixture
def simulations(monkeypatch):
    """The module benchmarks/convergence.py."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    yield importlib.import_module("convergence")
    sys.modules.pop("convergence")


def step(value) -> SweepStep:
    return SweepStep(value=value, folder=f"runs/t/{value}")


def sweep(values, baseline=None, repetitions=5, tolerance=0.05):
    steps = [step(value) for value in values]
    return Sweep(
        sut="plain",
        sampler="grid",
        testbed="t",
        key="workers.count",
        steps=steps,
        baseline=step(baseline or values[0]),
        tolerance=tolerance,
        repetitions=repetitions,
    )


def played(sweep, curve, tmp_path=None):
    """All moves; curve: value and block → JCT in ms, or a status without one.

    Each move is only told what was asked for, and is written and read back where a folder is given.
    """
    moves, asked = [], set()

    def observe(folder, block):
        assert (f"{folder}/rep{block}" if block else scout_folder(folder)) in asked
        made = curve(float(folder.rsplit("/", 1)[1]), block)
        if isinstance(made, str):
            return Outcome(made, math.nan, "because")
        return Outcome("completed", made)

    while not moves or not moves[-1].is_last:
        move = next_move(sweep, moves[-1] if moves else None, observe)
        assert not asked & set(move.new), "a run is asked for once"
        asked |= set(move.new)
        if tmp_path:
            move.write(tmp_path / f"move{move.number}.json")
            assert Move.read(tmp_path / f"move{move.number}.json") == move
        moves.append(move)
        assert move.number == len(moves) - 1
        assert len(moves) < 1000
    return moves


def inside(moves, block):
    """The treatments that a block holds, sorted."""
    names = [new.split("/") for move in moves for new in move.repetitions]
    return sorted(float(name[2]) for name in names if name[3] == f"rep{block}")


def test_it_scouts_the_whole_range_and_then_runs_blocks(tmp_path):
    plan = sweep(range(1, 11), baseline=3)
    moves = played(plan, lambda value, block: 8000 / min(value, 4), tmp_path)
    assert moves[0].new == [f"scouts/t/{value}" for value in (1, 2, 4, 8, 10)]
    assert moves[0].repetitions == []
    # fine steps to one beyond 4, where it is flat; beyond it those that were scouted
    assert all(inside(moves, block) == [1, 2, 3, 4, 5, 8, 10] for block in range(1, 6))
    assert inside(moves, 6) == []
    end = ended(plan, moves[-1])
    assert (end["state"], end["converged_value"], end["low"], end["high"]) == ("converged", 4, 4, 4)
    assert (end["sut"], end["sampler"], end["testbed"], end["demonstration"]) == (
        *("plain", "grid", "t"),
        False,
    )
    assert end["scouted"] == [(1, 8000), (2, 4000), (4, 2000), (8, 2000), (10, 2000)]


def test_a_flat_curve_takes_few_steps():
    moves = played(sweep(range(1, 17)), lambda value, block: 1000 + block)
    assert inside(moves, 1) == [1, 2, 4, 8, 16]
    assert moves[-1].verdict.converged_value == 1


def test_the_scouts_see_beyond_a_plateau():
    moves = played(sweep(range(1, 9)), lambda value, _: 1000 if value < 5 else 600)
    assert moves[-1].verdict.converged_value == 5


def test_nothing_is_scouted_where_it_would_decide_nothing():
    moves = played(sweep([1, 2, 3]), lambda *_: 1000.0)
    assert [len(move.new) for move in moves] == [15, 0]
    assert moves[-1].scouted == []


def test_the_baseline_is_in_every_block_wherever_it_lies():
    moves = played(sweep([1, 2, 3, 4], baseline=16), lambda *_: 1000.0)
    assert inside(moves, 1) == [1, 2, 4, 16]
    assert moves[0].new == [f"scouts/t/{value}" for value in (1, 2, 4)]


def late(value, block):
    """The one scouting run of 4 was lucky: the curve is flat from 6 on only."""
    return 3000.0 if (value, block) == (4, 0) else 18000 / min(value, 6)


def test_later_blocks_hold_more_where_the_knee_touches_the_end():
    plan = sweep(range(1, 13), repetitions=7)
    moves = played(plan, late)
    assert inside(moves, 5) == [1, 2, 3, 4, 5, 8, 12]
    assert {6.0, 7.0} < set(inside(moves, 6))
    assert moves[-1].verdict.converged_value == 6
    assert len([move for move in moves if move.repetitions]) == 3  # 5 blocks, then one by one


@pytest.mark.parametrize("curve", [late, lambda value, block: 9000 / value + block])
@pytest.mark.parametrize("earlier", range(1, 9))
def test_more_blocks_add_to_what_is_there(curve, earlier):
    def asked(repetitions):
        moves = played(sweep(range(1, 13), repetitions=repetitions), curve)
        return {new for move in moves for new in move.new}

    assert asked(earlier) <= asked(9)


def test_without_blocks_to_spare_what_was_not_tried_is_told():
    verdict = played(sweep(range(1, 13)), late)[-1].verdict
    assert (verdict.state, verdict.low, verdict.high) == ("undecided", 6, 8)
    assert verdict.knee == 8


def test_infeasible_treatments_are_observations():
    moves = played(sweep(range(1, 7)), lambda value, _: "infeasible" if value < 4 else 1000.0)
    assert moves[-1].verdict.converged_value == 4
    assert moves[-1].scouted[0] == (1, None)


def test_where_no_scout_is_feasible_few_steps_are_tried_again():
    moves = played(sweep(range(1, 17)), lambda *_: "infeasible")
    assert inside(moves, 1) == [1, 2, 4, 8, 16]
    assert moves[-1].verdict.state == "infeasible"


def test_holes_are_no_observations_and_the_sweep_goes_on():
    moves = played(sweep([1, 2, 3]), lambda value, _: "failed" if value == 2 else 1000.0)
    assert moves[-1].verdict.converged_value == 1
    assert "1 failed step not known" in moves[-1].verdict.reason


def test_a_step_of_which_one_run_failed_counts_by_the_others():
    curve = {1: 3000.0, 2: 2000.0, 3: 1900.0}
    moves = played(sweep([1, 2, 3]), lambda value, n: "failed" if n == 2 else curve[value])
    assert moves[-1].verdict.best_value == 3


def test_few_blocks_are_a_demonstration():
    (first, last) = played(sweep([1, 2, 3], repetitions=2), lambda *_: 1000.0)
    assert len(first.new) == 6
    assert last.verdict.demonstration


def test_a_sweep_of_one_step():
    (first, last) = played(sweep([2]), lambda *_: 1000.0)
    assert len(first.new) == 5
    assert last.verdict.state == "not converged"


@given(
    jct=st.lists(st.floats(1, 1e6), min_size=1, max_size=6),
    statuses=st.lists(st.sampled_from(["completed", "infeasible", "failed"]), min_size=6),
    noise=st.floats(0, 0.9),
    place=st.integers(1, 8),
    repetitions=st.integers(1, 8),
    seed=st.integers(0, 10),
)
def test_every_sweep_ends_with_a_verdict(jct, statuses, noise, place, repetitions, seed):
    plan = sweep(range(1, len(jct) + 1), baseline=place, repetitions=repetitions)
    draws = random.Random(seed)

    def curve(value, _):
        index = min(int(value), len(jct)) - 1
        if statuses[index] != "completed":
            return statuses[index]
        return jct[index] * (1 + noise * draws.random())

    cached = {}
    moves = played(plan, lambda v, n: cached.setdefault((v, n), curve(v, n)))
    assert moves[-1].verdict is not None
    assert moves[-1].verdict.state != "continue"
    assert all(len(move.new) > 0 for move in moves[:-1])
    held = [set(inside(moves, block)) for block in range(1, repetitions + 1)]
    assert all(held) and all(a <= b for a, b in itertools.pairwise(held))


def test_simulated_sweeps_find_the_knee(simulations):
    """A small version of benchmarks/convergence.py."""
    simulate = simulations.simulate
    found = simulate(0.08, 10, "session 10 %", count=12)
    assert np.mean([one.covered for one in found.values()]) >= 0.9
    assert np.mean([one.right for one in found.values()]) >= 0.85
    found = simulate(0.03, 5, "none", count=12)
    assert np.mean([one.right for one in found.values()]) >= 0.95


def test_moves_of_earlier_versions_are_read(tmp_path):
    """As results/reference had them before sweeps went in blocks."""
    file = tmp_path / "move1.json"
    old = {"number": 1, "steps": 2, "repetitions": {"runs/t/1": 2}, "new": []}
    verdict = {"state": "continue", "converged_value": None, "best_value": 1.0, "reason": "x"}
    file.write_text(json.dumps(old | {"verdict": verdict | {"demonstration": True}}))
    move = Move.read(file)
    assert move.is_last and move.verdict.state == "continue" and move.verdict.low is None


def test_the_outcome_of_a_run_is_that_of_the_tables(synthetic, tmp_path):
    from tests.contexts import PLAIN

    from trialwatt.metrics.extract import extract_run
    from trialwatt.records.outcome import outcome

    folder = synthetic.write_run(tmp_path, synthetic.Synthetic(trials=8, workers=2, seconds=10))
    assert outcome(folder).jct_ms == pytest.approx(extract_run(folder, PLAIN).run["jct_ms"])
    assert outcome(folder).status == "completed"


def test_a_folder_that_is_no_whole_run_is_named(tmp_path):
    from trialwatt.errors import TrialwattError
    from trialwatt.records.outcome import outcome

    with pytest.raises(TrialwattError, match=r"is no whole run.*remove it to redo it"):
        outcome(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "damaged, not JSON"),
        ("[]", "damaged, no move of a sweep"),
        ("{}", "damaged, no move of a sweep"),
        ('{"number":1,"steps":1,"since":{"../x":1},"new":[]}', "outside the results"),
        ('{"number":1,"steps":1,"new":["/x/rep1"]}', "outside the results"),
        ("[" * 5000, "nested deeper"),
    ],
)
def test_a_damaged_move_says_how_it_is_made_again(tmp_path, text, said):
    path = tmp_path / "move1.json"
    path.write_text(text)
    with pytest.raises(TrialwattError, match=said) as caught:
        Move.read(path)
    assert str(caught.value).startswith(str(path))
    assert "`snakemake --profile local` makes it again" in str(caught.value)


@pytest.mark.parametrize("count", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_damaged_moves_are_refused_in_words(tmp_path, count):
    rng, path = random.Random(count), tmp_path / "move1.json"
    verdict = Verdict("converged", 2.0, 1.0, "three steps", True, 2.0, 1.0, 2.0)
    Move(3, 2, ["runs/r/a/rep3"], verdict, 3, {"runs/r/a": 1}, [(1.0, None)]).write(path)
    good = path.read_bytes()

    def read(data):
        path.write_bytes(data)
        move = Move.read(path)
        assert all(isinstance(name, str) for name in [*move.new, *move.since])
        assert move.verdict is None or move.verdict.state

    wrong = (json.dumps(wrong_json(json.loads(good), rng)).encode() for _ in range(count))
    assert all_clean(wrong, read, (TrialwattError,))
    assert all_clean((mutations(good, rng) for _ in range(count)), read, (TrialwattError,))
