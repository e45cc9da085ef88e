"""A column knows itself: what is shown of it follows from its one entry."""

from pathlib import Path

import pytest

from trialwatt.analysis.correlations import rank_correlations
from trialwatt.figures import quantity
from trialwatt.figures.tables import readable, results_table
from trialwatt.metrics import columns, dictionary
from trialwatt.metrics.columns import Column
from trialwatt.metrics.dictionary import CURVE, RUNS, TRIALS
from trialwatt.metrics.tables import read_runs
from trialwatt.page.runs import values
from trialwatt.page.sections import section
from trialwatt.summary.experiment import ExperimentSummary

REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "results" / "metrics"
BARE = ("share", "score")
"""Quantities that are counted in nothing."""


@pytest.fixture
def runs():
    runs = read_runs(REFERENCE / "r-node" / "runs.parquet")
    return runs.assign(wait_energy_kwh=[2e-6 + 1e-8 * i for i in range(len(runs))])


@pytest.fixture
def added():
    """A column of energy that nobody else knows of, shown in three places."""
    new = Column(
        "wait_energy_kwh",
        "real",
        "kWh",
        "what workers draw while they wait",
        "made up",
        quantity="energy",
        short="WAIT",
        title="energy of waiting",
        label="energy per job",
        shown={"results": 0, "page": 0, "impact": 0},
    )
    RUNS.append(new)
    yield new
    RUNS.remove(new)


def of_page(runs) -> dict:
    numbers = {folder: number for number, folder in enumerate(sorted(set(runs["folder"])))}
    return section(ExperimentSummary("r-node", "R-Node", (), runs, [], []), numbers, {})


def test_a_new_entry_is_in_the_table_the_page_the_dictionary_and_the_correlations(runs, added):
    head = "WAIT (mWh, modelled)"
    assert list(readable(results_table(runs)).columns).count(head) == 1

    page = of_page(runs)
    panel = page["panels"]["wait_energy_kwh"]
    assert panel["title"] == "WAIT: energy of waiting"
    assert (panel["head"], panel["factor"], panel["energy"]) == ("mWh, modelled", 1e6, True)
    assert values()[panel["value"]] == "wait_energy_kwh"
    table = page["tables"][0]
    place = table["heads"].index(head)
    assert table["numeric"][place]
    assert all(row["sort"][place] == pytest.approx(2e-6, rel=0.5) for row in table["rows"])

    assert columns.entries(RUNS)[-1] == {
        "name": "wait_energy_kwh",
        "title": "energy of waiting",
        "unit": "kWh",
        "quantity": "energy",
        "definition": "what workers draw while they wait",
        "method": "made up",
    }
    assert columns.schema(RUNS).field("wait_energy_kwh").type == "double"
    found = rank_correlations(runs)
    with_new = found[found["y"] == "wait_energy_kwh"]
    assert set(with_new["y_group"]) == {"impact"}
    assert "a power model" in with_new.set_index("x").loc["jct_ms", "excluded"].iloc[0]


def test_without_the_entry_it_is_nowhere(runs):
    assert not any("WAIT" in head for head in readable(results_table(runs)).columns)
    page = of_page(runs)
    assert "wait_energy_kwh" not in page["panels"] and "wait_energy_kwh" not in values()


@pytest.mark.parametrize("column", [c for c in RUNS if c.shown], ids=lambda column: column.name)
def test_every_shown_column_has_a_title_a_unit_and_a_quantity(column):
    assert column.short and column.title and column.definition
    assert column.kind == "text" or (
        column.quantity and bool(column.unit) == (column.quantity not in BARE)
    )
    if {"resource", "search"} & column.shown.keys():
        assert column.label


def test_no_two_columns_of_a_place_have_one_head():
    for place in {place for column in RUNS for place in column.shown}:
        heads = [column.short for column in dictionary.shown_in(place)]
        assert len(set(heads)) == len(heads), place


@pytest.mark.parametrize("column", [*RUNS, *TRIALS, *CURVE], ids=lambda column: column.name)
def test_a_quantity_and_its_unit_agree(column):
    """Scales are chosen by the quantity, and take values in the unit of the tables."""
    units = {
        "energy": {"kWh"},
        "time": {"ms"},
        "cost": {"currency"},
        "carbon": {"gCO2eq"},
        "intensity": {"gCO2eq/kWh"},
        "share": {""},
        "score": {""},
    }
    assert column.unit in units.get(column.quantity, {column.unit})
    named = {"_kwh": {"energy", "intensity"}, "_ms": {"time"}, "_share": {"share"}}
    for end, quantities in named.items():
        assert not column.name.endswith(end) or column.quantity in quantities
    measured = "energy_method" in column.method
    assert not measured or column.from_energy


def test_the_orders_are_those_that_readers_know():
    def names(place):
        return [column.name for column in dictionary.shown_in(place)]

    assert names("resource") == ["ept_kwh", "twh_kwh", "oc", "jct_ms"]
    assert names("search") == ["jct_ms", "oc", "job_energy_kwh", "energy_to_goal_kwh"]
    assert names("overhead") == ["jct_ms", "job_energy_kwh", "wr"]
    assert names("impact")[:6] == [
        "jct_ms",
        "job_energy_kwh",
        "ept_kwh",
        "twh_kwh",
        "energy_to_goal_kwh",
        "time_to_goal_ms",
    ]


def test_equal_ranks_keep_the_order_of_the_table():
    made = [Column(n, "real", "", "", "", shown={"page": r}) for n, r in (("b", 1), ("a", 1))]
    last = Column("c", "real", "", "", "", shown={"page": 0})
    assert [column.name for column in columns.shown_in("page", [*made, last])] == ["c", "b", "a"]


def test_of_an_unknown_column_its_name_is_known(runs):
    assert dictionary.metric("brand_new").short == "brand_new"
    assert quantity.of_column("brand_new", [1.0], runs) == (1, "")
