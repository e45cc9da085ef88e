"""Search spaces with conditions, as hypothesis draws them, and one that people would write."""

import json

from hypothesis import strategies as st
from pydantic import TypeAdapter

from trialwatt.config.models import Choices, Range, Space
from trialwatt.config.space import levels

BOOSTERS = {
    "booster": {"choices": ["gbtree", "gblinear", "dart"]},
    "depth": {"choices": [2, 3, 4], "when": {"booster": ["gbtree", "dart"]}},
    "drop": {"low": 0.1, "high": 0.3, "step": 0.1, "when": {"booster": ["dart"], "depth": [3, 4]}},
    "bias": {"choices": [True, False], "when": {"booster": ["gblinear"]}},
    "all": {"choices": [True, False]},
    "leaves": {"low": 1, "high": 2, "when": {"all": [True], "depth": [4]}},
}
"""Choices, steps, whole numbers and booleans; a chain of conditions, and two parents apart."""
POINTS = 2 * (2 + 3 + 1 + 3 + 3) + (1 + 3)
"""By hand: gblinear, gbtree, and dart by its depths, for each of `all`; then the second leaf where
`all` is true and depth is 4, of gbtree and of each drop of dart."""


def as_space(written) -> dict:
    return TypeAdapter(Space).validate_python(written)


VALUES = st.one_of(
    st.lists(st.integers(-3, 9), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(["a", "b", "relu"]), min_size=1, max_size=3, unique=True),
    st.sampled_from([[True, False], [0.5, 0.25], ["a", 2, 0.5, False]]),
)
CHOICES = VALUES.map(lambda values: Choices(choices=values))
RANGES = st.sampled_from(
    [
        Range(low=1, high=3),
        Range(low=2, high=9, step=3),
        Range(low=0.1, high=0.75, step=0.2),
        Range(low=1, high=8, log=True, levels=2),
    ]
)
FLOATS = st.sampled_from(
    [Range(low=0.5, high=2.5, levels=2), Range(low=1e-4, high=1e-1, log=True, levels=3)]
)


@st.composite
def conditional_spaces(draw, parents=CHOICES | RANGES, leaves=CHOICES | RANGES | FLOATS):
    """Up to five hyperparameters named in any order, of which the first can be parents."""
    names = draw(st.permutations("abcde"))[: draw(st.integers(2, 5))]
    space = {}
    for place, name in enumerate(names):
        axis = draw(parents if place < 3 else leaves)
        asked = draw(st.sets(st.sampled_from(names[: min(place, 3)]), max_size=2)) if place else []
        when = {
            parent: draw(
                st.lists(st.sampled_from(levels(space[parent])), min_size=1, unique_by=json.dumps)
            )
            for parent in sorted(asked)
        }
        space[name] = axis.model_copy(update={"when": when})
    return {name: space[name] for name in draw(st.permutations(names))}


def written(space) -> dict:
    """A space as a file gives it."""
    return {name: axis.model_dump() for name, axis in space.items()}


def text(phi) -> str:
    """One text per φ, which tells 1 from true."""
    return json.dumps(phi, sort_keys=True)
