"""The search space Φ: its grid, random draws, membership. A φ is a dict name → value."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from typing import Any

from trialwatt.config.conditions import active, apart, compose, is_active, is_number, order
from trialwatt.config.models import Choices, Range, Space, Workload

Phi = dict[str, bool | int | float | str]


def levels(axis: Choices | Range) -> list[Any]:
    """The grid levels of one hyperparameter, in order."""
    if isinstance(axis, Choices):
        return list(axis.choices)
    whole = is_whole(axis)
    if axis.levels is None:
        if axis.log or not (whole or axis.step):
            raise ValueError("a continuous range needs `levels` to be on a grid")
        values = [value_at(axis, i) for i in range(last_step(axis) + 1)]
    elif axis.levels == 1:
        values = [axis.low]
    elif axis.log:
        ratio = math.log(axis.high / axis.low) / (axis.levels - 1)
        values = [axis.low * math.exp(i * ratio) for i in range(axis.levels - 1)] + [axis.high]
    else:
        width = (axis.high - axis.low) / (axis.levels - 1)
        values = [axis.low + i * width for i in range(axis.levels - 1)] + [axis.high]
    if axis.step:
        values = [_snap(axis, v) for v in values]
    if whole:
        values = [round(v) for v in values]
    return list(dict.fromkeys(values))


def grid(space: Space) -> list[Phi]:
    """All points of the grid, each once; the last-named of the active hyperparameters varies
    fastest, but parents slower than what depends on them."""
    values = {name: levels(axis) for name, axis in space.items()}
    points: list[Phi] = [{}]
    for name in order(space):
        points = [
            further
            for point in points
            for further in (
                [point | {name: value} for value in values[name]]
                if is_active(space, name, point)
                else [point]
            )
        ]
    return points


def size(space: Space) -> int | None:
    """pS, the number of grid points; None where a continuous range has no levels."""
    try:
        counts = {name: len(levels(axis)) for name, axis in space.items()}
    except ValueError:
        return None
    return math.prod(_points(group, counts) for group in apart(space))


def _points(space: Space, counts: dict[str, int]) -> int:
    """Grid points, by those of the parents alone: what only depends multiplies them."""
    deciding = {parent for axis in space.values() for parent in axis.when}
    parents = {name: axis for name, axis in space.items() if name in deciding}
    return sum(
        math.prod(counts[name] for name in active(space, point) - parents.keys())
        for point in grid(parents)
    )


def most_trials(workload: Workload) -> int | None:
    """How many trials a search may start: its budget, or pS; on a grid no more than that. None
    where neither is known."""
    search, points = workload.search, size(workload.space)
    if search.trials and points and search.sampler == "grid":
        return min(search.trials, points)
    return search.trials or points


def draw(space: Space, rng: random.Random) -> Phi:
    """One φ, each active hyperparameter uniform on its own (log) axis."""
    return compose(space, lambda name, axis: _draw_one(axis, rng))


def contains(space: Space, phi: Phi) -> bool:
    """Whether φ names exactly its active hyperparameters of Φ, each with a value that it may
    take."""
    return phi.keys() == active(space, phi) and all(holds(space[n], v) for n, v in phi.items())


def is_whole(axis: Range) -> bool:
    """Whether the range holds whole numbers only."""
    step_whole = axis.step is None or float(axis.step).is_integer()
    return isinstance(axis.low, int) and isinstance(axis.high, int) and step_whole


def top(axis: Range) -> float:
    """The largest value of a stepped range: `high`, or the last step below it."""
    return value_at(axis, last_step(axis))


def last_step(axis: Range) -> int:
    """How many steps above `low` the range holds; the number of its last value, from 0."""
    return math.floor((axis.high - axis.low) / (axis.step or 1) + 1e-9)


def value_at(axis: Range, number: int) -> float:
    """The value so many steps above `low` (a whole range has steps of 1 without a `step`).

    Decimal, as people write ranges: 0.1 + 2 · 0.1 is 0.3, and no more than `high`.
    """
    value = Decimal(str(axis.low)) + number * Decimal(str(axis.step or 1))
    return round(value) if is_whole(axis) else float(value)


def _snap(axis: Range, value: float) -> float:
    return value_at(axis, min(last_step(axis), round((value - axis.low) / (axis.step or 1))))


def _draw_one(axis: Choices | Range, rng: random.Random) -> Any:
    if isinstance(axis, Choices):
        return rng.choice(axis.choices)
    if is_whole(axis) and not axis.log:
        return rng.randrange(int(axis.low), int(axis.high) + 1, int(axis.step or 1))
    if axis.step:
        return value_at(axis, rng.randint(0, last_step(axis)))
    if axis.log:
        value = math.exp(rng.uniform(math.log(axis.low), math.log(axis.high)))
        value = min(max(value, axis.low), axis.high)
        return round(value) if is_whole(axis) else value
    return rng.uniform(axis.low, axis.high)


def holds(axis: Choices | Range, value: Any) -> bool:
    """Whether the hyperparameter may take this value."""
    if isinstance(axis, Choices):
        return any(type(value) is type(c) and value == c for c in axis.choices)
    if not is_number(value):
        return False
    rounding = 1e-9 * (axis.step or 0)
    if not axis.low - rounding <= value <= axis.high + rounding:
        return False
    if is_whole(axis) and value != round(value):
        return False
    if axis.step:
        steps = (value - axis.low) / axis.step
        return abs(steps - round(steps)) < 1e-6
    return True
