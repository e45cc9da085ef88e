"""Each figure of the plan shows something, or is left out with a reason."""

import inspect
from pathlib import Path

import pytest

from trialwatt.figures import FIGURES, planned
from trialwatt.figures.make import Data, Inputs, Source
from trialwatt.figures.style import Absent
from trialwatt.provenance.plans import read_plan

REFERENCE = Path(__file__).resolve().parents[2] / "results/reference/results"
PLAN = read_plan(REFERENCE)
OF_EACH_KIND = {tuple(planned(one)): one.id for one in PLAN.experiments.values()}
PROMISED = [(name, figure) for figures, name in OF_EACH_KIND.items() for figure in figures]


@pytest.mark.parametrize(("name", "figure"), PROMISED)
def test_of_the_reference(name, figure):
    inputs = Inputs(Data(Source(name, REFERENCE, REFERENCE.parent)))
    draw = FIGURES[figure].load()
    drawn = draw(**{one: getattr(inputs, one) for one in inspect.signature(draw).parameters})
    if isinstance(drawn, Absent):
        assert drawn.reason.endswith(".") and "No data" not in drawn.reason
    else:
        assert any(axes.has_data() for axes in drawn.axes)


def test_carbon_needs_a_series_and_a_comparison_two_treatments():
    for one in PLAN.experiments.values():
        series = one.model_copy(update={"intensity_varies": True})
        assert "carbon" not in planned(one)
        if planned(one) != ["cost"]:
            assert ("carbon" in planned(series)) is not one.is_alone
        alone = one.model_copy(update={"runs": one.runs[:1]})
        assert (planned(alone) == []) is bool(one.varies)


def test_a_plan_with_a_series_says_so_of_its_experiments():
    content = PLAN.model_dump(mode="json", by_alias=True)
    content["context"]["intensity"] = None
    plan = type(PLAN).model_validate(content)
    assert all(one.intensity_varies for one in plan.experiments.values())
    assert not any(one.intensity_varies for one in PLAN.experiments.values())
