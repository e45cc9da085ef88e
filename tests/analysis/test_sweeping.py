"""Sweeps on synthetic curves, played move by move as the workflow does."""

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz import all_clean, mutations, wrong_json

from trialwatt.analysis.convergence import Verdict
from trialwatt.analysis.sweeping import Move, ended, next_move
from trialwatt.config.plan_parts import Sweep, SweepStep
from trialwatt.errors import TrialwattError
from trialwatt.records.outcome import Outcome


def step(value) -> SweepStep:
    return SweepStep(value=value, folder=f"runs/t/{value}")


def sweep(values, baseline, repetitions=5, most=10, tolerance=0.05, patience=2):
    steps = [step(value) for value in values]
    return Sweep(
        sut="plain",
        sampler="grid",
        testbed="t",
        key="workers.count",
        steps=steps,
        baseline=step(baseline),
        tolerance=tolerance,
        patience=patience,
        repetitions=repetitions,
        most_repetitions=most,
    )


def played(sweep, curve, tmp_path=None):
    """All moves; curve: value and repetition → JCT in ms, or a status without one.

    Each move is only told what it has asked for, and is written and read back where a folder is
    given.
    """
    moves, asked = [], set()

    def observe(folder, repetition):
        assert f"{folder}/rep{repetition}" in asked
        made = curve(float(folder.rsplit("/", 1)[1]), repetition)
        if isinstance(made, str):
            return Outcome(made, math.nan, "because")
        return Outcome("completed", made)

    while not moves or not moves[-1].is_last:
        move = next_move(sweep, moves[-1] if moves else None, observe)
        assert not asked & set(move.new), "a repetition is asked for once"
        asked |= set(move.new)
        if tmp_path:
            move.write(tmp_path / f"move{move.number}.json")
            assert Move.read(tmp_path / f"move{move.number}.json") == move
        moves.append(move)
        assert move.number == len(moves) - 1
        assert len(moves) < 1000
    return moves


def tried(sweep, moves):
    return [step.value for step in sweep.steps[: moves[-1].steps]]


def test_a_flat_curve_stops_after_its_patience(tmp_path):
    plan = sweep([1, 2, 3, 4, 5, 6], baseline=6)
    moves = played(plan, lambda value, repetition: 1000 + repetition, tmp_path)
    assert tried(plan, moves) == [1, 2, 3]
    assert ended(plan, moves[-1]) | {"reason": "", "best_value": 0} == {
        "sut": "plain",
        "sampler": "grid",
        "testbed": "t",
        "state": "converged",
        "converged_value": 1,
        "best_value": 0,
        "reason": "",
        "demonstration": False,
    }
    # the Baseline's and the first step's repetitions at once, then step by step
    assert [len(move.new) for move in moves] == [10, 5, 5, 0]
    assert moves[0].new[0].endswith("/rep1")


def test_a_curve_that_gets_better_goes_on_as_long_as_it_does():
    plan = sweep([1, 2, 3, 4, 5, 6, 7, 8], baseline=2)
    moves = played(plan, lambda value, _: 8000 / min(value, 4))
    assert tried(plan, moves) == [1, 2, 3, 4, 5, 6]
    assert moves[-1].verdict.converged_value == 4


def test_the_baselines_runs_are_not_asked_for_twice():
    plan = sweep([1, 2, 3], baseline=2)
    asked = [each for move in played(plan, lambda *_: 1000.0) for each in move.new]
    assert sorted(asked) == sorted(
        f"runs/t/{value}/rep{n}" for value in (1, 2, 3) for n in range(1, 6)
    )


def test_infeasible_steps_use_up_no_patience_and_get_no_more_repetitions():
    plan = sweep([1, 2, 3, 4, 5, 6], baseline=6)
    moves = played(plan, lambda value, _: "infeasible" if value < 4 else 1000.0)
    assert tried(plan, moves) == [1, 2, 3, 4, 5, 6]
    assert moves[-1].verdict.converged_value == 4
    assert set(moves[-1].repetitions.values()) == {5}


