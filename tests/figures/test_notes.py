"""What is made of flagged runs says so first."""

import pandas as pd
import pytest

from trialwatt.analysis.answers import ALL, Answer
from trialwatt.figures.answers import _with
from trialwatt.figures.notes import caveat, conditions, note, why_flagged

FLAG = "foreign CPU time 47% of the machine (over 5%)"


def runs(*flags: str) -> pd.DataFrame:
    rows = [{"flags": each, "energy_method": "modelled", "testbed": "lab"} for each in flags]
    return pd.DataFrame(rows)


def test_conditions_begin_with_the_flagged_runs():
    said = conditions(runs("", FLAG, FLAG))
    assert said.startswith("Flagged: 2 of 3 runs (report.html lists them). Energy: modelled")
    assert conditions(runs("", "")).startswith("Energy: modelled")
    assert caveat(runs("", "")) == ""


@pytest.mark.parametrize("said", ["Median of n runs. ", "What it shows.\n"])
def test_a_note_under_a_figure_or_table_has_them_in_its_first_line(said):
    first, *rest = note(runs(FLAG), said).split("\n")
    assert first == "Flagged: 1 of 1 runs (report.html lists them)."
    assert "\n".join(rest).startswith(f"{said}Energy: modelled")
    assert note(runs(""), said).startswith(said)


def test_kinds_of_flags_with_the_largest_share():
    known = runs(FLAG, f"{FLAG.replace('47', '9')}; few samples", "")
    kind = "foreign CPU time up to 47% of the machine (over 5%): 2"
    assert why_flagged(known) == f"{kind}; few samples: 1"
    assert why_flagged(runs("")) == ""


def test_the_verdict_over_all_scopes_says_it():
    verdict = Answer("H2", ALL, "supported", "H2: supported (1 scope: 1 supported).")
    flagged = caveat(runs(FLAG, ""))
    assert _with(flagged, verdict).sentence.endswith(f"supported). {flagged}")
    assert _with("", verdict) == verdict
    assert _with(flagged, Answer("H2", "plain", "supported", "So.")).sentence == "So."
