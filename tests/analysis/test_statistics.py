"""The small statistics against independent judges."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from trialwatt.analysis import intervals
from trialwatt.analysis.censoring import gehan_scores, median
from trialwatt.analysis.permutation import Layout, epsilon_squared, holm, k_sample


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, np.nan]) == pytest.approx(
        [0.03, 0.06, 0.06, np.nan], nan_ok=True
    )
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    assert len(holm([])) == 0


def test_ranks_give_kruskal_wallis():
    rng = np.random.default_rng(1)
    values, groups = rng.integers(0, 6, 24).astype(float), np.repeat([0, 1, 2], 8)
    got = k_sample(stats.rankdata(values), groups, 999)
    judge = stats.kruskal(*(values[groups == g] for g in range(3)))
    assert got.statistic == pytest.approx(judge.statistic)
    assert got.p == pytest.approx(judge.pvalue, abs=0.06)


def test_gehan_scores_pair_by_pair():
    rng = np.random.default_rng(2)
    values, censored = rng.integers(0, 8, (5, 12)).astype(float), rng.random((5, 12)) < 0.4

    def surely_below(a, a_cut, b, b_cut):
        return not a_cut and (a < b or (a == b and b_cut))

    for row, cut, got in zip(values, censored, gehan_scores(values, censored), strict=True):
        for i in range(12):
            below = sum(surely_below(row[j], cut[j], row[i], cut[i]) for j in range(12))
            above = sum(surely_below(row[i], cut[i], row[j], cut[j]) for j in range(12))
            assert got[i] == below - above


def test_gehan_without_censoring_is_kruskal_wallis():
    rng = np.random.default_rng(2)
    values, groups = rng.integers(0, 9, 40).astype(float), np.repeat([0, 1, 2, 3], 10)
    got = k_sample(gehan_scores(values, np.zeros(40, bool)), groups, 9)
    judge = stats.kruskal(*(values[groups == g] for g in range(4)))
    assert got.statistic == pytest.approx(judge.statistic)


def test_gehan_agrees_with_the_logrank_test_on_a_clear_effect():
    """Another test for the same question, by another library."""
    rng = np.random.default_rng(2)
    groups = np.repeat([0, 1], 25)
    for shift, few in ((0.0, False), (2.0, True)):
        values, censored = rng.exponential(size=50) * np.exp(shift * groups), rng.random(50) < 0.2
        data = [
            stats.CensoredData.right_censored(values[groups == g], censored[groups == g])
            for g in (0, 1)
        ]
        ours = k_sample(gehan_scores(values, censored), groups, 999).p
        assert (ours < 0.01, stats.logrank(*data).pvalue < 0.01) == (few, few)


def test_the_permutation_p_against_all_permutations():
    values, groups = np.array([1.0, 2, 3, 10, 11, 12]), np.array([0, 0, 0, 1, 1, 1])
    ranks = stats.rankdata(values)
    every = [abs(sum(p[:3]) - sum(p[3:])) for p in permutations(ranks)]
    exact = np.mean(np.array(every) >= every[0] - 1e-9)
    got = k_sample(ranks, groups, 4999)
    assert got.p == pytest.approx(exact, abs=0.02)
    assert got.least_p == pytest.approx(0.1) == pytest.approx(exact)


def test_equal_scores_tell_nothing():
    assert np.isnan(k_sample(np.ones(6), np.array([0, 0, 0, 1, 1, 1]), 99).p)
    assert np.isnan(epsilon_squared(np.ones((1, 4)), np.array([0, 0, 1, 1]))[0])


def test_the_interaction_against_the_classical_table():
    """Balanced, the F is the one of the sums of squares by hand."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=(2, 3, 5))
    rows, columns = np.repeat([0, 1], 15), np.tile(np.repeat([0, 1, 2], 5), 2)
    cell = y.mean(axis=2)
    parts = cell - cell.mean(1, keepdims=True) - cell.mean(0, keepdims=True) + cell.mean()
    within = ((y - cell[:, :, None]) ** 2).sum() / 24
    by_hand = 5 * (parts**2).sum() / 2 / within
    layout = Layout(rows, columns)
    assert (layout.df, layout.residual_df) == (2, 24)
    assert layout.f(y.reshape(1, -1))[0] == pytest.approx(by_hand)
    got = layout.interaction(y.ravel(), 1999)
    assert got.p == pytest.approx(stats.f.sf(by_hand, 2, 24), abs=0.05)


def test_additive_effects_are_no_interaction():
    rows, columns = np.repeat([0, 1], 12), np.tile(np.repeat([0, 1, 2], 4), 2)
    rng = np.random.default_rng(4)
    noise = rng.normal(size=24)
    layout = Layout(rows, columns)
    moved = noise + 100 * rows + np.array([0.0, 30, -50])[columns]
    assert layout.f(noise[None])[0] == pytest.approx(layout.f(moved[None])[0], rel=1e-6)


def test_an_empty_cell_takes_a_degree_of_freedom():
    rows = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0])
    columns = np.array([0, 0, 1, 1, 0, 0, 1, 1, 2, 2])
    assert Layout(rows, columns).df == 1


def test_the_kaplan_meier_median_against_scipy():
    rng = np.random.default_rng(5)
    for _ in range(20):
        values, censored = rng.integers(1, 9, 11).astype(float), rng.random(11) < 0.4
        if not censored.any():
            continue
        curve = stats.ecdf(stats.CensoredData.right_censored(values, censored)).sf
        below = np.flatnonzero(curve.probabilities <= 0.5 + 1e-12)
        expected = curve.quantiles[below[0]] if len(below) else np.inf
        assert median(values, censored) == expected


def test_the_median_without_censoring_is_the_median():
    assert median(np.array([1.0, 2, 3, 10]), np.zeros(4, bool)) == 2.5


def test_bootstrap_medians_do_not_depend_on_the_order():
    values, cut = np.array([3.0, 1, 2, 5, 4]), np.zeros(5, bool)
    one = intervals.medians([values], [cut], 200)
    assert (one == intervals.medians([values[::-1]], [cut], 200)).all()
    assert set(np.unique(one)) <= set(values)


def test_intervals_take_infinite_values():
    low, high = intervals.interval(np.array([1.0] * 50 + [np.inf] * 50))
    assert (low, high) == (1.0, np.inf)
    assert np.isnan(intervals.interval(np.array([np.nan]))).all()
