"""The trial table as dense arrays: what a trial takes until each of its epochs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trialwatt.config.models import Choices, Goal, Range, Space
from trialwatt.config.space import Phi, grid, levels
from trialwatt.errors import TrialwattError
from trialwatt.records.phi import canonical
from trialwatt.replay.columns import SCORE
from trialwatt.replay.table import TrialTable


@dataclass(frozen=True)
class Trials:
    """Trials of P φ and R seeds over E epochs, imports left out.

    until_s, dynamic_j: (P, R, E + 1) from the trial's start to the end of load (0) and of each
    epoch. score: (P, R, E + 1) the goal's, NaN at 0 and where the epoch failed. lasts: (P, R)
    epochs of a trial that nobody stops; failed: (P, R) whether it then fails. imports: (k, 2)
    seconds and dynamic J of every measured import, import_seed: (k,) in which seed it was measured.
    worker_w: static power of a reserved worker, as the table's had it, its accelerator's too.
    reported: whether each epoch is validated, as with a pruner, or only the last one.
    """

    until_s: np.ndarray
    dynamic_j: np.ndarray
    score: np.ndarray
    lasts: np.ndarray
    failed: np.ndarray
    imports: np.ndarray
    import_seed: np.ndarray
    worker_w: float
    reported: bool

    @property
    def epochs(self) -> int:
        return self.until_s.shape[2] - 1

    @property
    def seeds(self) -> int:
        return self.until_s.shape[1]


def trials_of(
    table: TrialTable, space: Space, goal: Goal, reported: bool, epochs: int | None = None
) -> Trials:
    """Those of a space whose points are in the table. epochs: only so many first ones of each.

    Raises TrialwattError where a point is not, or where the table has no such score, or fewer
    epochs.
    """
    epochs = epochs or table.workload.epochs
    if epochs > table.workload.epochs:
        raise TrialwattError(f"{epochs} epochs: the table has {table.workload.epochs}")
    if goal.score not in table.scores:
        raise TrialwattError(
            f"the table has no score {goal.score}; it has: {', '.join(table.scores)}"
        )
    places = {phi: place for place, phi in enumerate(phis_of(space))}
    if missing := [phi for phi in places if phi not in set(table.phis)]:
        raise TrialwattError(
            f"the space is not a part of the table's: {missing[0]} was not measured"
        )
    there = table.frame["phi"].isin(places.keys()) & (table.frame["epoch"] <= epochs)
    frame = table.frame[there]
    seeds = np.unique(frame["repetition"], return_inverse=True)[1]
    at = (frame["phi"].map(places).to_numpy(), seeds, frame["epoch"].to_numpy())
    shape = (len(places), len(table.seeds), epochs + 1)

    def dense(column: str, missing: float = 0.0) -> np.ndarray:
        found = np.full(shape, missing)
        found[at] = frame[column].to_numpy(float, na_value=missing)
        return found

    lasts = dense("epoch").max(axis=2).astype(np.int64)
    failed = np.zeros(shape[:2], bool)
    whole = table.frame.groupby(["phi", "repetition"])["epoch"].transform("max")[frame.index]
    failed[at[:2]] = (frame["outcome"].eq("failed") & (whole <= epochs)).to_numpy()
    taken = {}
    for name in ("seconds", "dynamic_j"):
        own, validation = dense(name), dense(f"validate_{name}")
        if not reported:
            ends = (np.arange(shape[2]) == lasts[..., None]) & ~failed[..., None]
            own -= np.where(ends, 0.0, validation)
        taken[name] = np.cumsum(own, axis=2)
    imports = frame.assign(place=seeds).dropna(subset="import_seconds")
    static = [table.frame[name].sum() for name in ("static_j", "import_static_j")]
    lasted = [table.frame[name].sum() for name in ("seconds", "import_seconds")]
    return Trials(
        until_s=taken["seconds"],
        dynamic_j=taken["dynamic_j"],
        score=dense(f"{SCORE}{goal.score}", np.nan),
        lasts=lasts,
        failed=failed,
        imports=imports[["import_seconds", "import_dynamic_j"]].to_numpy(float),
        import_seed=imports["place"].to_numpy(),
        worker_w=float(sum(static) / sum(lasted)),
        reported=reported,
    )


def lengthened(trials: Trials, factor: float) -> Trials:
    """Trials whose epochs last so many times as long, and draw as much more; loads and imports, and
    what stands around the trials, are as they were."""
    until, drawn = (
        each[..., :1] + factor * (each - each[..., :1])
        for each in (trials.until_s, trials.dynamic_j)
    )
    return replace(trials, until_s=until, dynamic_j=drawn)


def phis_of(space: Space) -> list[str]:
    """Every φ of a grid as canonical JSON, in the grid's order."""
    return [canonical(phi, space) for phi in grid(space)]


def discrete(space: Space) -> Space:
    """The same grid as a space of discrete hyperparameters: nothing lies between its points.

    A range whose values are all on the grid stays as it is, ordered; any other becomes choices.
    """
    return {name: _discrete(axis) for name, axis in space.items()}


def _discrete(axis: Choices | Range) -> Choices | Range:
    if isinstance(axis, Choices):
        return axis
    values = levels(axis)
    whole = axis.model_copy(update={"levels": None})
    try:
        if not axis.log and levels(whole) == values:
            return whole
    except ValueError:  # continuous
        pass
    bounds = {"low", "high", "log", "step", "levels"}
    return Choices.model_validate({"choices": values} | axis.model_dump(exclude=bounds))


class Places:
    """Where each φ that a strategy asks for stands in the arrays."""

    def __init__(self, space: Space):
        self._space = space
        self._known = {phi: place for place, phi in enumerate(phis_of(space))}
        self._seen: dict[tuple[Any, ...], int] = {}

    def of(self, phi: Phi, strategy: str) -> int:
        """Raises TrialwattError, with the strategy's name, where φ is not in the table."""
        key = tuple([(name, value, type(value)) for name, value in phi.items()])
        place = self._seen.get(key)
        if place is None:
            text = canonical(phi, self._space)
            if text not in self._known:
                raise TrialwattError(
                    f"{strategy} asked outside of the table, for {text}: only strategies that "
                    "stay on its grid can be replayed"
                )
            place = self._seen[key] = self._known[text]
        return place
