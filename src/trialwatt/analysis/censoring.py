"""Right-censored values: a job that did not reach the goal tells that more would be needed."""

from __future__ import annotations

import numpy as np

_CHUNK = 2_000_000


def gehan_scores(values: np.ndarray, censored: np.ndarray) -> np.ndarray:
    """Per value: how many of its row are surely below it − how many are surely above it.

    values, censored (…, n); the scores of a row sum to 0. Of a censored value only what is below
    it is sure. Without censoring these are the ranks, moved and stretched. Source: E. Gehan, A
    Generalized Wilcoxon Test for Comparing Arbitrarily Singly-Censored Samples, 1965.
    """
    n = values.shape[-1]
    rows, cut = values.reshape(-1, n), censored.reshape(-1, n)
    scores = np.empty(rows.shape)
    step = max(1, _CHUNK // max(n * n, 1))
    for first in range(0, len(rows), step):
        some = slice(first, first + step)
        one, other = rows[some, :, None], rows[some, None, :]
        lasts = cut[some, :, None]
        below = ~cut[some, None, :] & ((other < one) | ((other == one) & lasts))
        scores[some] = below.sum(axis=2) - below.sum(axis=1)
    return scores.reshape(values.shape)


def median(values: np.ndarray, censored: np.ndarray) -> np.ndarray:
    """(rows,) median of each row of (rows, n); the Kaplan-Meier median where any is censored.

    That is the smallest value at which at most half remain; infinite where more than half do to
    the end.
    """
    if not censored.any():
        return np.median(values, axis=-1)
    # A value censored at the moment of an event is still at risk there: events sort first.
    order = np.lexsort((censored, values), axis=-1)
    t = np.take_along_axis(values, order, -1)
    event = ~np.take_along_axis(censored, order, -1)
    remain = np.cumprod(1 - event / (t.shape[-1] - np.arange(t.shape[-1])), axis=-1)
    reached = remain <= 0.5 + 1e-12
    first = np.take_along_axis(t, np.argmax(reached, axis=-1)[..., None], -1)[..., 0]
    return np.where(reached.any(axis=-1), first, np.inf)
