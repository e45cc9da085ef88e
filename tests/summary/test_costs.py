"""What is said of the cost of frameworks."""

from tests.analysis.cost_law import simulated

from trialwatt.summary.costs import answer, findings


def test_a_sentence_tells_all_terms_and_the_break_even():
    (said,) = findings(simulated())
    assert said.startswith(
        "fw: beside plain it adds 40.0 J (modelled), 0.0400 s and 40.0 10⁻⁶ USD to a job, "
        "3.00 J (modelled), 0.00300 s and 3.00 10⁻⁶ USD to each trial and 0.500 J (modelled)"
    )
    assert (
        "its part of a trial is below 5 % of the energy of a trial where a trial lasts 7.50 s "
        "(95 %: at most 7.50 s) or longer, in a job of 24 trials where a trial lasts 11.7 s"
    ) in said
    assert said.endswith("(n = 5 blocks).") and "told apart" not in said


def test_what_is_not_told_apart_from_nothing_has_no_number():
    (said,) = findings(simulated(trial=0.0, noise=30.0))
    assert "energy, time and cost of each trial" in said
    assert "is not told apart from nothing" in said and "to each trial" not in said


def test_a_framework_that_costs_nothing_is_below_the_share_at_any_length():
    (said,) = findings(simulated(job=0.0, trial=-1.0, reporting=()))
    assert "of a trial at any length" in said and "each report" not in said


def test_fewer_than_five_blocks_are_not_compared():
    assert findings(simulated(blocks=4)) == []
    assert answer(simulated(blocks=4)).startswith(
        "Nothing is compared: there are 4 of the 5 blocks"
    )
    assert findings(simulated().iloc[:0]) == []


def test_the_answer_is_the_length_from_which_on_a_framework_costs_little():
    assert answer(simulated()) == (
        "what fw adds to a trial is below 5 % of the trial's energy where a trial lasts 7.50 s "
        "(95 %: at most 7.50 s) or longer"
    )
