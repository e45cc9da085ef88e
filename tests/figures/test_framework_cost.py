"""The figure and the table of what frameworks cost."""

import math

import pytest
from tests.analysis.cost_law import EPOCH_S, WATT, simulated
from tests.figures.drawn import words

from trialwatt.figures.cost_table import costs, length
from trialwatt.figures.framework_cost import framework_cost


def test_the_table_has_a_row_for_each_quantity_with_its_terms_and_break_even():
    table = costs(simulated(), "Cost")
    assert list(table.tidy["quantity"]) == ["job_energy_kwh", "jct_ms", "oc"]
    energy = table.tidy.iloc[0]
    assert list(energy[["per_job", "per_trial", "per_report"]]) == pytest.approx([40, 3, 0.5])
    assert energy["break_even_trial_s"] == pytest.approx(3 / (0.05 * WATT))
    assert (energy["blocks"], energy["cells"], energy["spread"]) == (5, 4, "interval")
    first = dict(zip(table.heads, table.rows[0], strict=True))
    assert first["of"] == "job energy (J, modelled)"
    assert (first["per job"], first["per trial"], first["per report"]) == ("40.0", "3.00", "0.500")
    assert first["break-even trial (s)"] == "7.50" and first["in a job of 24 (s)"] == "11.7"
    assert "95 % interval over 5 blocks" in table.note and "below 5 % of" in table.note


def test_what_is_not_identified_or_too_few_is_said():
    table = costs(simulated(blocks=3, reporting=()), "Cost")
    assert dict(zip(table.heads, table.rows[0], strict=True))["per report"] == "–"
    assert "Per report is not identified for fw: no reports." in table.note
    assert "3 blocks: a demonstration, no interval" in table.note and "95 %" not in table.note
    assert costs(simulated().iloc[:0], "Cost").rows == []
    never = costs(simulated(report=0.05 * WATT * EPOCH_S * 2), "Cost")
    assert dict(zip(never.heads, never.rows[0], strict=True))["reporting (s)"] == "never"
    assert [length(0), length(math.inf), length(math.nan)] == ["any", "never", "–"]


def test_the_figure_names_quantities_method_blocks_and_the_break_even():
    said = words(framework_cost(simulated(), "Cost"))
    assert "added energy (J, modelled)" in said and "added JCT (s)" in said
    assert "7.50 s" in said and "(n = 5)" in said and "modelled, not measured" in said
    few = words(framework_cost(simulated(blocks=2), "Cost"))
    assert "(n = 2, a demonstration)" in few
    free = " ".join(words(framework_cost(simulated(trial=-1.0), "Cost")).split())
    assert "No cost per trial was found, so no line: fw (Energy)" in free


def test_the_line_is_the_law_and_the_points_are_the_differences():
    figure = framework_cost(simulated(), "Cost")
    line, *points = figure.axes[0].lines
    assert list(line.get_ydata()) == pytest.approx([40, 40 + 3 * 1.08 * 24])
    drawn = sorted(round(float(y), 6) for one in points for y in one.get_ydata())
    # five blocks of 6 and 24 trials, and of 6 longer ones without and with 30 reports
    assert drawn == pytest.approx(sorted([0.0] * 2 + [58.0] * 10 + [73.0] * 5 + [112.0] * 5))


def test_one_number_of_trials_is_no_figure():
    runs = simulated()
    said = words(framework_cost(runs[runs["budget"] == 6], "Cost"))
    assert "No data: no SUT ran two numbers of trials" in said
