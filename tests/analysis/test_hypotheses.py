"""Answers over power models and over scopes, and how they are printed."""

import numpy as np
import pandas as pd
import pytest

from trialwatt.analysis.answers import (
    answers_table,
    evidence_table,
    readable_answers,
    readable_tests,
)
from trialwatt.analysis.hypotheses import answers, h1, h2

FEW = 299
PLANTED = {"grid": 6.0, "random": 5.0, "tpe": 3.0}
CROSSED = {"a": {1: 1.0, 2: 1.2, 4: 1.5}, "b": {1: 1.5, 2: 1.2, 4: 1.0}}


@pytest.fixture
def planted(search):
    return search(np.random.default_rng(1), PLANTED, energy_method="modelled")


@pytest.fixture
def flat(planted):
    """The same runs, as if another power model made all of them alike."""
    rng = np.random.default_rng(2)
    noise = {"energy_to_goal_kwh": rng.normal(5, 0.1, len(planted))}
    return planted.assign(**noise, job_energy_kwh=10.0 + rng.normal(0, 0.1, len(planted)))


def test_verdicts_that_agree_stand(planted):
    first, every = h2({"as recorded": planted, "other": planted}, resamples=FEW)
    assert first.verdict == every.verdict == "supported"
    assert "modelled; the same holds under each of 2 power models" in first.sentence
    assert {t.coefficients for t in first.tests} == {"as recorded", "other"}


def test_verdicts_that_do_not_agree_depend_on_the_model(planted, flat):
    first, every = h2({"as recorded": planted, "other": flat}, resamples=FEW)
    assert first.verdict == every.verdict == "undecided: depends on the power model"
    assert "supported under “as recorded”; equivalent under “other”" in first.sentence


def test_measured_energy_asks_no_model(planted, flat):
    measured = planted.assign(energy_method="counter")
    first, _ = h2({"as recorded": measured, "other": flat}, resamples=FEW)
    assert first.verdict == "supported" and "modelled" not in first.sentence


def test_one_power_model_is_said(planted):
    assert "under one power model only" in h2(planted, resamples=FEW)[0].sentence


def test_scopes_that_disagree_are_undecided(search):
    parts = [
        search(np.random.default_rng(1), PLANTED, sut="optuna"),
        search(np.random.default_rng(4), dict.fromkeys(PLANTED, 5.0), sut="ray", noise=0.01),
    ]
    every = h2(pd.concat(parts), resamples=FEW)[-1]
    assert every.scope == "all" and every.verdict == "undecided: the scopes disagree"
    assert "supported in 1, equivalent in 1" in every.sentence


def test_holm_counts_all_scopes(search):
    parts = [
        search(np.random.default_rng(i), dict.fromkeys(PLANTED, 5.0), sut=f"sut{i}")
        for i in range(4)
    ]
    found = h2(pd.concat(parts), resamples=FEW)
    primary = [t for a in found for t in a.tests if t.primary and not np.isnan(t.p)]
    least = min(primary, key=lambda t: t.p)
    assert len(primary) == 8 and least.p_adjusted == pytest.approx(min(1, 8 * least.p))


def test_no_data_is_an_answer(table):
    found = answers(table([], experiment="r-mem").reindex(columns=["experiment", "sut"]))
    assert [a.verdict for a in found] == ["undecided: no experiment has data for it"] * 2
    with pytest.raises(ValueError, match="no table"):
        h1({})


def test_both_hypotheses_and_their_prints(resource, search):
    rng = np.random.default_rng(1)
    runs = pd.concat([resource(rng, CROSSED), search(rng, PLANTED, sampler_options="a|b_%")])
    found = answers(runs, resamples=FEW)
    assert [(a.hypothesis, a.scope) for a in found] == [
        ("H1", "optuna in r-mem"),
        ("H1", "all"),
        ("H2", "optuna in s-sam (local)"),
        ("H2", "all"),
    ]
    table, tests = answers_table(found), evidence_table(found)
    assert list(table["verdict"]) == ["supported"] * 4
    assert len(tests) == sum(len(a.tests) for a in found) and tests["test"].is_unique

    shown = readable_answers(found)
    assert list(shown["scope"]) == ["all", "all", "optuna in r-mem", "optuna in s-sam (local)"]
    assert all(shown["answer"].str.contains(": supported"))
    shown = readable_tests(tests)
    assert shown["n"][0] == 6 and shown["p"][1] == "–"  # an effect, no test


def test_the_same_data_give_the_same_answers(search):
    runs = search(np.random.default_rng(1), PLANTED)
    assert h2(runs, resamples=FEW) == h2(runs, resamples=FEW)


def test_power_models_in_two_processes_give_the_same_answers(resource):
    runs = resource(np.random.default_rng(1), CROSSED, energy_method="modelled")
    tables = {"as recorded": runs, "a": runs, "b": runs.assign(ept_kwh=runs["ept_kwh"] * 2)}
    one, two = (h1(tables, resamples=FEW, processes=n) for n in (1, 2))
    assert answers_table(one).equals(answers_table(two))
    tests = evidence_table(one)
    assert tests.equals(evidence_table(two)) and set(tests["coefficients"]) == set(tables)


def test_failed_runs_count_nowhere_and_are_said(resource, search):
    rng = np.random.default_rng(1)
    for runs, ask, value in (
        (resource(rng, CROSSED), h1, "ept_kwh"),
        (search(rng, PLANTED), h2, "job_energy_kwh"),
    ):
        holes = runs.iloc[::6].assign(status="failed", **{value: 1e9})
        found = ask(pd.concat([runs, holes]), resamples=FEW)
        without = ask(runs, resamples=FEW)
        assert [a.verdict for a in found] == [a.verdict for a in without]
        assert [a.tests for a in found] == [a.tests for a in without]
        said = f"{len(holes)} runs failed and are not counted."
        assert said in found[0].sentence and said not in without[0].sentence
        nothing = ask(runs.assign(status="failed"), resamples=FEW)[0]
        assert nothing.verdict == "demonstration only: undecided: all runs failed"
