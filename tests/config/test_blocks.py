"""The drawn order of blocks, and that nothing lines up with time in it."""

from collections import Counter

import pytest
from tests.blocks import chance_of_order

from trialwatt.config.blocks import drawn, plan_digest

SUTS = ("plain", "optuna", "ray", "hyperopt")
FOLDERS = [f"runs/t/{sut}-{workers}" for sut in SUTS for workers in range(1, 7)]


def order(seed, blocks=10):
    return [name for block in range(1, blocks + 1) for name in drawn(seed, block, FOLDERS)]


def sut(name):
    return name.split("/")[-1].split("-")[0]


def treatment(name):
    return name.rsplit("-", 1)[1]


def test_a_block_holds_each_once_in_an_order_of_its_own():
    first, second = drawn(1, 1, FOLDERS), drawn(1, 2, FOLDERS)
    assert sorted(first) == sorted(second) == sorted(FOLDERS)
    assert first != second and first != drawn(2, 1, FOLDERS)


def test_what_is_added_leaves_the_order_of_the_others():
    assert [name for name in drawn(1, 3, [*FOLDERS, "runs/t/new-1"]) if "new" not in name] == drawn(
        1, 3, FOLDERS
    )


@pytest.mark.parametrize("of", [sut, treatment])
def test_neither_sut_nor_treatment_goes_with_time_beyond_chance(of):
    chances = [chance_of_order([of(name) for name in order(seed)]) for seed in range(40)]
    assert sum(p < 0.05 for p in chances) <= 6  # of 40 draws; more than six: once in 70
    assert min(chances) > 1e-3


def test_each_goes_first_as_often_as_any_other():
    firsts = Counter(sut(drawn(seed, block, FOLDERS)[0]) for seed in range(50) for block in (1, 2))
    assert set(firsts) == set(SUTS) and max(firsts.values()) < 45


@pytest.mark.parametrize("of", [sut, treatment])
def test_runs_back_to_back_would_be_told(of):
    """The order that there was before: each SUT, or each treatment, exhausted before the next."""
    assert chance_of_order(sorted(map(of, order(1)))) < 0.001


def test_a_plan_is_told_from_another_by_what_it_holds():
    assert plan_digest(FOLDERS) == plan_digest(reversed(FOLDERS)) != plan_digest(FOLDERS[1:])
