"""The law of a framework's cost, on jobs whose a, b and c are known."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.cost_law import EPOCH_S, WATT, WORKERS, simulated

from trialwatt.analysis.framework_cost import REPORTING, TRIAL, in_job, laws


def of_energy(runs):
    (found,) = (law for law in laws(runs) if law.quantity.name == "energy")
    return found


amounts = st.floats(-50, 200).map(lambda x: round(x, 3))


@settings(max_examples=20, deadline=None)
@given(amounts, amounts, amounts)
def test_what_was_put_in_comes_out(job, trial, report):
    law = of_energy(simulated(job, trial, report))
    found = [law.terms[name].value for name in ("job", "trial", "report")]
    assert found == pytest.approx([job, trial, report], abs=1e-6)
    assert law.residual == pytest.approx(0, abs=1e-6) and law.compared and not law.lacking
    assert law.cost(10, 20) == pytest.approx(job + 10 * trial + 20 * report, abs=1e-6)
    # what a trial takes at its break-even is 5 % of what the control's takes
    length = law.break_even[TRIAL].value
    assert length == pytest.approx(max(trial, 0) / (0.05 * WATT), abs=1e-6)
    spread = law.break_even[in_job(24)].value
    assert spread == pytest.approx(max(trial + job / 24, 0) / (0.05 * WATT), abs=1e-6)


def test_a_framework_whose_reports_take_more_than_the_share_is_never_broken_even_with():
    assert law_of_reports(0.05 * WATT * EPOCH_S * 1.01).break_even[REPORTING].value == math.inf
    half = law_of_reports(0.05 * WATT * EPOCH_S / 2).break_even
    assert half[REPORTING].value == pytest.approx(2 * half[TRIAL].value)


def law_of_reports(report):
    return of_energy(simulated(report=report))


def test_the_intervals_cover_what_was_put_in_and_are_none_below_five_blocks():
    law = of_energy(simulated(noise=4.0, blocks=12))
    for name, value in {"job": 40.0, "trial": 3.0, "report": 0.5}.items():
        assert law.terms[name].low < value < law.terms[name].high
    even = law.break_even[TRIAL]
    assert even.low < 3.0 / (0.05 * WATT) < even.high and even.low < even.value < even.high
    few = of_energy(simulated(noise=4.0, blocks=3))
    assert not few.compared and few.blocks == 3
    trial = few.points.groupby("block").apply(
        lambda b: np.linalg.lstsq(
            np.column_stack([np.ones(4), b["trials"], b["reports"]]), b["difference"], rcond=None
        )[0][1]
    )
    assert (few.terms["trial"].low, few.terms["trial"].high) == pytest.approx(
        (trial.min(), trial.max())
    )


def test_without_reports_their_cost_is_not_identified():
    law = of_energy(simulated(reporting=()))
    assert list(law.terms) == ["job", "trial"] and law.lacking == {"report": "no reports"}
    assert REPORTING not in law.break_even
    both = simulated(reporting=[(6, 5), (24, 1)])
    only = of_energy(both[(both["pruner"] == "threshold") | (both["sut"] == "plain")])
    assert only.lacking == {"report": "reports rise with trials alone"}


def test_a_cost_that_grows_with_the_length_of_trials_is_seen_in_the_residual():
    runs = simulated(reporting=())
    longer = (runs["sut"] == "fw") & (runs["epochs"] == 5)
    runs.loc[longer, "job_energy_kwh"] += 30 / 3.6e6
    assert of_energy(runs).residual > 8


def test_times_and_costs_have_laws_too():
    found = {law.quantity.name: law for law in laws(simulated())}
    assert set(found) == {"energy", "time", "cost"}
    # the trials of two workers take half of their length from a job
    assert found["time"].plain_rate == 1 / WORKERS
    assert found["time"].terms["trial"].value == pytest.approx(3.0e-3)
    assert found["cost"].plain_rate == pytest.approx(1e-6)


def test_one_number_of_trials_or_no_control_is_no_law():
    runs = simulated()
    assert laws(runs[runs["budget"] == 6]) == [] and laws(runs[runs["sut"] == "fw"]) == []
    assert laws(runs.iloc[:0]) == []


def test_what_was_pruned_or_lacks_a_block_is_left_out():
    runs = simulated(blocks=6)
    pruned = runs.copy()
    pruned.loc[(pruned["pruner"] == "threshold") & (pruned["block"] == 1), "trials_pruned"] = 2
    assert of_energy(pruned).blocks == 5
    gone = runs.drop(runs.index[(runs["hash"] == "plain61none") & (runs["block"] == 2)])
    assert of_energy(gone).blocks == 5


def test_a_baseline_with_other_trials_takes_no_part():
    runs = simulated()
    other = runs[(runs["budget"] == 24)].assign(space="{other}", hash=runs["hash"] + "x")
    other["job_energy_kwh"] *= 7
    law = of_energy(pd.concat([runs, other], ignore_index=True))
    assert law.terms["trial"].value == pytest.approx(3.0)
