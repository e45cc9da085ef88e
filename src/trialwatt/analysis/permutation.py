"""Permutation tests within blocks: no normal distribution is needed, and drift between blocks, a
repetition's seed and its data split cancel."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trialwatt.analysis.intervals import SEED

HUBER = 1.345
"""Standard deviations from which on a value counts no more: Huber's constant, with which a mean of
normal values loses 5 % of its efficiency."""
SIGNS = 2
"""Ways to permute a block by its sign."""
EXACT = 5000
"""Up to so many permutations all of them are gone through; beyond, a random sample."""
_SLACK = 1e-9
_SIGMA_OF_MAD = 1.4826


class Tested(NamedTuple):
    """statistic, p, and the smallest p that so many blocks and levels can give."""

    statistic: float
    p: float
    least_p: float


def huber_scores(values: np.ndarray) -> np.ndarray:
    """(blocks, levels) deviations from the block's middle, none beyond HUBER times their scale.

    One scale for all, by the median of the deviations; so one level that is noisier than the others
    does not make the test find differences that are none.
    """
    return _centred(_clipped(values - np.median(values, axis=1, keepdims=True)))


def between_levels(scores: np.ndarray, resamples: int) -> Tested:
    """Whether the scores (blocks, levels) differ between levels; of ranks this is Friedman's test.

    The statistic is (levels − 1)·SS_between ÷ (SS_total ÷ blocks), after centring within blocks.
    Where all scores of every block are equal nothing can be told: NaN. Source: M. Friedman, The
    Use of Ranks to Avoid the Assumption of Normality, 1937.
    """
    scores = _centred(scores)
    blocks, levels = scores.shape
    total = float((scores**2).sum())
    if blocks < 2 or levels < 2 or total <= _SLACK**2:
        return _NOTHING
    scale = (levels - 1) / total
    observed = scale * float((scores.sum(axis=0) ** 2).sum())
    sums, is_exact = _permuted(scores, resamples)
    hits = np.count_nonzero(scale * (sums**2).sum(axis=1) >= observed * (1 - _SLACK))
    least = least_p(blocks, ways(levels))
    if is_exact:
        return Tested(observed, float(hits / len(sums)), least)
    return Tested(observed, float((1 + hits) / (1 + len(sums))), max(least, 1 / (1 + len(sums))))


def interaction(values: np.ndarray, groups: np.ndarray, resamples: int) -> Tested:
    """Whether the profile over levels differs between groups of blocks, such as testbeds.

    values (blocks, levels); groups (blocks,): codes from 0, each with two blocks or more. The
    statistic is the profiles' squared distance from the one that they share, each level in units
    of its own noise, half of which is taken as equal for all. What a group's own profile leaves of
    a block is turned round as a whole, or not, at random: so groups and levels may be noisier than
    others. Sources: C. ter Braak, Permutation Versus Bootstrap Significance Tests in Multiple
    Regression and ANOVA, 1992 (residuals of the full model); A. Winkler et al., Permutation
    Inference for the General Linear Model, 2014 (signs of what belongs together).
    """
    centred = _centred(values)
    left = centred - _moments(centred[None], groups)[0][0][groups]
    if float((centred**2).sum()) <= _SLACK**2:
        return _NOTHING
    signs = np.random.default_rng(SEED).choice([-1.0, 1.0], size=(resamples, len(values), 1))
    observed = float(_apart(centred[None], groups)[0])
    hits = np.count_nonzero(_apart(signs * left, groups) >= observed * (1 - _SLACK))
    least = max(least_p(len(values), SIGNS), 1 / (1 + resamples))
    return Tested(observed, float((1 + hits) / (1 + resamples)), least)


def explained(scores: np.ndarray) -> np.ndarray:
    """(…,) share of the variance of scores (…, blocks, levels) within blocks that levels explain.

    Of ranks it is Kendall's W. NaN where all scores of every block are equal.
    """
    centred = _centred(scores)
    total = (centred**2).sum(axis=(-2, -1))
    between = (centred.sum(axis=-2) ** 2).sum(axis=-1) / scores.shape[-2]
    return between / np.where(total > 0, total, np.nan)


def explained_interaction(values: np.ndarray, groups: np.ndarray) -> float:
    """Share of the variance within blocks, beyond the levels' own, that the groups explain."""
    centred, sizes = _centred(values), np.bincount(groups)[:, None]
    means = _moments(centred[None], groups)[0][0]
    shared = (means * sizes).sum(axis=0) / len(groups)
    between = float((sizes * (means - shared) ** 2).sum())
    total = between + float(((centred - means[groups]) ** 2).sum())
    return between / total if total else 0.0


def least_p(blocks: int, ways: int) -> float:
    """The smallest p where each block can be permuted in so many ways: what differs from the data
    only in names or signs ÷ all that can be."""
    return float(ways) ** (1 - blocks) if blocks else 1.0


def ways(levels: int) -> int:
    """Orders of a block's levels."""
    return math.factorial(levels)


_NOTHING = Tested(math.nan, math.nan, math.nan)


def _permuted(scores: np.ndarray, resamples: int) -> tuple[np.ndarray, bool]:
    """(draws, levels) sums of scores permuted within blocks, and whether these are all.

    The first block stays as it is: what counts is how the others lie to it.
    """
    blocks, levels = scores.shape
    if math.factorial(levels) ** (blocks - 1) > EXACT:
        rng = np.random.default_rng(SEED)
        same = np.broadcast_to(np.sort(scores, axis=1), (resamples, blocks, levels))
        return rng.permuted(same, axis=2).sum(axis=1), False
    orders = np.array(list(itertools.permutations(range(levels))))
    sums = scores[:1]
    for own in scores[1:]:
        sums = (sums[:, None] + own[orders]).reshape(-1, levels)
    return sums, True


def _moments(values: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(draws, groups, levels) each: means of values (draws, blocks, levels), and their variances,
    half of each taken as equal for all levels of a group."""
    parts = [values[:, groups == code] for code in range(int(groups.max()) + 1)]
    means = np.stack([part.mean(axis=1) for part in parts], axis=1)
    own = np.stack([part.var(axis=1, ddof=1) / part.shape[1] for part in parts], axis=1)
    return means, (own + own.mean(axis=2, keepdims=True)) / 2


def _apart(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(draws,) how far the groups' profiles lie apart, of centred values."""
    means, variances = _moments(values, groups)
    weights = 1 / (variances + _SLACK**2)
    shared = (weights * means).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)
    return (weights * (means - shared) ** 2).sum(axis=(1, 2))


def _clipped(away: np.ndarray) -> np.ndarray:
    """Deviations, none beyond HUBER times their scale."""
    scale = _SIGMA_OF_MAD * float(np.median(np.abs(away)))
    scale = scale if scale > 0 else math.sqrt(float((away**2).mean()))
    return np.clip(away, -HUBER * scale, HUBER * scale)


def _centred(scores: np.ndarray) -> np.ndarray:
    return scores - scores.mean(axis=-1, keepdims=True)


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjusted p-values, in the order given; NaN is no test and stays NaN.

    Source: S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    given = np.asarray(p, float)
    adjusted = np.full(given.shape, np.nan)
    known = np.flatnonzero(~np.isnan(given))
    order = known[np.argsort(given[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return adjusted
