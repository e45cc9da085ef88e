"""H1: null effects are not found, planted ones are, and gaps in the data do no harm."""

import numpy as np
import pandas as pd
import pytest

from trialwatt.analysis.evidence import judge
from trialwatt.analysis.hypotheses import h1
from trialwatt.analysis.platform_effect import evidence

FEW = 299
"""Resamples in tests: enough for p < 5 %, and quick."""
FLAT = {t: 1.0 for t in (256, 384, 512, 640)}
ADDITIVE = {
    "a": {256: 1.5, 384: 1.0, 512: 1.3, 640: 1.6},
    "b": {256: 3.0, 384: 2.0, 512: 2.6, 640: 3.2},
}
CROSSED = {
    "a": {256: 1.0, 384: 1.15, 512: 1.3, 640: 1.5},
    "b": {256: 1.5, 384: 1.3, 512: 1.15, 640: 1.0},
}


def one(runs, **how):
    first, *_ = h1(runs, resamples=FEW, **how)
    return first


def many(parts):
    """The evidence of independent data sets, each judged alone: outcomes and p-values."""
    runs = pd.concat([part.assign(sut=f"sut{i:03}") for i, part in enumerate(parts)])
    answers = [judge("H1", [one])[0] for one in evidence(runs, {}, FEW)]
    assert len(answers) == len(parts)
    return [a.outcome for a in answers], np.array([a.tests[0].p for a in answers])


def test_no_interaction_is_rarely_found(resource, false_positives):
    """150 data sets whose platforms differ, but by the same factor for every treatment."""
    parts = [
        resource(
            np.random.default_rng(seed),
            ADDITIVE if seed % 2 else {"a": FLAT, "b": FLAT},
            repetitions=5,
            noise=0.1,
        )
        for seed in range(150)
    ]
    outcomes, p = many(parts)
    assert outcomes.count("supported") <= 0.05 * 150
    assert false_positives((p < 0.05).sum(), 150)


def test_a_noisier_platform_is_no_interaction(resource, false_positives):
    """15 times the noise, and more repetitions of it."""
    parts = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        quiet = resource(rng, {"a": ADDITIVE["a"]}, noise=0.02, repetitions=5)
        loud = resource(rng, {"b": ADDITIVE["b"]}, noise=0.3, repetitions=8)
        parts.append(pd.concat([quiet, loud]))
    assert false_positives((many(parts)[1] < 0.05).sum(), 120)


def test_a_planted_interaction_is_found(resource):
    """Power at least 0.9 where the other's best costs 50 %, with noise of 10 % and n = 5."""
    parts = [
        resource(np.random.default_rng(seed), CROSSED, repetitions=5, noise=0.1)
        for seed in range(60)
    ]
    assert many(parts)[0].count("supported") >= 54


def test_the_answer_in_words(resource):
    answer = one(resource(np.random.default_rng(1), CROSSED))
    assert answer.scope == "optuna in r-mem" and answer.verdict == "supported"
    assert "a: 256 MB" in answer.sentence and "b: 640 MB" in answer.sentence
    interaction, price = answer.tests
    assert 0.5 < interaction.effect < 1
    assert 1.3 < price.low < price.effect < price.high < 1.8 and price.effect_name == "ratio"
    assert interaction.n == 6 and price.interval == "95 %, bootstrap over blocks"


def test_an_interaction_that_moves_no_optimum_is_equivalent(resource):
    means = {"a": {1: 1.0, 2: 1.5, 4: 2.0}, "b": {1: 1.0, 2: 3.0, 4: 9.0}}
    answer = one(resource(np.random.default_rng(1), means))
    assert answer.verdict == "equivalent" and answer.tests[0].p_adjusted < 0.05


def test_one_platform_is_undecided_but_its_best_is_told(resource):
    answer = one(resource(np.random.default_rng(1), {"a": CROSSED["a"]}))
    assert answer.verdict == "undecided: one platform"
    assert "a: 256 MB (best in 100% of bootstrap samples)" in answer.sentence


def test_two_scalings_of_one_machine_are_one_platform(resource):
    runs = resource(np.random.default_rng(1), CROSSED)
    answer = one(runs, platforms={"a": "here", "b": "here"})
    assert answer.verdict == "undecided: one platform"
    assert "another scaling of the same machine: b" in answer.sentence


@pytest.mark.parametrize("repetitions", [2, 3, 4])
def test_few_repetitions_are_a_demonstration(resource, repetitions):
    answer = one(resource(np.random.default_rng(1), CROSSED, repetitions=repetitions))
    said = f"demonstration only: undecided: {repetitions} complete of 5 blocks"
    assert answer.verdict.startswith(said)
    assert "best in" not in answer.sentence and not answer.tests


def test_one_repetition_says_nothing(resource):
    answer = one(resource(np.random.default_rng(1), CROSSED, repetitions=1))
    assert answer.verdict.startswith("demonstration only: undecided: one block")


def test_missing_cells_and_energies(resource):
    runs = resource(np.random.default_rng(1), CROSSED)
    runs = runs[~((runs["testbed"] == "a") & (runs["treatment_value"] == 384))].reset_index(
        drop=True
    )
    runs.loc[[0, 6], "ept_kwh"] = np.nan  # of one block
    answer = one(runs)
    assert answer.verdict == "supported" and answer.tests[0].n == 5
    assert "2 completed runs have no energy" in answer.sentence


def test_sweeps_that_stopped_at_different_places_compare_what_both_have(resource):
    means = {"a": {1: 1.0, 2: 2.0}, "b": {2: 1.0, 4: 0.5}}
    answer = one(resource(np.random.default_rng(1), means))
    assert answer.verdict.startswith("undecided: fewer than two treatments")


def test_an_infeasible_best_treatment(resource):
    """What is best on one platform cannot run on the other: the price is infinite."""
    runs = resource(np.random.default_rng(1), CROSSED)
    cannot = (runs["testbed"] == "b") & (runs["treatment_value"] == 256)
    runs.loc[cannot, "status"], runs.loc[cannot, "ept_kwh"] = "infeasible", np.nan
    answer = one(runs)
    assert answer.verdict == "supported" and answer.tests[1].effect == np.inf


def test_nothing_but_infeasible(resource):
    runs = resource(np.random.default_rng(1), CROSSED)
    runs["status"], runs["ept_kwh"] = "infeasible", np.nan
    assert one(runs).verdict == "demonstration only: undecided: no block is complete"


def test_equal_values_are_no_finding(resource):
    runs = resource(np.random.default_rng(1), {"a": FLAT, "b": FLAT}, noise=0)
    assert one(runs).outcome != "supported"


def test_the_unit_and_the_order_do_not_matter(resource):
    runs = resource(np.random.default_rng(1), CROSSED)
    mixed = runs.sample(frac=1, random_state=1)
    mixed["ept_kwh"] *= 1024
    a, b = one(runs).tests, one(mixed).tests
    assert a[0].p == pytest.approx(b[0].p)
    assert a[1].effect == pytest.approx(b[1].effect)
    assert (a[1].low, a[1].high) == pytest.approx((b[1].low, b[1].high))
