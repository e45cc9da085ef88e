"""Correlations: found where planted, absent where a model makes them."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from trialwatt.analysis.correlations import (
    ALLOTMENT,
    MODELLED,
    STATIC,
    excluded,
    rank_correlations,
    variables_of_runs,
)


def some_runs(table, n=30, seed=1, **same):
    rng = np.random.default_rng(seed)
    rows = [
        {"wn": w, "jct_ms": j, "job_energy_kwh": e, "oc": 2.0, "treatment": f"wn={w}"}
        for w, j, e in rng.random((n, 3))
    ]
    runs = table(rows, experiment="r-node", **same)
    runs["carbon_g"], runs["cint_g_per_kwh"] = runs["job_energy_kwh"] * 400, 400.0
    return runs


def pair(found, x, y):
    rows = found[found["x"].isin([x, y]) & found["y"].isin([x, y])]
    assert len(rows) == 1
    return rows.iloc[0]


def test_it_is_spearmans_and_tidy(table):
    runs = some_runs(table)
    runs["jct_ms"] = runs["wn"] ** 3 + 0.3 * runs["jct_ms"]
    found = rank_correlations(runs)
    row, judge = pair(found, "wn", "jct_ms"), spearmanr(runs["wn"], runs["jct_ms"])
    assert (row["rho"], row["p"]) == pytest.approx(tuple(judge))
    assert row["significant"] and (row["x_group"], row["y_group"]) == ("configuration", "impact")
    count = sum(map(len, variables_of_runs().values()))
    assert len(found) == count * (count - 1) // 2
    assert not found.duplicated(["x", "y"]).any()


def test_what_a_power_model_makes_is_left_out(table):
    found = rank_correlations(some_runs(table, energy_method="counter+modelled"))
    row = pair(found, "job_energy_kwh", "jct_ms")
    assert row["excluded"] == MODELLED and np.isnan(row["rho"]) and not row["significant"]
    assert pair(found, "carbon_g", "jct_ms")["excluded"] == MODELLED
    assert pair(found, "wn", "jct_ms")["excluded"] == ""
    assert pair(found, "wn", "job_energy_kwh")["excluded"] == MODELLED
    assert pair(found, "wmem_mb", "ept_kwh")["excluded"] == MODELLED
    measured = rank_correlations(some_runs(table, energy_method="counter"))
    assert pair(measured, "job_energy_kwh", "jct_ms")["excluded"] == ""
    assert pair(measured, "wn", "job_energy_kwh")["excluded"] == ""


def test_cost_is_time_only_at_one_allotment(table):
    runs = some_runs(table).assign(oc=lambda runs: runs["jct_ms"] * 2)
    assert pair(rank_correlations(runs), "oc", "jct_ms")["excluded"] == ""  # wn varies
    same = rank_correlations(runs.assign(wn=4))
    assert pair(same, "oc", "jct_ms")["excluded"] == ALLOTMENT
    assert pair(same, "wtc_share", "wtt_share")["excluded"] == ALLOTMENT
    assert pair(same, "oc", "trials_ms")["excluded"] == ""


def test_cost_and_modelled_energy_are_both_made_of_reservation_and_time(table):
    modelled = rank_correlations(some_runs(table, energy_method="modelled"))
    assert pair(modelled, "oc", "job_energy_kwh")["excluded"] == MODELLED
    assert pair(modelled, "wte_share", "wtc_share")["excluded"] == MODELLED
    measured = rank_correlations(some_runs(table))
    assert pair(measured, "oc", "job_energy_kwh")["excluded"] == ""


def test_carbon_is_energy_only_at_a_static_intensity(table):
    runs = some_runs(table)
    assert pair(rank_correlations(runs), "carbon_g", "job_energy_kwh")["excluded"] == STATIC
    runs["cint_g_per_kwh"] = np.random.default_rng(2).uniform(100, 500, len(runs))
    runs["carbon_g"] = runs["job_energy_kwh"] * runs["cint_g_per_kwh"]
    assert pair(rank_correlations(runs), "carbon_g", "job_energy_kwh")["rho"] > 0.3


def test_every_reason_is_symmetric():
    names = [name for group in variables_of_runs().values() for name in group]
    for x in names:
        for y in names:
            for modelled in (True, False):
                assert excluded(x, y, modelled, True) == excluded(y, x, modelled, True)


def test_constant_few_and_missing_values(table):
    found = rank_correlations(some_runs(table))
    assert np.isnan(pair(found, "oc", "wn")["rho"])
    assert np.isnan(pair(found, "best_score", "wn")["rho"])
    few = rank_correlations(some_runs(table, n=4))
    assert few["rho"].isna().all() and pair(few, "wn", "jct_ms")["n"] == 4


def test_a_perfect_order_of_five_runs_is_no_certainty(table):
    runs = some_runs(table, n=5)
    runs["jct_ms"] = runs["wn"] * 2
    row = pair(rank_correlations(runs), "wn", "jct_ms")
    assert row["rho"] == pytest.approx(1) and row["p"] == pytest.approx(2 / 120)


def test_noise_is_rarely_significant(table):
    hits = 0
    for seed in range(60):
        runs = some_runs(table, n=12, seed=seed)
        small = {"configuration": ("wn",), "impact": ("jct_ms", "job_energy_kwh")}
        hits += rank_correlations(runs, variables=small)["significant"].any()
    assert hits <= 9  # 3 expected


def test_repetitions_are_no_evidence_of_their_own(table, false_positives):
    """Six configurations, five runs each: what differs between them has to do with nothing."""
    small = {"configuration": ("wn",), "impact": ("jct_ms",)}
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        cells = some_runs(table, n=6, seed=seed)
        runs = pd.concat([cells.assign(jct_ms=cells["jct_ms"] + 0.01 * i) for i in range(5)])
        runs["jct_ms"] *= np.exp(0.01 * rng.standard_normal(len(runs)))
        found = rank_correlations(runs, variables=small).iloc[0]
        assert found["n"] == 6
        hits += found["p"] < 0.05
    assert false_positives(hits, 200)
    four = runs[runs["treatment"].isin(runs["treatment"].unique()[:4])]
    assert rank_correlations(four, variables=small)["rho"].isna().all()


def test_groups_stay_apart(table):
    runs = pd.concat([some_runs(table, sut="optuna"), some_runs(table, seed=2, sut="ray")])
    runs.loc[runs["sut"] == "ray", ["wn", "jct_ms"]] += 100
    found = rank_correlations(runs)
    assert set(found["sut"]) == {"optuna", "ray"} and found["n"].max() == 30
    pooled = rank_correlations(runs, by=["experiment"])
    assert pair(pooled, "wn", "jct_ms")["rho"] > 0.5


def test_only_completed_runs_count_and_none_is_no_error(table):
    runs = some_runs(table)
    runs.loc[:9, "status"] = "infeasible"
    assert rank_correlations(runs)["n"].max() == 20
    assert rank_correlations(runs.iloc[:0]).empty
