"""The search space as Ray Tune's domains: nothing is lost, and nothing is added."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spaces import BOOSTERS, CHOICES, RANGES, as_space, conditional_spaces, text

from trialwatt.config.models import Choices, Range
from trialwatt.config.space import contains, grid, levels
from trialwatt.suts import codes, ray_space

pytest.importorskip("ray")

VALUES = st.one_of(
    st.booleans(), st.integers(-50, 50), st.floats(-1e3, 1e3, allow_nan=False), st.text(max_size=3)
)


@st.composite
def ranges(draw):
    whole, log = draw(st.booleans()), draw(st.booleans())
    if whole:
        low = draw(st.integers(1 if log else -20, 40))
        high = low + draw(st.integers(1, 60))
        step = None if log else draw(st.none() | st.integers(1, 30))
    else:
        low = draw(st.floats(1e-6, 10) if log else st.floats(-10, 10))
        high = low + draw(st.floats(1e-3, 50))
        step = None if log else draw(st.none() | st.floats(1, 50))
    count = None if step or (whole and not log) else draw(st.integers(1, 7))
    return Range(low=low, high=high, log=log, step=step, levels=count)


axes = st.one_of(
    st.lists(VALUES, min_size=1, max_size=4, unique_by=lambda v: (type(v) is bool, v)).map(
        lambda values: Choices(choices=values)
    ),
    ranges(),
)
space_of = st.dictionaries(st.sampled_from(["lr", "ls", "decay"]), axes, min_size=1)


def draws(space, number, seed):
    """φs as Tune's own variant generator draws them."""
    from ray.tune.search.variant_generator import generate_variants

    random = np.random.RandomState(seed)
    for _ in range(number):
        for _, config in generate_variants(ray_space.domains(space), random_state=random):
            yield codes.phi_of(space, config)


@settings(max_examples=150, deadline=None)
@given(space_of, st.integers(0, 2**31))
def test_every_draw_is_in_the_space_with_its_types(space, seed):
    for phi in draws(space, 20, seed):
        assert contains(space, phi), phi


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["lr", "ls"]), axes, min_size=1))
def test_the_grid_has_exactly_the_points_of_the_configuration(space):
    from ray.tune.search.variant_generator import generate_variants

    found = [codes.phi_of(space, config) for _, config in generate_variants(ray_space.grid(space))]
    assert sorted(map(_written, found)) == sorted(map(_written, grid(space)))


def _written(phi):
    return repr(sorted(phi.items()))


@settings(max_examples=100, deadline=None)
@given(space_of)
def test_a_phi_and_its_configuration_are_the_same_thing(space):
    for phi in grid({name: axis for name, axis in space.items() if _has_levels(axis)}):
        own = {name: space[name] for name in phi}
        assert codes.phi_of(own, ray_space.config_of(own, phi)) == phi


def _has_levels(axis):
    try:
        return len(levels(axis)) < 100
    except ValueError:
        return False


def test_a_step_that_the_lower_end_is_no_multiple_of_keeps_all_its_values():
    space = {"lr": Range(low=0.1, high=1.0, step=0.25), "ls": Range(low=3, high=11, step=4)}
    found = list(draws(space, 200, seed=1))
    assert {phi["lr"] for phi in found} == {0.1, 0.35, 0.6, 0.85}
    assert {phi["ls"] for phi in found} == {3, 7, 11}


@pytest.mark.parametrize("name", ["optuna", "hyperopt"])
def test_a_searcher_of_another_framework_suggests_points_of_the_space(name, workload):
    from trialwatt.suts.ray_strategies import SAMPLERS

    space = {
        "lr": Range(low=1e-5, high=1e-1, log=True),
        "ls": Range(low=3, high=300, log=True),
        "ln": Range(low=0, high=4),
        "batch": Range(low=3, high=11, step=4),
        "decay": Range(low=0.1, high=1.0, step=0.25),
        "kind": Choices(choices=[True, 2, 0.5, "x"]),
    }
    search = SAMPLERS[name].make(workload(space=space, search={"budget": 40}), 1, {})
    searcher = search.algorithm
    assert searcher.set_search_properties("score", "max", search.space)
    for number in range(40):
        config = searcher.suggest(str(number))
        assert contains(space, codes.phi_of(space, config)), config
        result = {"score": float(config["lr"]), "training_iteration": 1}
        searcher.on_trial_complete(str(number), result)


# --- conditions -------------------------------------------------------------------------------


def suggested(workload, name, space, count):
    """φs as a searcher of another framework suggests them."""
    from trialwatt.suts.ray_strategies import SAMPLERS

    search = SAMPLERS[name].make(workload(space=space, search={"budget": count}), 1, {})
    assert search.space == {}
    searcher = search.algorithm
    for number in range(count):
        phi = codes.phi_of(space, searcher.suggest(str(number)))
        yield phi
        result = {"score": number % 7 / 7, "training_iteration": 1}
        searcher.on_trial_complete(str(number), result)


@settings(max_examples=60, deadline=None)
@given(conditional_spaces(), st.integers(0, 2**31))
def test_what_tune_draws_for_what_is_not_active_does_not_reach_phi(space, seed):
    for phi in draws(space, 10, seed):
        assert contains(space, phi), phi


def test_tunes_own_draws_reach_every_point_of_a_space_with_conditions():
    space = as_space(BOOSTERS)
    assert {text(phi) for phi in draws(space, 1500, seed=1)} == {text(p) for p in grid(space)}


@pytest.mark.parametrize("name", ["optuna", "hyperopt"])
def test_a_searcher_suggests_what_is_active_and_nothing_else(name, workload):
    @settings(max_examples=12, deadline=None)
    @given(conditional_spaces(parents=CHOICES if name == "hyperopt" else CHOICES | RANGES))
    def suggests(space):
        if not any(axis.when for axis in space.values()):
            return
        for phi in suggested(workload, name, space, 12):
            assert contains(space, phi), phi

    suggests()


@pytest.mark.parametrize("name", ["optuna", "hyperopt"])
def test_a_searcher_learns_within_the_conditions(name, workload):
    space = as_space(BOOSTERS)
    for phi in suggested(workload, name, space, 60):
        assert contains(space, phi), phi


@pytest.mark.parametrize("name", ["optuna", "hyperopt"])
def test_a_searcher_with_conditions_can_be_saved_as_tune_does(name, workload, tmp_path):
    from trialwatt.suts.ray_strategies import SAMPLERS

    search = SAMPLERS[name].make(workload(space=BOOSTERS, search={"budget": 9}), 1, {})
    search.algorithm.suggest("0")
    search.algorithm.save(str(tmp_path / "searcher"))
    search.algorithm.restore(str(tmp_path / "searcher"))
    assert search.algorithm.suggest("1")
