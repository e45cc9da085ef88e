"""A hyperparameter with a condition is in a φ exactly where its parents say so."""

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spaces import BOOSTERS, POINTS, as_space, conditional_spaces, text

from trialwatt.config.conditions import active, apart, order
from trialwatt.config.models import Choices, Range
from trialwatt.config.space import contains, draw, grid, levels, size


def without_what_is_not_asked_for(space, phi) -> dict:
    """By the words of the definition: take out whatever lacks a parent, until nothing does."""
    kept = dict(phi)
    while lacking := [
        name
        for name in kept
        for parent, listed in space[name].when.items()
        if parent not in kept or text(kept[parent]) not in map(text, listed)
    ]:
        del kept[lacking[0]]
    return kept


@settings(deadline=None)
@given(conditional_spaces())
def test_the_grid_is_every_combination_without_what_is_not_active_each_once(space):
    combinations = itertools.product(*(levels(axis) for axis in space.values()))
    expected = {
        text(without_what_is_not_asked_for(space, dict(zip(space, values, strict=True))))
        for values in combinations
    }
    found = [text(phi) for phi in grid(space)]
    assert len(set(found)) == len(found) == size(space)
    assert set(found) == expected


@settings(deadline=None)
@given(conditional_spaces(), st.integers(0, 2**32))
def test_the_grid_and_every_draw_are_contained_and_nothing_else_is(space, seed):
    rng = random.Random(seed)
    for phi in [*grid(space)[:30], *(draw(space, rng) for _ in range(10))]:
        assert contains(space, phi), phi
        assert phi.keys() == active(space, phi)
        for name in phi:
            assert not contains(space, {key: phi[key] for key in phi if key != name})
        for name in space.keys() - phi.keys():
            assert not contains(space, phi | {name: levels(space[name])[0]})


@given(conditional_spaces())
def test_parents_come_first_and_the_rest_as_it_is_named(space):
    found = order(space)
    assert sorted(found) == sorted(space)
    for place, name in enumerate(found):
        assert space[name].when.keys() <= set(found[:place])
    plain = {name: axis.model_copy(update={"when": {}}) for name, axis in space.items()}
    assert order(plain) == list(space)


def test_the_last_of_the_active_hyperparameters_is_the_fastest():
    space = as_space(
        {
            "deep": {"choices": [8, 9], "when": {"kind": ["tree"]}},
            "kind": {"choices": ["line", "tree"]},
            "last": {"choices": [0, 1]},
        }
    )
    assert [list(phi.values()) for phi in grid(space)] == [
        ["line", 0], ["line", 1],
        ["tree", 8, 0], ["tree", 8, 1], ["tree", 9, 0], ["tree", 9, 1],
    ]  # fmt: skip


def test_a_space_as_people_write_it():
    space = as_space(BOOSTERS)
    assert size(space) == len(grid(space)) == POINTS
    rng = random.Random(3)
    drawn = {text(draw(space, rng)) for _ in range(2000)}
    assert drawn == {text(phi) for phi in grid(space)}


def test_a_size_that_nobody_could_count_is_exact():
    leaves = {
        f"leaf-{n}": Choices(choices=list(range(10)), when={"kind": ["a"]}) for n in range(12)
    }
    assert size({"kind": Choices(choices=["a", "b", "c"]), **leaves}) == 10**12 + 2


def test_parents_that_have_nothing_to_do_with_each_other_are_not_combined_to_be_counted():
    space = {}
    for n in range(40):
        space[f"is-{n}"] = Choices(choices=[True, False])
        space[f"how-{n}"] = Choices(choices=[1, 2, 3], when={f"is-{n}": [True]})
    assert size(space) == 4**40
    assert len(apart(space)) == 40


def test_a_size_needs_levels_wherever_the_range_is_active():
    space = {"a": Choices(choices=[1, 2]), "b": Range(low=0.5, high=1.5, when={"a": [1]})}
    assert size(space) is None
    assert contains(space, {"a": 2})
    assert contains(space, {"a": 1, "b": 0.75})


def test_a_step_is_met_by_what_a_framework_computes_for_it():
    step = Range(low=0.1, high=0.7, step=0.2)
    space = {"x": step, "y": Choices(choices=[1], when={"x": [0.7]})}
    computed = 0.1 + 3 * 0.2
    assert computed != 0.7
    assert active(space, {"x": computed}) == {"x", "y"}
    assert active(space, {"x": 0.5}) == {"x"}


def test_true_is_not_one():
    space = {"a": Choices(choices=[True, 1]), "b": Choices(choices=[5], when={"a": [1]})}
    assert [text(phi) for phi in grid(space)] == ['{"a": true}', '{"a": 1, "b": 5}']


def test_what_is_not_given_is_in_no_dump():
    """The hashes of runs without conditions stay what they were."""
    assert Choices(choices=[1]).model_dump() == {"choices": [1]}
    assert "when" not in Range(low=1, high=2).model_dump()
    assert Choices(choices=[1], when={"a": [1]}).model_dump()["when"] == {"a": [1]}


def test_a_record_of_others_with_a_cycle_ends_and_never_has_it():
    space = as_space(
        {
            "a": {"choices": [1], "when": {"b": [1]}},
            "b": {"choices": [1], "when": {"a": [1]}},
            "c": {"choices": [1], "when": {"nowhere": [1]}},
            "d": {"choices": [1], "when": {"d": [1]}},
            "e": {"choices": [1, 2]},
        }
    )
    assert grid(space) == [{"e": 1}, {"e": 2}]
    assert size(space) == 2
    assert not contains(space, {"a": 1, "b": 1, "e": 1})
    assert active(space, {"e": [1], "a": 1}) == {"e"}
