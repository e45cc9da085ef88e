"""Convergence on synthetic curves, and the properties that it must have whatever the curve."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwatt.analysis.convergence import (
    Step,
    Verdict,
    assess,
    half_width,
    needs_more_repetitions,
    told,
)

SHAPE = (0.98, 0.99, 1.0, 1.01, 1.02)
NOISY = (0.7, 0.85, 1.0, 1.15, 1.3)


def curve(*medians, start=256, step=128, shape=SHAPE):
    """A step per median; None is an infeasible one, "failed" a hole."""
    steps = []
    for i, middle in enumerate(medians):
        value = float(start + step * i)
        if middle is None:
            steps.append(Step(value, (), "infeasible"))
        elif middle == "failed":
            steps.append(Step(value, (), "failed"))
        else:
            steps.append(Step(value, tuple(middle * factor for factor in shape)))
    return steps


def sweep(medians, **how):
    """Run the loop over a curve: the verdict, and how many steps it took."""
    steps = curve(*medians)
    for count in range(1, len(steps) + 1):
        verdict = assess(steps[:count], maximum_reached=count == len(steps), **how)
        if verdict.state != "continue":
            return verdict, count
    raise AssertionError("the loop went on at the maximum")


# --- curves -------------------------------------------------------------------------------------


def test_flat_stops_after_patience_and_takes_the_smallest():
    verdict, count = sweep([100] * 10)
    assert (verdict.state, verdict.converged_value, count) == ("converged", 256, 3)


def test_falling_then_flat():
    verdict, count = sweep([100, 60, 50, 49, 48.5, 48, 48])
    assert (verdict.state, verdict.best_value, count) == ("converged", 768, 5)
    assert verdict.converged_value == 512  # 50 is within 5 % of 48.5


def test_infeasible_at_first_uses_up_no_patience():
    verdict, count = sweep([None, None, None, 100, 99, 98, 97])
    assert (verdict.state, verdict.converged_value, count) == ("converged", 640, 6)


def test_infeasible_in_between_does_not_break_the_row():
    verdict, count = sweep([100, 99, None, 99, 10])
    assert (verdict.state, verdict.converged_value, count) == ("converged", 256, 4)


def test_a_hole_is_passed_over_and_told():
    verdict, count = sweep([100, "failed", 99, 99, 10])
    assert (verdict.state, verdict.converged_value, count) == ("converged", 256, 4)
    assert "1 failed step" in verdict.reason


def test_never_converging():
    verdict, count = sweep([100 * 0.9**i for i in range(8)])
    assert (verdict.state, verdict.converged_value, count) == ("not converged", None, 8)
    assert verdict.best_value == 256 + 7 * 128


def test_converged_exactly_at_the_maximum():
    assert sweep([100, 50, 50, 50])[0].state == "converged"


def test_one_step_short_of_patience_at_the_maximum():
    assert sweep([100, 50, 50])[0].state == "not converged"


def test_worse_again():
    verdict, count = sweep([100, 50, 80, 120, 10])
    assert (verdict.state, verdict.converged_value, count) == ("converged", 384, 4)


def test_slow_improvement_below_tolerance_stops():
    verdict, count = sweep([100, 96, 92.2, 50])
    assert (verdict.state, count) == ("converged", 3)
    assert verdict.converged_value == 384  # 96 is within 5 % of 92.2, 100 is not


def test_exactly_the_tolerance_is_an_improvement():
    assert assess(curve(100, 95), patience=1).state == "continue"
    assert assess(curve(100, 95.001), patience=1).state == "converged"


def test_exactly_the_tolerance_is_within_it():
    assert assess(curve(105, 100, 100, 100)).converged_value == 256


def test_ties_take_the_smallest_treatment():
    verdict = assess(curve(70, 50, 50, 50))
    assert (verdict.best_value, verdict.converged_value) == (384, 384)


def test_one_step():
    assert assess(curve(100)).state == "continue"
    assert assess(curve(100), maximum_reached=True).state == "not converged"


def test_nothing_yet():
    assert assess([]).state == "continue"
    assert assess([], maximum_reached=True).state == "undecided"


def test_all_infeasible():
    assert assess(curve(None, None)).state == "continue"
    verdict = assess(curve(None, None), maximum_reached=True)
    assert verdict == Verdict("infeasible", None, None, "no treatment of the sweep was feasible")


def test_holes_alone_are_not_called_infeasible():
    assert assess(curve(None, "failed"), maximum_reached=True).state == "undecided"


def test_completed_without_a_time_is_a_hole():
    steps = [Step(1, (math.nan,)), *curve(10, 10, 10)]
    assert assess(steps).converged_value == 256


# --- noise --------------------------------------------------------------------------------------


def test_noise_that_hides_improvements_is_undecided():
    verdict = assess(curve(100, 99, 98, shape=NOISY))
    assert (verdict.state, verdict.converged_value) == ("undecided", None)
    assert "384, 512" in verdict.reason


def test_a_clear_end_is_found_in_spite_of_noise_at_its_steps():
    steps = curve(100, 50) + curve(500, 500, start=512, shape=NOISY)
    assert assess(steps).state == "converged"


def test_a_noisy_best_step_is_undecided():
    steps = curve(200) + curve(50, start=384, shape=NOISY) + curve(500, 500, start=512)
    verdict = assess(steps)
    assert verdict.state == "undecided" and "best step (384)" in verdict.reason


def test_a_noisy_curve_at_its_maximum_is_undecided():
    assert assess(curve(100, 94, shape=NOISY), maximum_reached=True).state == "undecided"


def test_a_steep_fall_at_the_maximum_is_not_converged_in_spite_of_noise():
    assert assess(curve(100, 20, shape=NOISY), maximum_reached=True).state == "not converged"


def test_fewer_than_five_repetitions_is_a_demonstration():
    verdict = assess(curve(100, 100, 100, shape=(0.99, 1, 1.01)))
    said = told(verdict.state, verdict.reason, verdict.demonstration)
    assert verdict.demonstration and said.startswith("demonstration only: converged: ")
    assert told("undecided", "", demonstration=False) == "undecided"
    assert not assess(curve(100, 100, 100)).demonstration


# --- the Baseline -------------------------------------------------------------------------------


def test_the_baseline_is_a_step_at_its_place():
    steps = curve(100, 99, start=256, step=512)
    assert assess(steps).state == "continue"
    baseline = Step(512, tuple(100 * f for f in SHAPE))
    assert assess(steps, baseline=baseline).state == "converged"


def test_a_baseline_further_on_uses_up_no_patience_but_counts_as_best():
    baseline = Step(2048, tuple(98 * f for f in SHAPE))
    assert assess(curve(100, 99.5), baseline=baseline).state == "continue"
    verdict = assess(curve(100, 99.5, 100), baseline=baseline)
    assert (verdict.state, verdict.converged_value) == ("converged", 256)
    assert verdict.best_value == 2048


def test_the_sweep_goes_on_to_a_much_better_baseline():
    baseline = Step(640, tuple(50 * f for f in SHAPE))
    medians = [100, 100, 100, 50, 50, 50]
    verdict, count = sweep(medians, baseline=baseline)
    assert (verdict.state, verdict.converged_value, count) == ("converged", 640, 6)


def test_the_same_treatment_as_a_step_is_counted_once():
    steps = curve(100, 99, 98)
    assert assess(steps, baseline=steps[1]) == assess(steps)


def test_an_infeasible_baseline_says_nothing():
    assert assess(curve(100, 99, 98), baseline=Step(4096, (), "infeasible")) == assess(
        curve(100, 99, 98)
    )


def test_only_the_baseline_is_feasible():
    baseline = Step(4096, (100.0,) * 5)
    verdict = assess(curve(None, None), baseline=baseline, maximum_reached=True)
    assert (verdict.state, verdict.best_value) == ("not converged", 4096)


# --- properties ---------------------------------------------------------------------------------

medians = st.lists(
    st.one_of(st.floats(1, 1000), st.none(), st.just("failed")), min_size=1, max_size=9
)
shapes = st.lists(st.floats(0.7, 1.3), min_size=5, max_size=5).map(tuple)


@settings(max_examples=40, deadline=None)
@given(medians, shapes, st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_repetitions_does_not_matter(middle, shape, end, random):
    steps = curve(*middle, shape=shape)
    mixed = []
    for step in steps:
        jct = list(step.jct_ms)
        random.shuffle(jct)
        mixed.append(Step(step.value, tuple(jct), step.status))
    assert assess(steps, maximum_reached=end) == assess(mixed, maximum_reached=end)


@settings(max_examples=40, deadline=None)
@given(medians, shapes, st.booleans(), st.integers(-8, 8))
def test_the_unit_of_time_does_not_matter(middle, shape, end, power):
    steps = curve(*middle, shape=shape)
    scaled = [Step(s.value, tuple(v * 2.0**power for v in s.jct_ms), s.status) for s in steps]
    assert assess(steps, maximum_reached=end) == assess(scaled, maximum_reached=end)


@settings(max_examples=40, deadline=None)
@given(medians, st.floats(1.0, 3.0))
def test_a_worse_later_step_changes_no_converged_value(middle, factor):
    steps = curve(*middle)
    verdict = assess(steps)
    known = [np.median(step.jct_ms) for step in steps if step.counts]
    if verdict.state != "converged":
        return
    later = curve(max(known) * factor, start=9999)
    after = assess([*steps, *later])
    assert (after.state, after.converged_value) == ("converged", verdict.converged_value)


@settings(max_examples=40, deadline=None)
@given(medians, shapes)
def test_the_converged_step_is_feasible_and_near_the_best(middle, shape):
    steps = curve(*middle, shape=shape)
    verdict = assess(steps, maximum_reached=True)
    assert verdict.state != "continue"
    by_value = {s.value: np.median(s.jct_ms) for s in steps if s.counts}
    assert (verdict.best_value is None) == (not by_value)
    if verdict.state == "converged":
        best = min(by_value.values())
        near = [v for v, m in by_value.items() if m <= best * 1.05 * (1 + 1e-8)]
        assert verdict.converged_value == min(near)


@settings(max_examples=30, deadline=None)
@given(medians)
def test_infeasible_steps_may_be_left_out(middle):
    steps = curve(*middle)
    feasible = [step for step in steps if step.counts]
    if feasible:
        with_all, without = assess(steps), assess(feasible)
        assert with_all.state == without.state
        assert with_all.converged_value == without.converged_value


# --- repetitions --------------------------------------------------------------------------------


def test_repetitions_are_added_until_the_interval_is_narrow():
    assert needs_more_repetitions([100, 100, 100, 100], 0.05)
    assert not needs_more_repetitions([98, 99, 100, 101, 102], 0.05)
    wide = [80, 90, 100, 110, 120]
    assert needs_more_repetitions(wide, 0.05)
    assert not needs_more_repetitions(wide * 2, 0.05)  # ten is the most
    assert needs_more_repetitions([80, 99, 100, 101, 120], 0.05)
    assert not needs_more_repetitions([80, 99, 99.5, 100, 100, 100.5, 101, 120], 0.05)


def test_repetitions_without_a_time_do_not_go_on_for_ever():
    assert needs_more_repetitions([math.nan] * 9, 0.05)
    assert not needs_more_repetitions([math.nan] * 10, 0.05)


def test_a_demonstration_may_ask_for_fewer():
    assert not needs_more_repetitions([100, 101], 0.05, minimum=2)
    assert needs_more_repetitions([100, 150], 0.05, minimum=2)
    assert not needs_more_repetitions([100, 150], 0.05, minimum=2, maximum=2)


def test_half_width():
    assert half_width([90, 100, 110]) == pytest.approx(0.1)
    assert math.isnan(half_width([])) and half_width([5]) == 0


# --- bad input and tables -----------------------------------------------------------------------


@pytest.mark.parametrize("tolerance", [0, 1, -0.1, 5])
def test_a_tolerance_must_be_a_share(tolerance):
    with pytest.raises(ValueError, match="tolerance must lie between 0 and 1"):
        assess(curve(1), tolerance=tolerance)
    with pytest.raises(ValueError, match="tolerance"):
        needs_more_repetitions([1.0] * 5, tolerance)


def test_patience_and_order_are_checked():
    with pytest.raises(ValueError, match="patience"):
        assess(curve(1), patience=0)
    with pytest.raises(ValueError, match="must rise"):
        assess([Step(2, (1.0,)), Step(1, (1.0,))])
