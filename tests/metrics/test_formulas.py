import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.metrics import formulas
from trialwatt.records.outcome import job_completion_time_ms


def test_ept_twh_and_cint_by_hand():
    assert formulas.energy_per_trial_kwh(6.0, 4) == 1.5
    assert math.isnan(formulas.energy_per_trial_kwh(6.0, 0))
    assert formulas.trial_energy_kwh(np.array([1.0, 2.0, 6.0])) == 3.0
    assert math.isnan(formulas.trial_energy_kwh(np.empty(0)))
    # 2 kWh at 100 g and 1 kWh at 400 g: (200 + 400) / 3
    assert formulas.carbon_intensity_g_per_kwh(600.0, 3.0) == 200.0
    assert formulas.carbon_g(3.0, 200.0, 1.5) == 900.0


def test_cost_by_hand():
    # 2 cores and 3 GB for half an hour: 0.5 · (2 · 0.04 + 3 · 0.01)
    half_hour = 1.8e12
    assert formulas.cost(2.0, 3072, half_hour, 0.04, 0.01) == pytest.approx(0.055)
    # and half of an accelerator at 1 per hour
    with_half = formulas.cost(2.0, 3072, half_hour, 0.04, 0.01, half_hour / 2, 1.0)
    assert with_half == pytest.approx(0.055 + 0.25)


def test_jct_shares_and_throughput_by_hand():
    assert job_completion_time_ms(2e9, 5e9) == 3000
    assert formulas.idle_share(1.0, 4.0) == 0.25
    assert formulas.utilisation(30.0, 120.0) == 0.25
    assert formulas.throughput_per_h(10, 1_800_000.0) == 20
    assert math.isnan(formulas.idle_share(0.0, 0.0))


def test_avoided_energy_by_hand():
    avoided = formulas.avoided_energy(np.array([4.0, 9.0, 5.0]), np.array([2, 5, 0]), 5)
    assert avoided[0] == 6.0  # 2 per epoch, 3 epochs not run
    assert avoided[1] == 0.0
    assert math.isnan(avoided[2])


def test_waste_precedence_by_hand():
    start = np.array([0, 1, 2, 3, 4, 5])
    phi = np.array([7, 7, 7, 7, 7, 8])
    failed = np.array([True, False, False, True, False, False])
    pruned = np.array([False, True, False, True, False, False])
    found = formulas.waste_classes(start, phi, failed, pruned)
    # The third is the first of its φ to complete; the fifth repeats it.
    assert found.tolist() == ["failed", "pruned", "", "failed", "duplicate", ""]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 20), st.integers(0, 3), st.sampled_from(["done", "pruned", "failed"])
        )
    )
)
def test_waste_classes_by_definition(trials):
    start = np.array([t[0] for t in trials], np.int64)
    phi = np.array([t[1] for t in trials], np.int64)
    how = np.array([t[2] for t in trials], dtype="<U9")
    found = formulas.waste_classes(start, phi, how == "failed", how == "pruned").tolist()
    for i, (s, p, outcome) in enumerate(trials):
        earlier = any(
            q == p and o == "done" and (t, j) < (s, i) for j, (t, q, o) in enumerate(trials)
        )
        expected = "" if outcome == "done" else outcome
        assert found[i] == ("duplicate" if outcome == "done" and earlier else expected)


def test_the_goal_is_reached_by_the_first_to_end():
    end, score = np.array([30, 20, 10, 5]), np.array([0.9, 0.95, 0.8, 0.99])
    completed = np.array([True, True, True, False])

    def first(score, target, sign=1):
        return formulas.goal_index(end, completed & formulas.reaches(score, target, sign))

    assert first(score, 0.9) == 1 and first(score, 0.95) == 1
    assert first(score, 0.96) == -1 and first(np.full(4, np.nan), 0.1) == -1
    assert first(score, 0.9, -1) == 2 and first(score, 0.79, -1) == -1


SCORES = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30)


@given(SCORES, st.data())
def test_the_mirror_image_of_scores_is_searched_alike(values, data):
    score, target = np.array(values), data.draw(st.sampled_from(values))
    up, down = (formulas.best_so_far(sign * score, sign) for sign in (1, -1))
    assert (up == -down).all() and up[-1] == score.max() and (np.diff(up) >= 0).all()
    reached = formulas.reaches(score, target, 1)
    assert reached.any() and (reached == formulas.reaches(-score, -target, -1)).all()
    assert not formulas.reaches(np.array([np.nan]), target, -1).any()