def test_a_noisy_step_gets_repetitions_up_to_the_most():
    noise = random.Random(1)
    values = {(v, n): 1000 * noise.uniform(0.5, 2) for v in range(1, 9) for n in range(1, 11)}
    plan = sweep([1, 2, 3, 4], baseline=4)
    moves = played(plan, lambda value, repetition: values[value, repetition])
    assert max(moves[-1].repetitions.values()) == 10
    assert moves[-1].verdict.state == "undecided"


def test_fewer_than_five_repetitions_are_not_added_to():
    plan = sweep([1, 2, 3, 4], baseline=4, repetitions=2, most=2)
    moves = played(plan, lambda value, repetition: 1000 * (1 + repetition))
    assert set(moves[-1].repetitions.values()) == {2}
    assert moves[-1].verdict.demonstration


def test_never_converging_ends_at_the_maximum():
    plan = sweep([1, 2, 3, 4], baseline=1)
    moves = played(plan, lambda value, _: 1000 / value)
    assert tried(plan, moves) == [1, 2, 3, 4]
    assert moves[-1].verdict.state == "not converged"


def test_worse_again_is_no_improvement():
    plan = sweep([1, 2, 3, 4, 5, 6], baseline=1)
    moves = played(plan, lambda value, _: 1000 + 300 * abs(value - 3))
    assert tried(plan, moves) == [1, 2, 3, 4, 5]
    assert moves[-1].verdict.converged_value == 3


def test_holes_are_no_observations_and_the_sweep_goes_on():
    plan = sweep([1, 2, 3, 4, 5], baseline=5)
    moves = played(plan, lambda value, _: "failed" if value == 2 else 1000.0)
    assert tried(plan, moves) == [1, 2, 3, 4]
    assert moves[-1].verdict.converged_value == 1
    assert "1 failed step not known" in moves[-1].verdict.reason


def test_a_step_of_which_one_run_failed_counts_by_the_others():
    plan = sweep([1, 2, 3], baseline=3)
    curve = {1: 3000.0, 2: 2000.0, 3: 1900.0}
    moves = played(plan, lambda value, n: "failed" if n == 2 else curve[value])
    assert moves[-1].verdict.best_value == 3


def test_a_sweep_of_one_step():
    plan = sweep([2], baseline=2)
    (first, last) = played(plan, lambda *_: 1000.0)
    assert len(first.new) == 5
    assert last.verdict.state == "not converged"


@given(
    jct=st.lists(st.floats(1, 1e6), min_size=1, max_size=6),
    statuses=st.lists(st.sampled_from(["completed", "infeasible", "failed"]), min_size=6),
    noise=st.floats(0, 0.9),
    place=st.integers(0, 7),
    repetitions=st.integers(1, 6),
    seed=st.integers(0, 10),
)
def test_every_sweep_ends_with_a_verdict(jct, statuses, noise, place, repetitions, seed):
    values = list(range(1, len(jct) + 1))
    plan = sweep(values, baseline=place, repetitions=repetitions, most=max(repetitions, 8))
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
        ('{"number":1,"steps":1,"repetitions":{"../x":1},"new":[]}', "outside the results"),
        ('{"number":1,"steps":1,"repetitions":{},"new":["/x/rep1"]}', "outside the results"),
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
    verdict = Verdict("converged", 2.0, 1.0, "three steps", True)
    Move(3, 2, {"runs/r/a": 2}, ["runs/r/a/rep3"], verdict).write(path)
    good = path.read_bytes()

    def read(data):
        path.write_bytes(data)
        move = Move.read(path)
        assert all(isinstance(name, str) for name in [*move.new, *move.repetitions])
        assert move.verdict is None or move.verdict.state

    wrong = (json.dumps(wrong_json(json.loads(good), rng)).encode() for _ in range(count))
    assert all_clean(wrong, read, (TrialwattError,))
    assert all_clean((mutations(good, rng) for _ in range(count)), read, (TrialwattError,))
