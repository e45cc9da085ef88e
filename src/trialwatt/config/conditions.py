"""Conditions in a search space Φ: which of its hyperparameters are in a φ.

One with `when` is active where every parent that it names is, with one of the values listed for
it. The others are active always. What stands in a cycle, or names what is not in Φ, never is: the
configuration refuses it, but records of others are read with this too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trialwatt.config.models import Choices, Range, Space


def conditional(space: Space) -> list[str]:
    """The hyperparameters with a condition."""
    return [name for name, axis in space.items() if axis.when]


def order(space: Space) -> list[str]:
    """All hyperparameters, parents before those that depend on them, else as they are named."""
    if not conditional(space):
        return list(space)
    ordered, left = list[str](), list(space)
    while left:
        # where all wait for each other, the first will do: it is never active
        ready = (name for name in left if not space[name].when.keys() & set(left))
        ordered.append(name := next(ready, left[0]))
        left.remove(name)
    return ordered


def apart(space: Space) -> list[Space]:
    """Φ in as many parts as there are without a condition between them."""
    groups = list[set[str]]()
    for name, axis in space.items():
        own = {name, *axis.when} & space.keys()
        joined = [group for group in groups if group & own]
        groups = [group for group in groups if group not in joined] + [own.union(*joined)]
    return [{name: axis for name, axis in space.items() if name in group} for group in groups]


def is_active(space: Space, name: str, phi: Mapping[str, Any]) -> bool:
    """Whether the parents of a hyperparameter, as far as they are in φ, ask for it."""
    return all(
        parent in phi and parent in space and meets(space[parent], phi[parent], listed)
        for parent, listed in space[name].when.items()
    )


def compose(space: Space, choose: Callable[[str, Choices | Range], Any]) -> dict[str, Any]:
    """A φ: the value of each hyperparameter that is active, asked for after those of its parents.

    choose: is given the name and the axis.
    """
    phi = dict[str, Any]()
    for name in order(space):
        if is_active(space, name, phi):
            phi[name] = choose(name, space[name])
    return phi


def active(space: Space, phi: Mapping[str, Any]) -> set[str]:
    """The hyperparameters that φ must have, by the values that it has."""
    names, known = set[str](), dict[str, Any]()
    for name in order(space):
        if is_active(space, name, known):
            names.add(name)
            known |= {name: phi[name]} if name in phi else {}
    return names


def meets(axis: Choices | Range, value: Any, listed: Sequence[Any]) -> bool:
    """Whether a parent's value is one of those that are listed for it."""
    if isinstance(axis, Choices):
        return any(type(value) is type(each) and value == each for each in listed)
    # a framework computes the values of a stepped range, and they may differ in the last digit
    near = 1e-6 * (axis.step or 0)
    return is_number(value) and any(
        is_number(each) and abs(value - each) <= near for each in listed
    )


def is_number(value: Any) -> bool:
    """Whether it is a number, as true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
