import numpy as np

from trialwatt.figures.best import best, best_table, overall, readable_best
from trialwatt.figures.tablefiles import write_table

FACTS = {"generator": "trialwatt", "kind": "table/best", "experiment": {"id": "r-node"}}


def test_the_smallest_median_of_completed_runs_wins(make_synthetic):
    runs, _ = make_synthetic(values=(1, 2, 4), repetitions=5)
    runs["ept_kwh"] = runs["wn"].map({1: 3e-6, 2: 1e-6, 4: 2e-6})
    free = (runs["sut"] == "optuna") & (runs["wn"] == 2)
    runs.loc[free, "status"] = "infeasible"
    table = best_table(runs).set_index("sut")
    assert list(table["best_treatment"]) == ["2 workers", "4 workers"]
    assert list(table["second_treatment"]) == ["4 workers", "1 worker"]
    assert list(table["saved_share"]) == [0.5, 0.0] and list(table["treatments"]) == [3, 2]
    assert not table["overlaps"].any()
    shown = readable_best(table.reset_index())
    assert list(shown["EPT (mWh, modelled)"]) == ["1.00", "2.00"]
    assert list(shown["clear of the second"]) == ["yes", "yes"]
    few = readable_best(best_table(runs[runs["repetition"] < 5]))
    assert list(few["clear of the second"]) == ["–", "–"]


def test_searches_are_compared_by_the_energy_to_the_goal(make_search):
    runs, _, _ = make_search(offered={"plain": ("grid", "random"), "optuna": ("tpe",)})
    runs["goal_censored"] = False
    runs["energy_to_goal_kwh"] = runs["sampler"].map({"grid": 2e-6, "random": 3e-6, "tpe": 1e-6})
    table = best_table(runs).set_index("sut")
    assert set(table["measure"]) == {"energy_to_goal_kwh"}
    assert table.loc["plain", "best_treatment"] == "grid"
    assert np.isnan(table.loc["optuna", "baseline_median_kwh"])
    shown = readable_best(table.reset_index())
    assert shown["second best"].iloc[1] == shown["saved against baseline (%)"].iloc[1] == "–"


def test_what_misses_the_goal_cannot_be_best(make_search):
    runs, _, _ = make_search(offered={"plain": ("grid", "random")})
    runs["goal_censored"] = runs["sampler"] == "grid"
    runs["energy_to_goal_kwh"] = np.where(runs["goal_censored"], np.nan, 9e-9)
    row = best_table(runs).iloc[0]
    assert (row["best_treatment"], row["treatments"], row["n"]) == ("random", 1, 3)
    runs.loc[runs["repetition"] == 1, "goal_censored"] = False
    runs.loc[runs["repetition"] == 1, "energy_to_goal_kwh"] = 1e-9
    assert best_table(runs).iloc[0]["best_treatment"] == "random"  # one of three reached it


def test_without_a_goal_searches_are_compared_by_the_energy_of_the_job(make_search):
    runs, _, _ = make_search(goal=None, offered={"plain": ("grid", "random")})
    runs["goal_censored"] = None
    table = best_table(runs).set_index("sut")
    assert set(table["measure"]) == {"job_energy_kwh"}
    medians = runs.groupby(["sut", "sampler"])["job_energy_kwh"].median()
    assert table.loc["plain", "median_kwh"] == medians["plain"].min()
    assert table.loc["plain", "best_treatment"] == medians["plain"].idxmin()


def test_the_phi_that_won_under_the_best_treatment(make_synthetic):
    runs, _ = make_synthetic(values=(1, 2))
    runs["ept_kwh"] = runs["wn"].map({1: 3e-6, 2: 1e-6})
    runs["best_phi"] = '{"lr":0.1}'
    two = runs["wn"] == 2
    runs.loc[two, "best_phi"] = ['{"lr":0.01}', '{"lr":0.001}', '{"lr":0.01}'] * 2
    runs.loc[two & (runs["sut"] == "optuna"), "best_phi"] = None
    table = best_table(runs)
    assert table.loc[0, ["best_phi", "best_phi_runs", "best_phi_of"]].tolist() == [
        '{"lr":0.01}',
        2,
        3,
    ]
    assert list(readable_best(table)["φ that won"]) == ["lr 0.01 (2 of 3)", "unknown"]
    older = readable_best(best_table(runs.drop(columns="best_phi")))
    assert list(older["φ that won"]) == ["unknown", "unknown"]


def test_files_with_nothing_completed_and_with_nothing_at_all(make_synthetic, tmp_path):
    runs, _ = make_synthetic(values=(2,))
    files = write_table(tmp_path / "a", best(runs.assign(status="deadline"), "r-node"), FACTS)
    assert [file.suffix for file in files] == [".csv", ".md", ".tex", ".json"]
    assert "| plain | – | – | 0 |" in files[1].read_text()
    empty = write_table(tmp_path / "b", best(runs.iloc[:0], "r-node"), FACTS)
    assert "No data" in empty[1].read_text() and "No data" in empty[2].read_text()


def test_rows_over_all_experiments_are_told_in_the_order_of_the_file(make_synthetic):
    runs, _ = make_synthetic(values=(2, 4))
    table = overall({name: runs.assign(experiment=name) for name in ("one", "two")})
    for tidy, shown in (("sut", "SUT"), ("experiment", "experiment")):
        assert list(table.tidy[tidy]) == list(table.shown[shown])
    assert list(table.tidy["sut"]) == ["plain", "plain", "optuna", "optuna"]
