import dataclasses

import pytest
from tests.contexts import PLAIN

from trialwatt.figures.anytime import priced
from trialwatt.metrics.extract import extract_run
from trialwatt.metrics.series import anytime

CONTEXT = dataclasses.replace(PLAIN, pue=1.2)


def test_the_curve_meets_the_tables(run_folder):
    """At the goal, and at the end of the job, it has what the runs table says."""
    every = extract_run(run_folder, CONTEXT).trials
    scored = every[(every["outcome"] == "completed") & every["score"].notna()]
    goal = float(scored["score"].max())
    context = dataclasses.replace(CONTEXT, targets={"digits": goal})
    found = extract_run(run_folder, context)
    curve = anytime(run_folder)
    assert curve["score"].is_monotonic_increasing and curve["time_ms"].is_monotonic_increasing
    assert curve["score"].iloc[-1] == goal
    curve = priced(curve, found.run, found.trials)
    at_goal = curve[curve["score"] == goal].iloc[0]
    assert at_goal["time_ms"] == pytest.approx(found.run["time_to_goal_ms"])
    assert at_goal["job_energy_kwh"] == pytest.approx(found.run["energy_to_goal_kwh"])
    assert at_goal["oc"] == pytest.approx(found.run["cost_to_goal"])
    last = curve.iloc[-1]
    assert last["time_ms"] == pytest.approx(found.run["jct_ms"])
    assert last["job_energy_kwh"] <= found.run["job_energy_kwh"] * (1 + 1e-9)
    assert last["oc"] <= found.run["oc"] * (1 + 1e-9)
