"""Idle shares, carbon and framework overhead."""

import numpy as np
import pandas as pd
import pytest
from tests.figures.drawn import bars, large, words

from trialwatt.figures.carbon import carbon
from trialwatt.figures.overhead import overhead, ratios
from trialwatt.figures.wr import wr


def test_idle_shares_and_when_workers_were_idle(make_search):
    runs, _, _ = make_search(offered={"plain": ("grid",), "optuna": ("grid", "tpe")})
    runs.loc[runs["sampler"] == "tpe", "status"] = "infeasible"
    figure = wr(runs, "s-sam")
    share, energy, used = figure.axes
    mine = runs[(runs["sut"] == "optuna") & (runs["sampler"] == "grid")]
    assert large(share, "optuna") == pytest.approx([100 * mine["wr"].median()])
    assert large(used, "optuna") == pytest.approx([100 * mine["utilisation"].median()])
    done = runs[runs["status"] == "completed"]
    widths = [right - left for left, right, _ in bars(energy)]
    means = done.groupby(["sut", "sampler"])["idle_energy_kwh"].mean()
    assert sum(widths) == pytest.approx(1e6 * means.sum())
    text = words(figure)
    assert text.count("infeasible") == 3 and "% of job energy (modelled)" in text


def test_carbon_states_region_year_and_pue_and_shows_the_intensity(make_search):
    runs, trials, _ = make_search(offered={"plain": ("grid",), "optuna": ("grid",)})
    runs["cint_g_per_kwh"] = np.linspace(300, 500, len(runs))
    figure = carbon(runs, trials, "s-sam")
    assert len(figure.axes) == 3
    text = words(figure)
    assert "region world, year 2023; PUE 1.1" in text and "CINT" in text
    assert "mgCO₂eq, modelled" in text
    mean = trials.groupby("folder")["carbon_g"].mean()
    mine = mean[runs.loc[runs["sut"] == "optuna", "folder"]]
    assert large(figure.axes[1], "optuna") == pytest.approx([1e3 * mine.median()])
    assert "not on record" in words(carbon(runs, trials.iloc[:0], "s-sam"))


def ratio_of(runs, sut, sampler, control="plain"):
    """The median of a SUT's JCT ÷ the control's, repetition by repetition."""
    jct = runs[runs["sampler"] == sampler].pivot(index="repetition", columns="sut", values="jct_ms")
    return (jct[sut] / jct[control]).median()


def test_overhead_compares_equal_samplers_only(make_search):
    offered = {"plain": ("grid", "random"), "optuna": ("grid", "tpe"), "hyperopt": ("random",)}
    runs, _, _ = make_search(offered=offered)
    figure = overhead(runs, "s-sam")
    jct = figure.axes[0]
    assert large(jct, "optuna") == pytest.approx([ratio_of(runs, "optuna", "grid")])
    assert large(jct, "hyperopt") == pytest.approx([ratio_of(runs, "hyperopt", "random")])
    assert "Not shown: 1 without" in words(figure)
    alone = overhead(runs[runs["sut"] != "plain"], "s-sam")
    assert "No data" in words(alone)
    assert "No data" in words(overhead(runs.assign(status="deadline"), "s-sam"))


def test_overhead_is_against_a_control_of_any_name(make_search):
    runs, _, _ = make_search(offered={"bare": ("grid",), "optuna": ("grid", "tpe")})
    assert "No data" in words(overhead(runs, "s-sam"))
    figure = overhead(runs.assign(is_control=runs["sut"] == "bare"), "s-sam")
    assert large(figure.axes[0], "optuna") == pytest.approx(
        [ratio_of(runs, "optuna", "grid", "bare")]
    )
    assert "against bare" in words(figure) and "without a run of bare" in words(figure)


def test_of_two_controls_the_one_that_is_listed_first_is_compared_with(make_search):
    offered = {"bare": ("grid", "random"), "plain": ("grid",), "optuna": ("grid", "random")}
    runs, _, _ = make_search(offered=offered)
    runs["is_control"] = runs["sut"] != "optuna"
    figure = overhead(runs, "s-sam")
    assert sorted(large(figure.axes[0], "optuna")) == pytest.approx(
        sorted([ratio_of(runs, "optuna", "grid"), ratio_of(runs, "optuna", "random", "bare")])
    )
    assert "against plain or bare" in words(figure)


def test_ratios_are_of_one_block():
    """A drift of the machine from block to block is in none of them."""
    drift = np.array([1.0, 10.0, 100.0])
    blocks = pd.Series([1, 2, 3, 3, 2, 1, 4])
    mine = pd.Series(3 * drift, index=[0, 1, 2])
    base = pd.Series([100.0, 10.0, 1.0], index=[3, 4, 5])
    assert list(ratios(mine, base, blocks)) == [3, 3, 3]
    assert ratios(mine, base[1:], blocks).isna().tolist() == [False, False, True]
    assert ratios(mine, base * 0, blocks).isna().all()
