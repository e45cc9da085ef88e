"""Permutation tests: no normal distribution is needed, few repetitions and ties are no harm."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trialwatt.analysis.intervals import SEED

_SLACK = 1e-9


class Tested(NamedTuple):
    """statistic, p, and the smallest p that these sizes of groups can give."""

    statistic: float
    p: float
    least_p: float


def k_sample(scores: np.ndarray, groups: np.ndarray, resamples: int) -> Tested:
    """Whether the scores differ between groups: H = (n − 1)·SS_between ÷ SS_total.

    scores (n,): ranks (then H is Kruskal-Wallis', corrected for ties) or the scores of a test for
    censored values. groups (n,): codes from 0. Where all scores are equal nothing can be told:
    NaN.
    """
    n = len(scores)
    centred = scores - scores.mean()
    total = math.fsum(centred**2)
    sizes = np.bincount(groups)
    if total <= _SLACK * n or len(sizes) < 2:
        return Tested(math.nan, math.nan, math.nan)
    shuffled = np.random.default_rng(SEED).permuted(
        np.broadcast_to(np.sort(centred), (resamples, n)), axis=1
    )
    scale = (n - 1) / total
    observed = scale * float(_between(centred[None], groups)[0])
    drawn = scale * _between(shuffled, groups)
    return Tested(observed, _p(observed, drawn), _least_p(sizes))


def epsilon_squared(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(rows,) share of the scores' variance that the groups explain, H ÷ (n − 1), in [0, 1].

    scores (rows, n), groups (n,). NaN where all scores of a row are equal.
    """
    centred = scores - scores.mean(axis=1, keepdims=True)
    total = (centred**2).sum(axis=1)
    safe = np.where(total > _SLACK * scores.shape[1], total, np.nan)
    return _between(centred, groups) / safe


def _between(centred: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(rows,) sum of squares between groups of centred scores (rows, n).

    Group by group and in the order of the scores, as a product of matrices adds up in another
    order on each kind of processor.
    """
    found = np.zeros(len(centred))
    for group in np.unique(groups):
        own = centred[:, groups == group]
        found += own.sum(axis=1) ** 2 / own.shape[1]
    return found


class Layout:
    """A two-way layout, balanced or not, with or without empty cells.

    rows, columns (n,): codes of each observation's testbed and treatment. The interaction is
    what the cells' means explain beyond the additive model.
    """

    def __init__(self, rows: np.ndarray, columns: np.ndarray):
        both = np.column_stack([rows, columns])
        cells = np.ravel(np.unique(both, axis=0, return_inverse=True)[1])
        self.cells, self._rows = cells, rows
        of_row, of_column = np.eye(rows.max() + 1)[rows], np.eye(columns.max() + 1)[columns]
        self._additive = _basis(np.column_stack([of_row, of_column]))
        self._full = np.eye(cells.max() + 1)[cells] / np.sqrt(np.bincount(cells))
        self.df = self._full.shape[1] - self._additive.shape[1]
        self.residual_df = len(rows) - self._full.shape[1]

    def f(self, y: np.ndarray) -> np.ndarray:
        """(k,) F of the interaction for each row of y (k, n)."""
        total = (y**2).sum(axis=-1)
        full = ((y @ self._full) ** 2).sum(axis=-1)
        additive = ((y @ self._additive) ** 2).sum(axis=-1)
        residual = np.maximum(total - full, _SLACK * 1e-3 * np.maximum(total, 1e-300))
        return (np.maximum(full - additive, 0) / self.df) / (residual / self.residual_df)

    def omega_squared(self, f: np.ndarray) -> np.ndarray:
        """Partial ω² of the interaction, at least 0: df(F − 1) ÷ (df(F − 1) + n)."""
        gain = self.df * np.maximum(f - 1, 0)
        return gain / (gain + len(self._rows))

    def interaction(self, y: np.ndarray, resamples: int) -> Tested:
        """Permute the additive model's residuals within each testbed and refit.

        Within a testbed, since one machine may be noisier than another. Source: Freedman and
        Lane, A Nonstochastic Interpretation of Reported Significance Levels, 1983.
        """
        fitted = self._additive @ (y @ self._additive)
        residuals = y - fitted
        rng = np.random.default_rng(SEED)
        drawn = np.empty((resamples, len(y)))
        for row in np.unique(self._rows):
            at = np.flatnonzero(self._rows == row)
            drawn[:, at] = rng.permuted(
                np.broadcast_to(residuals[at], (resamples, len(at))), axis=1
            )
        # What the additive model takes up is the same with and without `fitted`: it is left out.
        observed = float(self.f(residuals[None])[0])
        return Tested(observed, _p(observed, self.f(drawn)), 1 / (resamples + 1))


def _p(observed: float, drawn: np.ndarray) -> float:
    return float((1 + np.count_nonzero(drawn >= observed * (1 - _SLACK))) / (1 + len(drawn)))


def _least_p(sizes: np.ndarray) -> float:
    """Splits that are alike but for the names of equal groups ÷ all splits."""
    ways = math.lgamma(sizes.sum() + 1) - sum(math.lgamma(size + 1) for size in sizes)
    alike = sum(math.lgamma(count + 1) for count in Counter(sizes.tolist()).values())
    return min(1.0, math.exp(alike - ways))


def _basis(design: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the design's columns."""
    left, size, _ = np.linalg.svd(design, full_matrices=False)
    return left[:, size > 1e-9 * size[0]]


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
