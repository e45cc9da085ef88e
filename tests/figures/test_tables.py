import numpy as np
import pandas as pd

from trialwatt.figures.tablefiles import write_table
from trialwatt.figures.tables import readable, results, results_table
from trialwatt.provenance.embed import read_sidecar

FACTS = {"generator": "trialwatt", "kind": "table/results", "experiment": {"id": "r-node"}}


def test_a_row_per_sut_and_treatment_with_median_and_range(make_synthetic):
    runs, _ = make_synthetic()
    table = results_table(runs)
    assert list(table["sut"]) == ["plain"] * 4 + ["optuna"] * 4
    assert list(table["treatment"][:2]) == ["1 worker", "2 workers"]
    here = runs[(runs["sut"] == "optuna") & (runs["wn"] == 4)]
    row = table.iloc[6]
    for name in ("jct_ms", "ept_kwh", "twh_kwh", "cint_g_per_kwh", "carbon_g", "oc", "wr"):
        assert row[f"{name}_median"] == here[name].median()
        assert (row[f"{name}_low"], row[f"{name}_high"]) == (here[name].min(), here[name].max())
    assert (row["n"], row["spread"], row["energy_method"]) == (3, "range", "modelled")


def test_what_was_not_completed_is_counted_and_not_averaged(make_synthetic):
    runs, _ = make_synthetic(values=(2, 4))
    runs.loc[:2, "status"] = "infeasible"
    runs.loc[:2, "jct_ms"] = np.nan
    runs.loc[3, "status"] = "deadline"
    runs.loc[3, "jct_ms"] = 1e9
    runs.loc[4, "flags"] = "few samples"
    table = results_table(runs)
    assert list(table["infeasible"]) == [3, 0, 0, 0] and list(table["deadline"]) == [0, 1, 0, 0]
    assert list(table["n"]) == [0, 2, 3, 3] and list(table["flagged"]) == [0, 1, 0, 0]
    assert np.isnan(table["jct_ms_median"][0]) and table["jct_ms_high"][1] < 1e9
    shown = readable(table)
    assert shown["n"][0] == "0 (3 infeasible)" and "deadline" in shown["n"][1]
    assert shown.iloc[0]["JCT (s)"] == "–"


def test_units_and_modelled_are_in_the_heads(make_synthetic):
    runs, _ = make_synthetic()
    heads = list(readable(results_table(runs)).columns)
    assert heads == [
        "SUT",
        "treatment",
        "JCT (s)",
        "EPT (mWh, modelled)",
        "TWH (mWh, modelled)",
        "CINT (gCO₂eq/kWh)",
        "carbon (mgCO₂eq, modelled)",
        "OC (10⁻⁶ USD)",
        "WTT (s)",
        "WTE (mWh, modelled)",
        "WTC (10⁻⁶ USD)",
        "WR (%, modelled)",
        "score",
        "n",
        "method",
    ]


def test_samplers_stand_in_the_table_where_they_differ(make_synthetic):
    runs, _ = make_synthetic()
    runs.loc[runs["sut"] == "optuna", "sampler"] = "random"
    assert set(readable(results_table(runs))["sampler"]) == {"grid", "random"}


def test_files(make_synthetic, tmp_path):
    runs, _ = make_synthetic(repetitions=6, values=(2, 4))
    csv, text, tex, sidecar = write_table(tmp_path / "r-node", results(runs, "r-node"), FACTS)
    back = pd.read_csv(csv)
    pd.testing.assert_frame_equal(back, results_table(runs), check_dtype=False, check_exact=True)
    lines = text.read_text().splitlines()
    assert lines[0] == "# r-node"
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert "95 % interval of the median" in lines[-1] and "modelled, not measured" in lines[-1]
    assert read_sidecar(csv)[0] == FACTS and set(read_sidecar(text)[1]) == {
        csv.name,
        text.name,
        tex.name,
    }
    before = {file: file.read_bytes() for file in (csv, text, tex, sidecar)}
    write_table(tmp_path / "r-node", results(runs, "r-node"), FACTS)
    assert {file: file.read_bytes() for file in before} == before


def test_no_data(make_synthetic, tmp_path):
    runs = make_synthetic()[0].iloc[:0]
    assert results_table(runs).empty
    _, text, tex, _ = write_table(tmp_path / "r-node", results(runs, "r-node"), FACTS)
    assert "No data" in text.read_text() and "No data" in tex.read_text()


def test_a_control_with_two_samplers_has_rows_for_both(make_synthetic):
    runs, _ = make_synthetic(values=(2,), suts=("plain",))
    both = pd.concat([runs, runs.assign(sampler="random")], ignore_index=True)
    table = results_table(both)
    assert list(table["sampler"]) == ["grid", "random"] and list(table["n"]) == [3, 3]
