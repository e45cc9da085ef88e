"""A search space reaches Hyperopt without loss: what it draws is in Φ, and all of Φ is drawn."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from tests.spaces import BOOSTERS, CHOICES, as_space, conditional_spaces, text

from trialwatt.config.models import Choices, Range, Space
from trialwatt.config.space import contains, grid, levels
from trialwatt.suts.hyperopt_strategies import (
    SAMPLERS,
    condition_problems,
    phi_of,
    to_hyperopt,
)

SPACE = TypeAdapter(Space).validate_python(
    {
        "mixed": {"choices": [True, 1, "x", 2.5]},
        "single": {"choices": [7]},
        "float": {"low": -1.5, "high": 2.0},
        "log": {"low": 1e-5, "high": 0.1, "log": True},
        "step": {"low": 0.1, "high": 1.05, "step": 0.3},
        "wide_step": {"low": 0, "high": 1, "step": 5},
        "whole": {"low": -3, "high": 4},
        "whole_step": {"low": 2, "high": 13, "step": 3},
        "whole_log": {"low": 1, "high": 1000, "log": True},
    }
)
WHOLE = ("wide_step", "whole", "whole_step", "whole_log")


def draws(space: dict, count: int, seed: int = 0) -> list[dict]:
    """φs as the random sampler finds them."""
    from hyperopt.pyll.base import as_apply
    from hyperopt.pyll.stochastic import sample

    expressions, rng = as_apply(to_hyperopt(space)), np.random.default_rng(seed)
    return [phi_of(space, sample(expressions, rng)) for _ in range(count)]


@st.composite
def axes(draw):
    if draw(st.booleans()):
        values = st.one_of(st.booleans(), st.integers(-5, 5), st.floats(-1, 1), st.text(max_size=3))
        unique = st.lists(values, min_size=1, max_size=4, unique_by=lambda v: (type(v), v))
        return Choices(choices=draw(unique.filter(_plainly_distinct)))
    log = draw(st.booleans())
    number = st.one_of(
        st.integers(1 if log else -1000, 10_000),
        st.floats(1e-6 if log else -1e3, 1e4, allow_subnormal=False),
    )
    low, high = sorted(draw(st.tuples(number, number).filter(lambda pair: pair[0] != pair[1])))
    step = None if log else draw(st.none() | st.integers(1, 7) | st.floats(0.05, 3))
    return Range(low=low, high=high, log=log, step=step)


def _plainly_distinct(values) -> bool:
    """As the configuration demands it: 1 and 1.0 are the same value."""
    return len({(type(v) is bool, v) for v in values}) == len(values)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), axes(), min_size=1), st.integers(0, 2**32))
def test_every_draw_is_in_the_space(space, seed):
    for phi in draws(space, 5, seed):
        assert contains(space, phi), phi


@pytest.mark.parametrize("sampler", ["random", "tpe", "anneal", "mix"])
def test_every_sampler_stays_in_the_space(sampler):
    from hyperopt import Trials, fmin

    seen = []

    def loss(drawn):
        phi = phi_of(SPACE, drawn)
        assert contains(SPACE, phi), phi
        assert all(type(phi[name]) is int for name in WHOLE)
        seen.append(phi)
        return phi["float"] ** 2 + phi["whole_log"] * phi["log"]

    strategy = SAMPLERS[sampler]
    fmin(
        loss,
        to_hyperopt(SPACE),
        algo=strategy.make(strategy.options({})),
        max_evals=60,
        trials=Trials(),
        rstate=np.random.default_rng(1),
        show_progressbar=False,
        verbose=False,
    )
    assert len(seen) == 60
    assert {(type(phi["mixed"]), phi["mixed"]) for phi in seen} == {
        (type(value), value) for value in SPACE["mixed"].choices
    }


def test_evenly_spaced_values_are_all_drawn_and_the_ends_as_often_as_the_others():
    spaced = {name: SPACE[name] for name in ("step", "wide_step", "whole", "whole_step")}
    found = draws(spaced, 1600)
    for name, axis in spaced.items():
        counts = Counter(phi[name] for phi in found)
        # the same floats as on the grid: that two SUTs tried the same point can be seen
        assert sorted(counts) == levels(axis)
        expected = 1600 / len(counts)
        assert all(0.75 * expected <= count <= 1.25 * expected for count in counts.values())


# --- conditions -------------------------------------------------------------------------------

OVER_CHOICES = as_space(BOOSTERS)


@settings(max_examples=60, deadline=None)
@given(conditional_spaces(parents=CHOICES), st.integers(0, 2**32))
def test_every_draw_has_what_is_active_and_nothing_else(space, seed):
    assert condition_problems(space) == {}
    for phi in draws(space, 5, seed):
        assert contains(space, phi), phi


def test_every_point_of_a_space_with_conditions_is_drawn_as_often_as_its_conditions_say():
    found = Counter(map(text, draws(OVER_CHOICES, 3600)))
    assert set(found) == {text(phi) for phi in grid(OVER_CHOICES)}
    linear = found[text({"booster": "gblinear", "bias": True, "all": False})]
    assert 0.8 * 300 <= linear <= 1.2 * 300  # a third, and twice a half


@pytest.mark.parametrize("sampler", ["random", "tpe", "anneal", "mix"])
def test_every_sampler_searches_within_the_conditions(sampler):
    from hyperopt import Trials, fmin

    seen, trials, strategy = [], Trials(), SAMPLERS[sampler]

    def loss(drawn):
        phi = phi_of(OVER_CHOICES, drawn)
        assert contains(OVER_CHOICES, phi), phi
        seen.append(phi)
        return abs(phi.get("drop", 1) - 0.2) + phi.get("leaves", 0)

    fmin(
        loss,
        to_hyperopt(OVER_CHOICES),
        algo=strategy.make(strategy.options({})),
        max_evals=60,
        trials=trials,
        rstate=np.random.default_rng(1),
        show_progressbar=False,
        verbose=False,
    )
    assert len(seen) == 60
    again = [phi_of(OVER_CHOICES, _evaluated(each)) for each in trials.trials]
    assert again == seen  # so the driver reads its best


def test_hyperopt_itself_knows_what_is_not_active():
    """Else its models would learn from values that no trial had."""
    from hyperopt import Trials, fmin, tpe

    trials = Trials()
    fmin(lambda drawn: 0.0, to_hyperopt(OVER_CHOICES), algo=tpe.suggest, max_evals=40,
         trials=trials, rstate=np.random.default_rng(2), show_progressbar=False,
         verbose=False)  # fmt: skip
    for each in trials.trials:
        values = each["misc"]["vals"]
        phi = phi_of(OVER_CHOICES, _evaluated(each))
        assert {name for name in values if values[name]} == phi.keys()


def _evaluated(trial):
    from hyperopt import space_eval
    from hyperopt.base import spec_from_misc

    return space_eval(to_hyperopt(OVER_CHOICES), spec_from_misc(trial["misc"]))


def test_a_range_as_a_parent_is_refused_with_the_reason():
    depth = {"low": 2, "high": 4, "when": {"booster": ["dart"]}}
    found = condition_problems(as_space(BOOSTERS | {"depth": depth}))
    assert sorted(found) == ["drop", "leaves"]
    assert "depth is a range" in found["drop"]
