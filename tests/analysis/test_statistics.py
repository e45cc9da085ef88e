"""The small statistics against independent judges."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from trialwatt.analysis.censoring import gehan_scores, median
from trialwatt.analysis.permutation import (
    between_levels,
    explained,
    explained_interaction,
    holm,
    huber_scores,
    interaction,
    least_p,
    ways,
)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, np.nan]) == pytest.approx(
        [0.03, 0.06, 0.06, np.nan], nan_ok=True
    )
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    assert len(holm([])) == 0


def test_ranks_give_friedmans_test():
    values = np.random.default_rng(1).integers(0, 6, (12, 4)).astype(float)
    ranks = stats.rankdata(values, axis=1)
    got, judge = between_levels(ranks, 999), stats.friedmanchisquare(*values.T)
    assert got.statistic == pytest.approx(judge.statistic)
    assert got.p == pytest.approx(judge.pvalue, abs=0.06)
    assert explained(ranks) == pytest.approx(judge.statistic / (12 * 3))  # Kendall's W


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


def test_gehan_without_censoring_is_friedmans_test():
    values = np.random.default_rng(2).integers(0, 9, (10, 4)).astype(float)
    got = between_levels(gehan_scores(values, np.zeros(values.shape, bool)), 9)
    assert got.statistic == pytest.approx(stats.friedmanchisquare(*values.T).statistic)


def test_the_p_against_all_permutations():
    values = np.random.default_rng(3).normal(size=(4, 3))
    every = product(*(permutations(row) for row in values - values.mean(axis=1, keepdims=True)))
    spread = np.array([(np.sum(one, axis=0) ** 2).sum() for one in every])
    got = between_levels(values, 99)
    assert got.p == pytest.approx(np.mean(spread >= spread[0] - 1e-9))
    assert got.least_p == pytest.approx(1 / 6**3)


def test_two_levels_are_the_test_of_paired_signs():
    values = np.random.default_rng(4).normal(0.3, 1, size=(9, 2))
    judge = stats.permutation_test(
        (values[:, 0] - values[:, 1],), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert between_levels(values, 99).p == pytest.approx(judge.pvalue)
    assert least_p(6, 2) < 0.05 < least_p(5, 2) and least_p(9, 2) * 12 < 0.05 < least_p(8, 2) * 12
    assert least_p(3, ways(3)) == pytest.approx(1 / 36)


def test_more_permutations_than_can_be_listed_are_sampled():
    values = np.random.default_rng(5).normal(size=(8, 5)) + np.linspace(0, 2, 5)
    got = between_levels(values, 499)
    assert got.p == got.least_p == pytest.approx(1 / 500)


def test_equal_scores_tell_nothing():
    assert np.isnan(between_levels(np.ones((5, 3)), 99).p)
    assert np.isnan(explained(np.ones((4, 3))))
    assert np.isnan(between_levels(np.ones((1, 3)), 99).p)


def test_what_blocks_share_is_no_difference():
    """A drift as large as one likes between blocks leaves p as it is."""
    values = np.random.default_rng(6).normal(size=(6, 3)) + np.array([0.0, 0.5, 1.0])
    drift = np.arange(6.0)[:, None]
    for score in (lambda v: v, huber_scores):
        one, other = (between_levels(score(v), 99) for v in (values, values + 100 * drift))
        assert one.p == pytest.approx(other.p)


def test_a_value_far_away_counts_no_more_than_one_at_the_bound():
    values = np.random.default_rng(7).normal(size=(6, 4))
    far = values.copy()
    values[0, 0], far[0, 0] = 50.0, 5000.0
    assert huber_scores(values) == pytest.approx(huber_scores(far))


def two_testbeds(rng, noise, profiles, blocks=5):
    values = np.concatenate([p + noise * rng.normal(size=(blocks, len(p))) for p in profiles])
    return values, np.repeat(np.arange(len(profiles)), blocks)


def test_the_interaction_against_the_classical_table():
    values, groups = two_testbeds(np.random.default_rng(3), 1.0, [np.zeros(3), np.array([0, 1, 2])])
    within = np.stack([values[groups == g] for g in (0, 1)])
    within = within - within.mean(axis=2, keepdims=True)
    means = within.mean(axis=1)
    between = 5 * ((means - means.mean(axis=0)) ** 2).sum()
    error = ((within - means[:, None]) ** 2).sum()
    judge = stats.f.sf((between / 2) / (error / 16), 2, 16)
    assert interaction(values, groups, 1999).p == pytest.approx(judge, abs=0.1)
    assert explained_interaction(values, groups) == pytest.approx(between / (between + error))


def test_additive_effects_are_no_interaction():
    values, groups = two_testbeds(np.random.default_rng(4), 1.0, [np.zeros(3)] * 2, 4)
    moved = values + 100 * groups[:, None] + np.array([0.0, 30, -50])
    one, other = (interaction(each, groups, 99) for each in (values, moved))
    assert one.statistic == pytest.approx(other.statistic) and one.p == pytest.approx(other.p)


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
