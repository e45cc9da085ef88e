"""The grid, draws and membership agree, on every kind of range."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.config.models import Choices, Range, Workload
from trialwatt.config.space import contains, draw, grid, levels, size, top


@st.composite
def ranges(draw):
    """Ranges as people write them: decimals, whole or stepped or with levels."""
    step = draw(st.sampled_from([0.1, 0.2, 0.25, 0.003, 1, 3, 1.7]))
    low = draw(st.integers(-30, 30)) * draw(st.sampled_from([1, 0.1, 0.7]))
    low = round(low, 6) if isinstance(low, float) else low
    high = round(low + draw(st.integers(1, 12)) * step + draw(st.sampled_from([0, step / 3])), 6)
    if draw(st.booleans()) and low > 0:
        return Range(low=low, high=high, log=True, levels=draw(st.integers(1, 5)))
    if isinstance(low, int) and isinstance(step, int):
        high = int(high) if high >= low + 1 else low + 1
    return Range(
        low=low,
        high=high,
        step=draw(st.sampled_from([step, float(step)])),
        levels=draw(st.sampled_from([None, 1, 3])),
    )


axes = st.one_of(
    ranges(),
    st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True).map(
        lambda values: Choices(choices=values)
    ),
)
spaces = st.dictionaries(st.sampled_from(["a", "b"]), axes, min_size=1)


@given(spaces, st.integers(0, 2**32))
def test_the_grid_and_every_draw_are_in_the_space(space, seed):
    points = grid(space)
    assert len(points) == size(space)
    assert len({tuple(point.values()) for point in points}) == len(points)
    rng = random.Random(seed)
    for phi in [*points, *(draw(space, rng) for _ in range(20))]:
        assert contains(space, phi), phi


@given(ranges())
def test_levels_rise_and_end_within_the_range(axis):
    found = levels(axis)
    assert found == sorted(found)
    assert axis.low <= found[0] and found[-1] <= axis.high


def test_steps_are_the_decimals_that_the_file_shows():
    axis = Range(low=0.1, high=0.7, step=0.2)
    assert levels(axis) == [0.1, 0.3, 0.5, 0.7]
    assert top(axis) == 0.7
    assert top(Range(low=0.1, high=0.65, step=0.2)) == 0.5
    assert {draw({"x": axis}, random.Random(seed))["x"] for seed in range(50)} == set(levels(axis))
    assert contains({"x": axis}, {"x": 0.1 + 3 * 0.2})  # as a framework may compute it
    assert not contains({"x": axis}, {"x": 0.7001})


@pytest.mark.parametrize(
    ("axis", "value", "inside"),
    [
        (Choices(choices=[1, 2]), 1, True),
        (Choices(choices=[1, 2]), 1.0, False),
        (Choices(choices=[1, 2]), True, False),
        (Range(low=1, high=4), 2, True),
        (Range(low=1, high=4), 2.5, False),
        (Range(low=1, high=4), True, False),
        (Range(low=0.5, high=4.0), 4.0, True),
        (Range(low=0.5, high=4.0), 4.1, False),
        (Range(low=0.5, high=4.0), "2", False),
    ],
)
def test_membership(axis, value, inside):
    assert contains({"x": axis}, {"x": value}) is inside
    assert not contains({"x": axis}, {"y": value})


def test_a_continuous_range_without_levels_has_no_size():
    space = Workload.model_validate({"space": {"lr": {"low": 0.1, "high": 1.0}}}).space
    assert size(space) is None
