"""Less of all three: cheaper under every power model that does not decrease in them."""

import numpy as np
import pytest

from trialwatt.analysis.dominance import HELD, dominating, remarks
from trialwatt.analysis.hypotheses import h1, h2

FEW = 299
NEEDS = {"grid": (60.0, 40.0, 100.0), "random": (55.0, 41.0, 90.0), "tpe": (30.0, 20.0, 50.0)}
SENTENCE = (
    "tpe needs less of all three, reserved core-seconds, used core-seconds and reserved "
    "GB-seconds, than grid and than random in 10 of 10 blocks: cheaper under every power model "
    "that does not decrease in them."
)


@pytest.fixture
def searched(search):
    """runs(blocks, needs): runs of samplers that need that much of the three, within 2 %."""

    def runs(blocks=10, needs=NEEDS, **same):
        rng = np.random.default_rng(1)
        table = search(
            rng, dict.fromkeys(needs, 5.0), repetitions=blocks, energy_method="modelled", **same
        )
        for i, name in enumerate(HELD):
            mean = table["sampler"].map({level: held[i] for level, held in needs.items()})
            table[name] = mean * rng.uniform(0.98, 1.02, len(table))
        return table

    return runs


def test_the_remark_stands_in_the_answer_to_h2(searched):
    table = searched()
    assert remarks(table, table["sampler"]) == [SENTENCE]  # grid and random need less of one each
    assert SENTENCE in h2(table, resamples=FEW)[0].sentence


@pytest.mark.parametrize(
    "change",
    [
        lambda runs: runs.assign(energy_method="counter"),
        lambda runs: runs.assign(accelerator="gpu"),
        lambda runs: runs.drop(columns="used_core_s"),
        lambda runs: runs.assign(reserved_gb_s=np.nan),
        lambda runs: runs.assign(status="deadline"),  # cut off, it needs less for that
        lambda runs: runs[runs["repetition"] <= 6],  # one of three pairs: by chance in 9 %
        lambda runs: runs.assign(
            used_core_s=runs["used_core_s"].where(
                (runs["repetition"] != 3) | (runs["sampler"] != "tpe"), 99.0
            )
        ),
    ],
    ids=["measured", "accelerators", "older", "unknown", "cut off", "few blocks", "one block"],
)
def test_nothing_is_said_without_evidence(searched, change):
    table = change(searched())
    assert remarks(table, table["sampler"]) == []
    assert "needs less of all three" not in h2(table, resamples=FEW)[0].sentence


def test_jobs_of_other_budgets_are_not_compared(searched):
    table = searched()
    table["budget"] = table["sampler"].map({"grid": 24, "random": 24, "tpe": 12})
    assert "needs less" not in " ".join(a.sentence for a in h2(table, resamples=FEW))


@pytest.mark.parametrize(("levels", "least"), [(2, 6), (3, 7), (6, 10)])
def test_how_many_blocks_it_takes(levels, least):
    def found(blocks):
        return dominating(np.broadcast_to(np.arange(levels), (3, blocks, levels))).sum()

    assert found(least - 1) == 0 and found(least) == levels * (levels - 1) / 2


def test_equal_levels_are_seldom_told_apart(false_positives):
    """The worst case: the three rise and fall together."""
    rng, draws = np.random.default_rng(1), 2000
    for levels, blocks in ((2, 6), (3, 7)):
        noise = rng.standard_normal((draws, 1, blocks, levels))
        hits = sum(dominating(np.repeat(one, 3, axis=0)).any() for one in noise)
        assert false_positives(hits, draws)


def test_treatments_are_compared_by_distinct_trial(resource):
    table = resource(
        np.random.default_rng(1),
        {"local": {1: 1.0, 2: 1.0}},
        repetitions=6,
        energy_method="modelled",
        trials_completed=20,
    )
    more = table["treatment_value"] == 2
    table["trials_duplicate"] = more.map({True: 15, False: 0})
    for name in HELD:
        table[name] = more.map({True: 50.0, False: 100.0})  # but for a quarter of the results
    (said,) = [a.sentence for a in h1(table, resamples=FEW) if a.scope != "all"]
    assert "local: 1 MB needs per trial less of all three" in said and "than 2 MB in 6" in said
