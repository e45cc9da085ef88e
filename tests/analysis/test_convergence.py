"""The knee of synthetic curves, and the properties that it must have whatever the curve."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from trialwatt.analysis.convergence import Step, Verdict, assess, falling, flat_from, knee, told


def tried(*jct, blocks=5, noise=0.0, session=0.0, seed=1):
    """A step from 1 on per JCT, in so many blocks; None is an infeasible one, "failed" a hole."""
    rng = np.random.default_rng(seed)
    of_blocks = rng.normal(0, session, blocks)
    steps = []
    for value, one in enumerate(jct, 1):
        if not isinstance(one, int | float):
            steps.append(Step(value, {}, one or "infeasible"))
            continue
        logs = rng.normal(0, noise, blocks) + of_blocks
        steps.append(Step(value, {n: one * math.exp(log) for n, log in enumerate(logs, 1)}))
    return steps


def found(*jct, values=None, tolerance=0.05, **how) -> Verdict:
    steps = tried(*jct, **how)
    return assess(steps, values or [step.value for step in steps], tolerance)


def between(verdict):
    return verdict.state, verdict.low, verdict.high


# --- curves -------------------------------------------------------------------------------------


def test_flat_takes_the_smallest():
    verdict = found(100, 100, 100, 100)
    assert (verdict.state, verdict.converged_value, verdict.knee) == ("converged", 1, 1)
    assert between(verdict) == ("converged", 1, 1)
    assert "(90% interval, 5 blocks)" in verdict.reason


def test_falling_then_flat():
    verdict = found(100, 60, 50, 49, 48.5, 48, 48)
    assert (verdict.state, verdict.converged_value) == ("converged", 3)  # 50 is within 5 % of 48


def test_worse_again_is_as_good_as_flat():
    verdict = found(100, 50, 52, 60, 80)
    assert (verdict.converged_value, verdict.best_value) == (2, 2)


def test_never_converging():
    verdict = found(100, 80, 60, 40)
    assert between(verdict) == ("not converged", 4, 4)
    assert verdict.converged_value is None and "the maximum" in verdict.reason


@pytest.mark.parametrize(("better", "smallest"), [(1 / 1.0499, 1), (1 / 1.0501, 2)])
def test_the_tolerance_is_a_share_of_the_best(better, smallest):
    assert found(100, 100 * better, 100 * better).knee == smallest


def test_infeasible_at_first():
    verdict = found(None, None, 100, 99, 99)
    assert (verdict.state, verdict.converged_value) == ("converged", 3)


def test_all_infeasible():
    verdict = found(None, None)
    assert (verdict.state, verdict.best_value, verdict.low) == ("infeasible", None, None)


def test_a_hole_is_passed_over_and_told():
    verdict = found(100, "failed", 50, 50)
    assert verdict.converged_value == 3
    assert verdict.reason.endswith("; 1 failed step not known")
    assert verdict.low == 2  # what was not measured may be the knee


def test_holes_alone_are_not_called_infeasible():
    verdict = found("failed", None)
    assert (verdict.state, verdict.demonstration) == ("undecided", True)
    assert verdict.reason == "no step could be measured; 1 failed step not known"


def test_completed_without_a_time_is_a_hole():
    steps = [Step(1, {1: math.nan}), *tried(100, 100, 100)[1:]]
    assert "1 failed step" in assess(steps, [1, 2, 3]).reason


def test_one_step_is_its_own_maximum():
    assert found(100).state == "not converged"


def test_what_was_not_tried_between_two_steps_may_be_the_knee():
    steps = [step for step in tried(100, 90, 80, 50, 50, 50) if step.value in (1, 4, 6)]
    verdict = assess(steps, range(1, 7))
    assert between(verdict) == ("undecided", 2, 4) and verdict.knee == 4


# --- noise ---------------------------------------------------------------------------------------


def test_what_all_runs_of_a_block_share_is_no_noise():
    verdict = found(100, 60, 50, 50, 50, session=0.5)
    assert between(verdict) == ("converged", 3, 3)


def test_noise_widens_the_interval_and_says_how_many_blocks_would_decide():
    verdict = found(100, 95, 91, 88, 87, 86, 86, noise=0.04, blocks=6)
    assert verdict.state == "undecided"
    assert verdict.blocks_to_decide is None or verdict.blocks_to_decide > 6
    assert f"between {verdict.low:g} and {verdict.high:g}" in verdict.reason
    assert "decide" in verdict.reason


def test_more_blocks_narrow_the_interval():
    widths = [
        verdict.high - verdict.low
        for verdict in (
            found(100, 60, 50, 50, 50, 50, noise=0.1, blocks=blocks) for blocks in (5, 80)
        )
    ]
    assert widths[1] < widths[0]


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_fewer_than_five_blocks_are_a_demonstration(blocks):
    verdict = found(100, 60, 60, blocks=blocks, noise=0.001)
    assert verdict.demonstration and verdict.knee == 2
    assert "90%" not in verdict.reason and f"({blocks} block" in verdict.reason
    assert told(verdict.state, verdict.reason, True).startswith("demonstration only: converged: 2")


def test_a_run_that_is_missing_does_not_shift_the_others():
    """The slow block lacks one run: without the block's effect that step would look fast."""
    steps = tried(100, 60, 50, 50, 50)
    slow = [Step(s.value, s.jct_ms | {5: s.jct_ms[5] * 2}) for s in steps]
    slow[0] = Step(1, {n: ms for n, ms in slow[0].jct_ms.items() if n < 5})
    assert assess(slow, range(1, 6)) == assess(steps, range(1, 6))


