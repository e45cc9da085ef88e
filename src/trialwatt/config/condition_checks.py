"""Whether the conditions of a search space can be met: parents and values that there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from trialwatt.config.keys import Path, one_of, there_is_no
from trialwatt.config.loading import Problems
from trialwatt.config.models import Choices, Range, Space
from trialwatt.config.origins import Origins
from trialwatt.config.space import holds, is_whole


def check_conditions(space: Space, origins: Origins, problems: Problems) -> bool:
    """Whether they can; what is wrong with them becomes problems."""
    found = [*_faults(space), *_cycles(space)]
    for path, message in found:
        problems.add(origins.problem(("space", *path), message))
    return not found


def _faults(space: Space) -> Iterator[tuple[Path, str]]:
    for name, axis in space.items():
        others = [other for other in space if other != name]
        for parent, values in axis.when.items():
            path: Path = (name, "when", parent)
            if parent == name:
                yield path, "a hyperparameter cannot depend on itself"
            elif parent not in space:
                yield path, there_is_no("hyperparameter", parent, others)
            elif _is_continuous(space[parent]):
                yield path, f"{parent} is a continuous range, without values that could be listed"
            else:
                for index, value in enumerate(values):
                    if not holds(space[parent], value):
                        yield (*path, index), _never(parent, space[parent], value)


def _cycles(space: Space) -> Iterator[tuple[Path, str]]:
    """Each cycle once, at its first hyperparameter."""
    seen = set[str]()
    for start in space:
        cycle = _way_back(space, start)
        if cycle and not seen & set(cycle):
            yield (start, "when"), f"is a cycle: {' needs '.join((*cycle, start))}"
        seen.update(cycle)


def _way_back(space: Space, start: str) -> list[str]:
    """From a hyperparameter over its parents to itself; empty if it is not in a cycle."""
    ways, reached = [[start]], {start}
    for way in ways:
        parents = space[way[-1]].when
        if start in parents and len(way) > 1:
            return way
        further = [name for name in parents if name in space and name not in reached]
        reached.update(further)
        ways += [[*way, name] for name in further]
    return []


def _is_continuous(axis: Choices | Range) -> bool:
    return isinstance(axis, Range) and not (axis.step or is_whole(axis))


def _never(parent: str, axis: Choices | Range, value: Any) -> str:
    if isinstance(axis, Choices):
        takes = f"is one of: {one_of(map(_spelled, axis.choices))}"
    else:
        steps = f" in steps of {axis.step:g}" if axis.step else ", a whole number"
        takes = f"is between {axis.low} and {axis.high}{steps}"
    return f"{parent} never has this value; it {takes} (got {_spelled(value)})"


def _spelled(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
