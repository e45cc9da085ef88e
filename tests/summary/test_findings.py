"""The sentences about an experiment are those of its numbers."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.figures.conftest import synthetic
from tests.figures.synthetic_search import search_tables

from trialwatt.figures.best import best_table
from trialwatt.figures.quantity import number
from trialwatt.figures.tables import results_table
from trialwatt.summary.findings import findings, headline, ratios


def said(runs: pd.DataFrame, frameworks: bool = False) -> list[str]:
    return findings(runs, results_table(runs), best_table(runs), frameworks)


@settings(max_examples=15, deadline=None)
@given(st.permutations([0.4, 0.6, 0.8, 1.0]))
def test_the_least_energy_is_named_with_its_value(factors):
    runs, _ = synthetic(suts=("plain",), repetitions=5)
    by_value = dict(zip((1, 2, 4, 8), factors, strict=True))
    runs["ept_kwh"] = runs["wn"].map(by_value) * 1e-6
    least = min(by_value, key=by_value.get)
    first = said(runs)[0]
    workers = f"{least} worker" + ("s" if least > 1 else "")
    assert f"is least under {workers}: {number(400)} µWh (modelled), n = 5" in first
    if least == 4:
        assert "which is the baseline" in first
    else:
        saved = 100 * (1 - 0.4 / by_value[4])
        assert f"{number(saved)} % less than under the baseline" in first


def test_a_measured_energy_is_not_called_modelled():
    runs, _ = synthetic(method="counter")
    assert "modelled" not in " ".join(said(runs))


@pytest.mark.parametrize("repetitions", [1, 4])
def test_fewer_than_five_blocks_are_not_compared(repetitions):
    runs, _ = synthetic(repetitions=repetitions)
    assert said(runs, frameworks=True) == [] and headline(runs) == ""
    enough, _ = synthetic(repetitions=5)
    assert "spread" in " ".join(said(enough)) and "times" in headline(enough)


def of_control(runs: pd.DataFrame, control: str) -> list[float]:
    """Energy and time of optuna ÷ the control's: medians of the ratios of each repetition."""
    base = runs[runs["is_baseline"]].set_index(["repetition", "sut"])
    pairs = [base[name].unstack() for name in ("job_energy_kwh", "jct_ms")]
    return [(one["optuna"] / one[control]).median() for one in pairs]


def test_frameworks_are_compared_with_the_control_of_the_same_sampler():
    runs, _ = synthetic(repetitions=5)
    energy, time = of_control(runs, "plain")
    assert ratios(runs) == [("optuna", "grid", pytest.approx(energy), pytest.approx(time))]
    assert f"{number(energy)} times the energy" in said(runs, frameworks=True)[-1]
    assert "times the energy" not in " ".join(said(runs))
    runs.loc[runs["sut"] == "optuna", "sampler"] = "random"
    assert ratios(runs) == []


def test_frameworks_are_compared_with_a_control_of_any_name():
    runs, _ = synthetic(suts=("bare", "optuna"))
    assert ratios(runs) == []
    runs["is_control"] = runs["sut"] == "bare"
    energy, time = of_control(runs, "bare")
    assert ratios(runs) == [("optuna", "grid", pytest.approx(energy), pytest.approx(time))]


def test_waste_is_told_as_a_share_with_its_treatment():
    runs, _, _ = search_tables("s-pru", repetitions=5)
    shares = runs[runs["status"] == "completed"].groupby(["sut", "treatment"])["wte_share"]
    waste = [sentence for sentence in said(runs) if "wasted share" in sentence]
    assert waste
    for sut, own in shares.median().groupby("sut"):
        if own.max() > 0:
            assert any(s.startswith(sut) and f"({number(100 * own.max())} %)" in s for s in waste)


def test_waste_of_two_samplers_is_never_mixed():
    runs, _, _ = search_tables("s-pru", repetitions=5)
    one = runs[runs["status"] == "completed"].head(5).assign(sut="plain", sampler="grid")
    one = one.assign(treatment="epochs=3", treatment_value=3.0, epochs=3, wte_share=0.0)
    one = one.assign(repetition=range(1, 6), hash="one")
    other = one.assign(sampler="random", wte_share=[0.2, 0.4, 0.3, 0.3, 0.3], hash="other")
    both = pd.concat([one, other], ignore_index=True).assign(experiment="frameworks-dur")
    waste = [s for s in said(both) if "wasted share" in s]
    assert len(waste) == 1 and waste[0].startswith("plain (random): ")
    assert f"({number(30)} %)" in waste[0]


def test_treatments_without_waste_are_counted_and_none_is_picked():
    runs, _, _ = search_tables("s-pru", repetitions=5)
    done = runs[(runs["status"] == "completed") & (runs["sut"] == "optuna")].copy()
    wasteful = done["treatment"].unique()[0]
    done["wte_share"] = (done["treatment"] == wasteful) * 0.1
    waste = [s for s in said(done) if "wasted share" in s]
    count = done["treatment"].nunique()
    assert f", and 0 under {count - 1} of {count} treatments." in waste[0]


def test_runs_that_did_not_complete_are_told():
    runs, _ = synthetic(repetitions=7)
    runs.loc[runs.index[:2], "status"] = "infeasible"
    assert said(runs)[-1] == "Of the runs 2 infeasible."


def test_a_setting_that_goes_with_an_impact_is_told():
    runs, _ = synthetic(suts=("plain",), values=tuple(range(1, 11)), repetitions=5)
    runs["jct_ms"] = 1e6 / runs["wn"] + runs["repetition"]
    told = [one for one in said(runs) if "go together" in one]
    assert len(told) == 1 and told[0].startswith("plain: ")
    assert "number of workers and job completion time (ρ = -1.00, n = 10)" in told[0]
    few, _ = synthetic(suts=("plain",), repetitions=5)
    assert not [one for one in said(few) if "go together" in one]


@pytest.mark.parametrize(
    ("overlaps", "words"),
    [(True, "overlaps"), (False, "is clear of"), (None, "is not known to be clear of")],
)
def test_a_spread_that_missed_goals_leave_open_is_not_called_clear(overlaps, words):
    runs, _ = synthetic(repetitions=5)
    best = best_table(runs)
    best["overlaps"] = pd.Series([overlaps] * len(best), dtype=object)
    told = " ".join(findings(runs, results_table(runs), best))
    assert f"; its spread {words} that of the second best" in told