# --- properties ----------------------------------------------------------------------------------

JCTS = st.lists(st.floats(10, 1000), min_size=1, max_size=8)


@given(jct=JCTS, noise=st.floats(0, 0.3), blocks=st.integers(1, 7))
def test_every_verdict_is_of_a_step_that_was_tried(jct, noise, blocks):
    verdict = found(*jct, noise=noise, blocks=blocks)
    assert verdict.state in ("converged", "not converged", "undecided")
    assert 1 <= verdict.low <= verdict.knee <= verdict.high <= len(jct)
    assert verdict.converged_value == (verdict.knee if verdict.state == "converged" else None)
    assert verdict.demonstration == (blocks < 5)


@given(jct=JCTS, power=st.integers(-3, 3))
def test_the_unit_of_time_does_not_matter(jct, power):
    there = found(*jct, noise=0.1)
    assert found(*(one * 2.0**power for one in jct), noise=0.1) == there


@given(jct=JCTS)
def test_infeasible_steps_may_be_left_out_below(jct):
    there, moved = found(*jct, noise=0.1), found(None, *jct, noise=0.1)
    assert moved.knee == there.knee + 1


@given(st.integers(1, 9), st.integers(0, 1000))
def test_the_regression_is_that_of_scipy(count, seed):
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=(5, count)), rng.integers(1, 5, (5, count)).astype(float)
    for row, weight, fitted in zip(values, weights, falling(values, weights), strict=True):
        known = isotonic_regression(row, weights=weight, increasing=False).x
        np.testing.assert_allclose(fitted, known, atol=1e-9)


def test_the_same_data_give_the_same_knee():
    log_jct = np.random.default_rng(1).normal(size=(6, 5))
    assert knee(log_jct) == knee(log_jct.copy())


# --- scouts, and what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jct", "place"),
    [
        ((100, 100, 100), 0),
        ((100, 50, 25, 24), 2),
        ((math.nan, 50, 50), 1),
        ((100, 100, 60), 2),  # a plateau hides no later fall
    ],
)
def test_where_single_runs_are_flat_from(jct, place):
    assert flat_from(jct, 0.1) == place


@pytest.mark.parametrize("tolerance", [0, 1, -0.1, math.nan])
def test_a_tolerance_must_be_a_share(tolerance):
    with pytest.raises(ValueError, match="tolerance must lie between"):
        found(100, tolerance=tolerance)


def test_steps_must_rise():
    with pytest.raises(ValueError, match="must rise"):
        assess([*tried(100, 100), *tried(100)], [1, 2])
